// The formats with one scale for 32 elements: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0.
//
// `_0` formats are symmetric, value = d * (q - offset); `_1` formats are affine, value = d * q + m.
// Elements i and i + 16 share byte qs[i]: the low and the high nibble.
//
// The inline functions are for code that unpacks or encodes; kernels compiled per instruction set must not call them
// (the linker would keep one copy of each, from whichever file it likes).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace wisp::quant {

inline constexpr int kLegacyElements = 32;

using LegacyNibbles = std::array<std::uint8_t, 16>;  // [elements 0..15 in the low nibbles | 16..31 in the high ones]
using LegacyHighBits = std::array<std::uint8_t, 4>;  // bit i of the little-endian u32 is bit 4 of element i

struct BlockQ4_0 {
  std::uint16_t d;   // f16
  LegacyNibbles qs;  // q in 0..15, offset 8
};
struct BlockQ4_1 {
  std::uint16_t d;   // f16
  std::uint16_t m;   // f16
  LegacyNibbles qs;  // q in 0..15
};
struct BlockQ5_0 {
  std::uint16_t d;    // f16
  LegacyHighBits qh;  // q in 0..31, offset 16
  LegacyNibbles qs;
};
struct BlockQ5_1 {
  std::uint16_t d;    // f16
  std::uint16_t m;    // f16
  LegacyHighBits qh;  // q in 0..31
  LegacyNibbles qs;
};
struct BlockQ8_0 {
  std::uint16_t d;  // f16
  std::array<std::int8_t, 32> qs;
};
static_assert(sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20 && sizeof(BlockQ5_0) == 22 &&
              sizeof(BlockQ5_1) == 24 && sizeof(BlockQ8_0) == 34);

// Element i of the nibbles, 0..15.
[[nodiscard]] inline int nibble(const LegacyNibbles& qs, int i) { return (qs[i % 16] >> (4 * (i / 16))) & 0xF; }

// Element i of a 5-bit block, 0..31.
[[nodiscard]] inline int five_bits(const LegacyNibbles& qs, const LegacyHighBits& qh, int i) {
  return nibble(qs, i) | (((qh[i / 8] >> (i % 8)) & 1) << 4);
}

// Each has the signature DecodeBlocks (block_format.h).
void decode_q4_0(const std::byte* blocks, std::size_t n_blocks, float* out);
void decode_q4_1(const std::byte* blocks, std::size_t n_blocks, float* out);
void decode_q5_0(const std::byte* blocks, std::size_t n_blocks, float* out);
void decode_q5_1(const std::byte* blocks, std::size_t n_blocks, float* out);
void decode_q8_0(const std::byte* blocks, std::size_t n_blocks, float* out);

}  // namespace wisp::quant
