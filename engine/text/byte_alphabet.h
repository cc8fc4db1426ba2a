// GPT-2's byte alphabet: vocabularies of byte-level BPE spell each byte as one printable character. Printable Latin-1
// stands for itself; the other 68 bytes, in order, are U+0100 and up (a space is U+0120).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "text/utf8.h"

namespace wisp::text {

constexpr bool spells_itself(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

// The byte that each of the characters U+0000 to U+0143 spells, or -1.
inline constexpr std::array<std::int16_t, 0x144> kByteOfCharacter = [] {
  std::array<std::int16_t, 0x144> bytes{};
  bytes.fill(-1);
  std::size_t next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    bytes[spells_itself(byte) ? byte : next++] = static_cast<std::int16_t>(byte);
  }
  return bytes;
}();

// The bytes that a spelling stands for; nothing when it holds a character outside the alphabet.
inline std::optional<std::string> bytes_of_spelling(std::string_view spelling) {
  std::string bytes;
  bytes.reserve(spelling.size());
  for (std::size_t at = 0; at < spelling.size();) {
    const Utf8Char character = decode_utf8(spelling, at);
    if (character.state != Utf8State::valid || character.code >= kByteOfCharacter.size()) return std::nullopt;
    const int byte = kByteOfCharacter[character.code];
    if (byte < 0) return std::nullopt;
    bytes += static_cast<char>(byte);
    at += character.length;
  }
  return bytes;
}

}  // namespace wisp::text
