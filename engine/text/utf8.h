// UTF-8, as strict as Unicode defines it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace wisp::text {

inline constexpr char32_t kReplacement = 0xFFFD;
inline constexpr std::string_view kReplacementUtf8 = "\xEF\xBF\xBD";

enum class Utf8State : std::uint8_t {
  valid,
  invalid,     // no continuation can make these bytes valid
  incomplete,  // the text ends inside a sequence that is valid so far
};

// One character, or what stands in its place. `length` is at least 1 and stays inside the text. For bytes that are not
// a character `code` is U+FFFD, and `length` covers the longest start of a valid sequence (Unicode's "maximal
// subpart"), so that one U+FFFD per such piece is what browsers and Python print.
struct Utf8Char {
  char32_t code = kReplacement;
  std::uint32_t length = 1;
  Utf8State state = Utf8State::invalid;
};

// The character at `offset`, which must be below text.size().
Utf8Char decode_utf8(std::string_view text, std::size_t offset);

// Appends the 1 to 4 bytes of a code point; a surrogate or a value above U+10FFFF is appended as U+FFFD.
void append_utf8(std::string& out, char32_t code);

[[nodiscard]] bool is_utf8(std::string_view text);

// How many U+FFFD stand for a malformed piece: one as browsers do, or one for each of its bytes.
enum class Replace : std::uint8_t { piece, byte };
// The text with everything that is not UTF-8 replaced by U+FFFD.
std::string replace_invalid_utf8(std::string_view text, Replace replace);

}  // namespace wisp::text
