#include "text/jinja/utf8.h"

#include <cstdint>
#include <vector>

namespace wisp::text::jinja {
namespace {

unsigned char byte_at(std::string_view text, std::size_t i) { return static_cast<unsigned char>(text[i]); }

// Past this length a needle is searched with a table; below, comparing at each place is quicker.
constexpr std::size_t kLongNeedle = 32;

// Knuth, Morris and Pratt: table[i] is the length of the longest proper border of needle[0, i].
std::size_t find_long(std::string_view text, std::string_view needle, std::size_t from) {
  std::vector<std::size_t> border(needle.size(), 0);
  for (std::size_t i = 1, k = 0; i < needle.size(); ++i) {
    while (k > 0 && needle[i] != needle[k]) k = border[k - 1];
    if (needle[i] == needle[k]) ++k;
    border[i] = k;
  }
  for (std::size_t i = from, k = 0; i < text.size(); ++i) {
    while (k > 0 && text[i] != needle[k]) k = border[k - 1];
    if (text[i] == needle[k]) ++k;
    if (k == needle.size()) return i + 1 - k;
  }
  return std::string_view::npos;
}

}  // namespace

// Unicode 15, table 3-7.
std::size_t character_bytes(std::string_view text) {
  const unsigned lead = byte_at(text, 0);
  if (lead < 0xC2 || lead > 0xF4) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (text.size() < length) return 1;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte_at(text, i) & 0xC0) != 0x80) return 1;
  const unsigned second = byte_at(text, 1);
  if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F)) return 1;  // overlong, surrogate
  if ((lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) return 1;  // overlong, past U+10FFFF
  return length;
}

char32_t code_point(std::string_view character) {
  const unsigned lead = byte_at(character, 0);
  if (lead < 0x80) return lead;
  if (character.size() == 1) return kStrayByte + lead;
  char32_t c = lead & (0xFFu >> (character.size() + 1));
  for (std::size_t i = 1; i < character.size(); ++i) c = (c << 6) | (byte_at(character, i) & 0x3Fu);
  return c;
}

void append_utf8(std::string& out, char32_t c) {
  const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c >= kStrayByte + 0x80 && c <= kStrayByte + 0xFF) {
    put(c - kStrayByte);
  } else if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6));
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

bool is_ascii(std::string_view text) {
  unsigned char all = 0;
  for (const char c : text) all |= static_cast<unsigned char>(c);
  return all < 0x80;
}

std::size_t count_characters(std::string_view text) {
  if (is_ascii(text)) return text.size();
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++count) i += character_bytes(text.substr(i));
  return count;
}

std::size_t character_offset(std::string_view text, std::size_t index) {
  std::size_t i = 0;
  for (; index > 0 && i < text.size(); --index) i += character_bytes(text.substr(i));
  return i;
}

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

std::string_view strip_left(std::string_view text) {
  while (!text.empty()) {
    const std::size_t bytes = character_bytes(text);
    if (!is_space(code_point(text.substr(0, bytes)))) break;
    text.remove_prefix(bytes);
  }
  return text;
}

std::string_view strip_right(std::string_view text) {
  while (!text.empty()) {
    std::size_t start = text.size() - 1;  // of the last character: at most three continuation bytes back
    for (std::size_t back = 1; back <= 4 && back <= text.size(); ++back) {
      const std::size_t at = text.size() - back;
      if (character_bytes(text.substr(at)) == back) start = at;
      if ((byte_at(text, at) & 0xC0) != 0x80) break;
    }
    if (!is_space(code_point(text.substr(start)))) break;
    text = text.substr(0, start);
  }
  return text;
}

std::size_t find_text(std::string_view text, std::string_view needle, std::size_t from) {
  if (from > text.size()) return std::string_view::npos;
  if (needle.size() <= kLongNeedle) return text.find(needle, from);
  return text.size() - from < needle.size() ? std::string_view::npos : find_long(text, needle, from);
}

}  // namespace wisp::text::jinja
