// Characters by the classes that pre-tokenizers speak of, and runs of them. The texts are UTF-8.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "text/unicode.h"

namespace wisp::text {

// One bit each, so that a set of classes is a mask. Every character has exactly one.
enum Class : std::uint8_t {
  kLetter = 1,        // \p{L}
  kMark = 2,          // \p{M}
  kNumber = 4,        // \p{N}
  kSpace = 8,         // \s
  kPunctuation = 16,  // \p{P}
  kSymbol = 32,       // \p{S}
  kOther = 64,        // the rest: controls, private use, unassigned
};
using Classes = std::uint8_t;
constexpr Classes kNotWord = kMark | kPunctuation | kSymbol | kOther;  // [^\s\p{L}\p{N}]

constexpr bool is_break(char c) { return c == '\r' || c == '\n'; }  // [\r\n]
constexpr bool is_upper_ascii(char c) { return c >= 'A' && c <= 'Z'; }
constexpr bool is_lower_ascii(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool is_letter_ascii(char c) { return is_upper_ascii(c) || is_lower_ascii(c); }
constexpr bool is_digit_ascii(char c) { return c >= '0' && c <= '9'; }

[[nodiscard]] Classes classify(char32_t code);

constexpr Classes classify_ascii(char c) {
  if (is_letter_ascii(c)) return kLetter;
  if (is_digit_ascii(c)) return kNumber;
  if (c == ' ' || (c >= '\t' && c <= '\r')) return kSpace;
  if (c < ' ' || c == 0x7F) return kOther;
  return std::string_view("$+<=>^`|~").find(c) == std::string_view::npos ? kPunctuation : kSymbol;
}

inline constexpr std::array<Classes, 128> kAsciiClasses = [] {
  std::array<Classes, 128> classes{};
  for (std::size_t i = 0; i < classes.size(); ++i) classes[i] = classify_ascii(static_cast<char>(i));
  return classes;
}();

struct Character {
  Classes kind;  // 0 at the end of the text: in no class
  std::uint32_t length;
};

inline Character character_at(std::string_view text, std::size_t at) {
  if (at >= text.size()) return {0, 0};
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < 0x80) return {kAsciiClasses[byte], 1};
  const Utf8Char decoded = decode_utf8(text, at);
  return {classify(decoded.code), decoded.length};
}

// The character that ends at `at`, which is above 0.
inline Character character_before(std::string_view text, std::size_t at) {
  do --at;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0u) == 0x80u);
  return character_at(text, at);
}

// The end of the run of at most `max` characters of these classes.
inline std::size_t run_of(std::string_view text, std::size_t at, Classes classes, std::size_t max = SIZE_MAX) {
  for (; max > 0; --max) {
    const Character character = character_at(text, at);
    if ((character.kind & classes) == 0) break;
    at += character.length;
  }
  return at;
}

struct CodeRange {
  char32_t first, last;
};

// Characters by ranges, which are ascending and apart.
class CodeSet {
 public:
  explicit constexpr CodeSet(std::span<const CodeRange> ranges) : ranges_(ranges) {
    for (char32_t code = 0; code < ascii_.size(); ++code) ascii_[code] = in_ranges(code);
  }
  [[nodiscard]] constexpr bool contains(char32_t code) const {
    return code < ascii_.size() ? ascii_[code] : in_ranges(code);
  }

 private:
  [[nodiscard]] constexpr bool in_ranges(char32_t code) const {
    const auto range = std::ranges::lower_bound(ranges_, code, {}, &CodeRange::last);
    return range != ranges_.end() && range->first <= code;
  }
  std::array<bool, 128> ascii_{};
  std::span<const CodeRange> ranges_;
};

// The end of the run of characters of this set that are no white space.
inline std::size_t run_inside(std::string_view text, std::size_t at, const CodeSet& set) {
  while (at < text.size()) {
    const Utf8Char c = decode_utf8(text, at);
    if (!set.contains(c.code) || is_space(c.code)) break;
    at += c.length;
  }
  return at;
}

}  // namespace wisp::text
