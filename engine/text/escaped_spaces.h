// SentencePiece's spelling of spaces: U+2581, which starts a word more often than it ends one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace wisp::text {

inline constexpr std::string_view kEscapedSpace = "\xE2\x96\x81";  // U+2581

inline void append_escaped(std::string& out, std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t space = std::min(text.find(' ', at), text.size());
    out += text.substr(at, space - at);
    if (space < text.size()) out += kEscapedSpace;
    at = space + 1;
  }
}

inline void append_unescaped(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(kEscapedSpace), text.size());
    out += text.substr(0, space);
    text.remove_prefix(space);
    if (text.empty()) return;
    out += ' ';
    text.remove_prefix(kEscapedSpace.size());
  }
}

// The end of the word that starts at `at`: the next U+2581 that follows something else.
inline std::size_t end_of_word(std::string_view text, std::size_t at) {
  while (text.substr(at).starts_with(kEscapedSpace)) at += kEscapedSpace.size();
  return std::min(text.find(kEscapedSpace, at), text.size());
}

// Whether a token or a merge goes on past the end of a word, so that words cannot be encoded one by one.
inline bool crosses_words(std::string_view text) { return end_of_word(text, 0) != text.size(); }

}  // namespace wisp::text
