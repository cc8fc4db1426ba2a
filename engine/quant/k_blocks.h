// The K formats: super-blocks of 256 elements, cut into groups that each have a small integer scale.
//
//   format  group  value of an element q of group g                q        scale        min
//   Q2_K    16     d * scale[g] * q - dmin * min[g]                0..3     0..15        0..15
//   Q3_K    16     d * (scale[g] - 32) * (q - 4)                   0..7     0..63
//   Q4_K    32     d * scale[g] * q - dmin * min[g]                0..15    0..63        0..63
//   Q5_K    32     d * scale[g] * q - dmin * min[g]                0..31    0..63        0..63
//   Q6_K    16     d * scale[g] * (q - 32)                         0..63    -128..127
//
// The accessors below take a group g and an element i within it, and return q as stored, without its offset.
// They are for code that unpacks or encodes; kernels compiled per instruction set must not call them (the linker would
// keep one copy of each, from whichever file it likes).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace wisp::quant {

inline constexpr int kSuperElements = 256;

// A half of the super-block (128 elements) has 32 bytes of 2-bit fields: byte i holds elements i, 32 + i, 64 + i, 96 +
// i, lowest bits first.
using TwoBitFields = std::array<std::uint8_t, 64>;
// 64 elements have 32 bytes of nibbles: byte i holds elements i (low) and 32 + i (high).
using KNibbles = std::array<std::uint8_t, 128>;
// Eight 6-bit scales and eight 6-bit mins:
//   byte 0..3   scale[j] in bits 0..5;      bits 4..5 of scale[4 + j] in bits 6..7
//   byte 4..7   min[j] in bits 0..5;        bits 4..5 of min[4 + j] in bits 6..7
//   byte 8..11  bits 0..3 of scale[4 + j];  bits 0..3 of min[4 + j] in bits 4..7
using ScalesMins = std::array<std::uint8_t, 12>;

struct BlockQ2_K {
  std::array<std::uint8_t, 16> scales;  // scale in the low nibble, min in the high one
  TwoBitFields qs;
  std::uint16_t d;     // f16
  std::uint16_t dmin;  // f16
};
struct BlockQ3_K {
  std::array<std::uint8_t, 32> hmask;  // bit b of byte i is bit 2 of element 32 * b + i
  TwoBitFields qs;                     // bits 0..1
  // Sixteen 6-bit scales: bits 0..3 of scale[j] and scale[8 + j] in the nibbles of byte j (0..7); bits 4..5 of
  // scale[j], [4 + j], [8 + j], [12 + j] in byte 8 + j (0..3), lowest first.
  std::array<std::uint8_t, 12> scales;
  std::uint16_t d;  // f16
};
struct BlockQ4_K {
  std::uint16_t d;     // f16
  std::uint16_t dmin;  // f16
  ScalesMins scales;
  KNibbles qs;
};
struct BlockQ5_K {
  std::uint16_t d;     // f16
  std::uint16_t dmin;  // f16
  ScalesMins scales;
  std::array<std::uint8_t, 32> qh;  // bit g of byte i is bit 4 of element i of group g
  KNibbles qs;
};
struct BlockQ6_K {
  // Each half (128 elements) has 64 bytes in ql: byte i holds bits 0..3 of elements i (low nibble) and 64 + i (high);
  // and 32 bytes in qh, as TwoBitFields: bits 4..5.
  std::array<std::uint8_t, 128> ql;
  TwoBitFields qh;
  std::array<std::int8_t, 16> scales;
  std::uint16_t d;  // f16
};
static_assert(sizeof(BlockQ2_K) == 84 && sizeof(BlockQ3_K) == 110 && sizeof(BlockQ4_K) == 144 &&
              sizeof(BlockQ5_K) == 176 && sizeof(BlockQ6_K) == 210);

// Element i (0..15) of group g (0..15) of 2-bit fields.
[[nodiscard]] inline int two_bits(const TwoBitFields& fields, int g, int i) {
  const int half = g / 8;
  const int part = g % 8 / 2;  // which 32 of the half's 128 elements
  return (fields[32 * half + 16 * (g % 2) + i] >> (2 * part)) & 3;
}

[[nodiscard]] inline int quant(const BlockQ2_K& block, int g, int i) { return two_bits(block.qs, g, i); }

[[nodiscard]] inline int quant(const BlockQ3_K& block, int g, int i) {
  return two_bits(block.qs, g, i) | (((block.hmask[16 * (g % 2) + i] >> (g / 2)) & 1) << 2);
}

[[nodiscard]] inline int quant(const BlockQ4_K& block, int g, int i) {
  return (block.qs[32 * (g / 2) + i] >> (4 * (g % 2))) & 0xF;
}

[[nodiscard]] inline int quant(const BlockQ5_K& block, int g, int i) {
  return ((block.qs[32 * (g / 2) + i] >> (4 * (g % 2))) & 0xF) | (((block.qh[i] >> g) & 1) << 4);
}

[[nodiscard]] inline int quant(const BlockQ6_K& block, int g, int i) {
  const int half = g / 8;
  const int part = g % 8 / 2;
  const int low = (block.ql[64 * half + 32 * (part % 2) + 16 * (g % 2) + i] >> (4 * (part / 2))) & 0xF;
  return low | (two_bits(block.qh, g, i) << 4);
}

// Scale and min of group g (0..7) of Q4_K and Q5_K, each 0..63.
struct ScaleMin {
  int scale;
  int min;
};
[[nodiscard]] inline ScaleMin scale_min(const ScalesMins& packed, int g) {
  if (g < 4) return {packed[g] & 63, packed[g + 4] & 63};
  return {(packed[g + 4] & 0xF) | ((packed[g - 4] >> 6) << 4), (packed[g + 4] >> 4) | ((packed[g] >> 6) << 4)};
}

// Scale of group g (0..15) of Q3_K as it multiplies: -32..31.
[[nodiscard]] inline int scale(const BlockQ3_K& block, int g) {
  const int low = (block.scales[g % 8] >> (4 * (g / 8))) & 0xF;
  const int high = (block.scales[8 + g % 4] >> (2 * (g / 4))) & 3;
  return (low | (high << 4)) - 32;
}

// Each has the signature DecodeBlocks (block_format.h).
void decode_q2_k(const std::byte* blocks, std::size_t n_blocks, float* out);
void decode_q3_k(const std::byte* blocks, std::size_t n_blocks, float* out);
void decode_q4_k(const std::byte* blocks, std::size_t n_blocks, float* out);
void decode_q5_k(const std::byte* blocks, std::size_t n_blocks, float* out);
void decode_q6_k(const std::byte* blocks, std::size_t n_blocks, float* out);

}  // namespace wisp::quant
