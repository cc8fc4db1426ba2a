// Strings as Python sees them: sequences of characters, here kept as UTF-8. A byte that belongs to no well-formed
// sequence counts as one character, so every string has a length and slices never fail.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace wisp::text::jinja {

// Bytes of the character at the front of `text`, which is not empty.
std::size_t character_bytes(std::string_view text);
// The character's code point; a stray byte gives its value + kStrayByte.
inline constexpr char32_t kStrayByte = 0xDC00;
char32_t code_point(std::string_view character);
void append_utf8(std::string& out, char32_t code_point);

bool is_ascii(std::string_view text);
std::size_t count_characters(std::string_view text);
// Byte offset of character `index`, or text.size() when there are fewer.
std::size_t character_offset(std::string_view text, std::size_t index);

// What Python's str.isspace() and str.strip() hold blank.
bool is_space(char32_t c);
std::string_view strip_left(std::string_view text);
std::string_view strip_right(std::string_view text);

// Where `needle` starts in `text` from byte `from` on, or npos. Linear in both, whatever they are.
std::size_t find_text(std::string_view text, std::string_view needle, std::size_t from = 0);

}  // namespace wisp::text::jinja
