// Literals of a format against a text that is still coming.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace wisp::text {

inline constexpr std::string_view kTextBlanks = " \t\r\n";
// More blanks in a row than these are not the blanks of a literal.
inline constexpr std::size_t kMostBlanks = 64;

inline bool is_text_blank(char c) { return kTextBlanks.find(c) != std::string_view::npos; }

struct Match {
  bool yes = false;      // `length` bytes of the text are the literal
  bool partial = false;  // the text ends inside what may become the literal
  std::size_t length = 0;
};

// Whether `text` begins with `literal`, where blanks within the literal stand for any run of blanks, none too.
inline Match match_literal(std::string_view literal, std::string_view text) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < literal.size(); ++i) {
    if (is_text_blank(literal[i])) {
      while (i + 1 < literal.size() && is_text_blank(literal[i + 1])) ++i;
      const std::size_t begin = at;
      while (at < text.size() && is_text_blank(text[at]) && at - begin < kMostBlanks) ++at;
      continue;
    }
    if (at == text.size()) return {.partial = true};
    if (text[at] != literal[i]) return {};
    ++at;
  }
  return {.yes = true, .length = at};
}

// Names and ids of calls and their arguments are not longer.
inline constexpr std::size_t kLongestField = 256;

// Whether a function may be called so: nothing that formats use to mark things.
inline bool is_name(std::string_view text) {
  constexpr std::string_view kNever = "<>{}[]()\"'`|,;=";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return static_cast<unsigned char>(c) > ' ' && kNever.find(c) == std::string_view::npos;
  });
}

inline std::string_view without_blanks(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kTextBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kTextBlanks) + 1 - begin);
}

}  // namespace wisp::text
