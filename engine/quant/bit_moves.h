// Moves of many bits at once, for code that repacks whole blocks. Words are little-endian: byte i of a word is column i
// of four. Blocks lie at any address, so they are read by offset, word by word.
//
// Kernels compiled per instruction set must not call these (the linker would keep one copy of each).
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace wisp::quant {

static_assert(std::endian::native == std::endian::little, "words hold the bytes of files as they are");

template <class Word>
[[nodiscard]] inline Word load_word(const std::uint8_t* at) {
  Word word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

// In each byte: field w of word b becomes field b of word w. A byte has as many fields as there are words.
template <class Word, std::size_t kWords>
void transpose_fields(std::array<Word, kWords>& words) {
  static_assert(kWords == 4 || kWords == 8);
  constexpr std::size_t kFieldBits = 8 / kWords;
  constexpr Word kEveryByte = static_cast<Word>(~Word{0}) / 0xFF;
  for (std::size_t step = kWords / 2; step > 0; step /= 2) {
    const std::size_t shift = step * kFieldBits;
    const Word lower = kEveryByte * (shift == 4 ? 0x0F : shift == 2 ? 0x33 : 0x55);
    for (std::size_t w = 0; w < kWords; ++w) {
      if ((w & step) != 0) continue;
      const Word changed = (words[w] >> shift ^ words[w + step]) & lower;
      words[w + step] ^= changed;
      words[w] ^= static_cast<Word>(changed << shift);
    }
  }
}

// 32 bytes of TwoBitFields, which hold four blocks of 32 columns: a double word a block, whose low word has columns
// 0..15 and whose high word 16..31; bits 2w..2w+1 of byte i are column 4w + i.
[[nodiscard]] inline std::array<std::uint64_t, 4> two_bit_words(const std::uint8_t* fields) {
  std::array<std::uint64_t, 4> words;
  for (std::size_t w = 0; w < words.size(); ++w) {
    const std::uint8_t* const at = fields + 4 * w;
    words[w] = load_word<std::uint32_t>(at) | std::uint64_t{load_word<std::uint32_t>(at + 16)} << 32;
  }
  transpose_fields(words);
  return words;
}

// 32 bytes whose bit b is one of block b, as BlockQ3_K and BlockQ5_K have them: a word a block; bit w of byte i is
// column 4w + i.
[[nodiscard]] inline std::array<std::uint32_t, 8> one_bit_words(const std::uint8_t* fields) {
  std::array<std::uint32_t, 8> words;
  std::memcpy(words.data(), fields, sizeof(words));
  transpose_fields(words);
  return words;
}

// Bits 0, 4, 8, ... of a word, side by side.
[[nodiscard]] inline std::uint32_t every_fourth_bit(std::uint32_t word) {
  word &= 0x11111111;
  word = (word | word >> 3) & 0x03030303;
  word = (word | word >> 6) & 0x000F000F;
  return (word | word >> 12) & 0xFF;
}

// LegacyHighBits as a word of one_bit_words().
[[nodiscard]] inline std::uint32_t one_bit_word(const std::uint8_t* high_bits) {
  const auto bits = load_word<std::uint32_t>(high_bits);
  return every_fourth_bit(bits) | every_fourth_bit(bits >> 1) << 8 | every_fourth_bit(bits >> 2) << 16 |
         every_fourth_bit(bits >> 3) << 24;
}

}  // namespace wisp::quant
