// How weights lie in memory for the CPU kernels: row-interleaved panels.
//
// A panel is 16 output rows of one matrix, so that a SIMD lane is an output and no kernel ever sums across lanes: the
// order of additions along K is the same on every instruction set. Along K a panel is a sequence of units (32 or 256
// columns, the block size of the type), in two planes, each contiguous and 64-byte aligned:
//   quants: for every 32 columns ("block"), the small unsigned integers of 16 rows. A "group" is 4 columns of all 16
//   rows,
//           64 bytes: byte 4 * row + (column % 4). A block has 8 groups. Types below 8 bits pack groups into bit
//           planes:
//             4 bits: 4 planes of 64 bytes; the low nibbles of plane j are group 2j, the high ones group 2j + 1
//             2 bits: 2 planes; bits 2i..2i+1 of plane j are group 4j + i
//             1 bit:  1 plane; bit g is group g
//   scales: per unit, the type's scales and minima of the 16 rows, lane by lane (see ScalePlane below).
// This is also the layout that AMX tiles and dot4 instructions want (4 consecutive columns in 32 bits).
// Float matrices (F32, F16, BF16) have one plane: [column][16 rows].
//
// Plain data, included by kernels that are compiled per instruction set: nothing here may generate code.
#pragma once

#include <cstddef>
#include <cstdint>

namespace wisp::cpu {

inline constexpr int kPanelRows = 16;
inline constexpr int kBlockColumns = 32;

// A weight format as the kernels know it. Not GGUF's numbering: the kernels include nothing from outside cpu/.
enum class PanelFormat : std::uint8_t { f32, f16, bf16, q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k, q6_k };
inline constexpr int kPanelFormats = 13;

// Bytes of one unit of a panel (all 16 rows).
struct PanelUnit {
  std::uint32_t columns;      // of a unit: 1 for floats, 32, or 256
  std::uint32_t quant_bytes;  // in the quants plane
  std::uint32_t scale_bytes;  // in the scales plane
};

// Scales plane, per unit:
//   q4_0 q5_0 q8_0: f16 scale[16]
//   q4_1 q5_1:      f16 scale[16], f16 minimum[16]
//   q4_k q5_k:      f16 d[16], f16 dmin[16], u8 scale[8][16], u8 minimum[8][16]   per 32 columns: w = d*scale*u -
//   dmin*minimum q6_k q3_k:      f16 d[16], i8 scale[16][16]                                   per 16 columns: w =
//   d*scale*(u - offset) q2_k:           f16 d[16], f16 dmin[16], u8 scale_and_minimum[16][16]         per 16 columns:
//   low nibble scale, high minimum
inline constexpr PanelUnit kPanelUnits[kPanelFormats] = {
    {1, 64, 0},                       // f32
    {1, 32, 0},                       // f16
    {1, 32, 0},                       // bf16
    {32, 256, 32},                    // q4_0
    {32, 256, 64},                    // q4_1
    {32, 256 + 64, 32},               // q5_0
    {32, 256 + 64, 64},               // q5_1
    {32, 512, 32},                    // q8_0
    {256, 8 * 128, 64 + 256},         // q2_k
    {256, 8 * (128 + 64), 32 + 256},  // q3_k: 2 low bits, then 1 high bit
    {256, 8 * 256, 64 + 256},         // q4_k
    {256, 8 * (256 + 64), 64 + 256},  // q5_k
    {256, 8 * (256 + 128), 32 + 256}  // q6_k: 4 low bits, then 2 high bits
};

// One panel inside a packed matrix.
struct PanelPlanes {
  const std::uint8_t* quants;
  const std::uint8_t* scales;
};

// A packed matrix: panel p starts at quants + p * quant_stride and scales + p * scale_stride. The last panel is whole:
// rows past the end are zero.
struct PackedMatrix {
  const std::uint8_t* quants = nullptr;
  const std::uint8_t* scales = nullptr;
  std::size_t quant_stride = 0;
  std::size_t scale_stride = 0;
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
  PanelFormat format = PanelFormat::f32;
};

// 32 activations of one row, rounded to int8 (graph/int8_activations.h), with the sums that kernels need: one cache
// line, so that one pointer walks a row.
struct alignas(64) ActivationBlock {
  std::int8_t q[kBlockColumns];
  float d;                     // scale
  std::int32_t minus_sum;      // -(sum of q): times a type's offset it corrects unsigned weights
  std::int32_t minus_half[2];  // the same for each half of 16
  float d_sum;                 // d * sum of q: multiplies a type's minimum
  float d_half[2];             // the same for each half
};
static_assert(sizeof(ActivationBlock) == 64);

}  // namespace wisp::cpu
