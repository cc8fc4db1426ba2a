#include "text/utf8.h"

#include <cstring>

namespace wisp::text {
namespace {

struct Lead {
  std::uint32_t length;     // of the whole sequence; 0: cannot start one
  unsigned char low, high;  // allowed second byte: this is where overlong forms, surrogates and > U+10FFFF fall out
};

constexpr Lead lead_of(unsigned char byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

// Offset of the first byte at or after `offset` that is not ASCII.
std::size_t skip_ascii(std::string_view text, std::size_t offset) {
  while (offset + 8 <= text.size()) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + offset, 8);
    if ((word & 0x8080808080808080u) != 0) break;
    offset += 8;
  }
  while (offset < text.size() && static_cast<unsigned char>(text[offset]) < 0x80) ++offset;
  return offset;
}

}  // namespace

Utf8Char decode_utf8(std::string_view text, std::size_t offset) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[offset + i]); };
  const unsigned char first = byte(0);
  const Lead lead = lead_of(first);
  if (lead.length == 1) return {first, 1, Utf8State::valid};
  if (lead.length == 0) return {};
  const std::size_t available = text.size() - offset;
  char32_t code = first & (0x7Fu >> lead.length);
  for (std::uint32_t i = 1; i < lead.length; ++i) {
    if (i == available) return {kReplacement, i, Utf8State::incomplete};
    const unsigned char low = i == 1 ? lead.low : 0x80;
    const unsigned char high = i == 1 ? lead.high : 0xBF;
    if (byte(i) < low || byte(i) > high) return {kReplacement, i, Utf8State::invalid};
    code = (code << 6) | (byte(i) & 0x3Fu);
  }
  return {code, lead.length, Utf8State::valid};
}

void append_utf8(std::string& out, char32_t code) {
  const auto tail = [&](unsigned shift) { return static_cast<char>(0x80u | ((code >> shift) & 0x3Fu)); };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0u | (code >> 6));
    out += tail(0);
  } else if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
    out += kReplacementUtf8;
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0u | (code >> 12));
    out += tail(6);
    out += tail(0);
  } else {
    out += static_cast<char>(0xF0u | (code >> 18));
    out += tail(12);
    out += tail(6);
    out += tail(0);
  }
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = skip_ascii(text, 0); at < text.size(); at = skip_ascii(text, at)) {
    const Utf8Char character = decode_utf8(text, at);
    if (character.state != Utf8State::valid) return false;
    at += character.length;
  }
  return true;
}

std::string replace_invalid_utf8(std::string_view text, Replace replace) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char character = decode_utf8(text, at);
    if (character.state == Utf8State::valid) {
      out += text.substr(at, character.length);
    } else {
      const std::uint32_t count = replace == Replace::piece ? 1 : character.length;
      for (std::uint32_t i = 0; i < count; ++i) out += kReplacementUtf8;
    }
    at += character.length;
  }
  return out;
}

}  // namespace wisp::text
