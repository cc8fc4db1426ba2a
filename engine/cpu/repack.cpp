#include "cpu/repack.h"

#include <array>
#include <concepts>
#include <cstddef>
#include <cstring>

#include "base/checked.h"
#include "quant/bit_moves.h"
#include "quant/k_blocks.h"
#include "quant/legacy_blocks.h"

namespace wisp::cpu {

using gguf::TensorType;
using quant::load_word;

std::optional<PanelFormat> panel_format(TensorType type) {
  switch (type) {
    case TensorType::f32: return PanelFormat::f32;
    case TensorType::f16: return PanelFormat::f16;
    case TensorType::bf16: return PanelFormat::bf16;
    case TensorType::q4_0: return PanelFormat::q4_0;
    case TensorType::q4_1: return PanelFormat::q4_1;
    case TensorType::q5_0: return PanelFormat::q5_0;
    case TensorType::q5_1: return PanelFormat::q5_1;
    case TensorType::q8_0: return PanelFormat::q8_0;
    case TensorType::q2_k: return PanelFormat::q2_k;
    case TensorType::q3_k: return PanelFormat::q3_k;
    case TensorType::q4_k: return PanelFormat::q4_k;
    case TensorType::q5_k: return PanelFormat::q5_k;
    case TensorType::q6_k: return PanelFormat::q6_k;
    default: return std::nullopt;
  }
}

std::size_t panel_quant_bytes(PanelFormat format, std::uint32_t columns) {
  const PanelUnit& unit = kPanelUnits[static_cast<int>(format)];
  return static_cast<std::size_t>(columns / unit.columns) * unit.quant_bytes;
}

std::size_t panel_scale_bytes(PanelFormat format, std::uint32_t columns) {
  const PanelUnit& unit = kPanelUnits[static_cast<int>(format)];
  // Rounded up so that every panel's plane starts on a cache line.
  return align_up<std::size_t>(static_cast<std::size_t>(columns / unit.columns) * unit.scale_bytes, 64);
}

std::uint64_t packed_bytes(TensorType type, std::uint32_t rows, std::uint32_t columns) {
  const std::optional<PanelFormat> format = panel_format(type);
  if (!format) return 0;
  const std::uint64_t panels = div_up<std::uint64_t>(rows, kPanelRows);
  return panels *
         (align_up<std::uint64_t>(panel_quant_bytes(*format, columns), 64) + panel_scale_bytes(*format, columns));
}

namespace {

constexpr std::size_t kPlane = 64;  // bytes: 4 of each row

void put_word(std::uint8_t* plane, std::size_t row, std::uint32_t word) { std::memcpy(plane + 4 * row, &word, 4); }

void put_half(std::uint8_t* lanes, std::size_t row, const std::uint8_t* half) { std::memcpy(lanes + 2 * row, half, 2); }

// ---- quants of one row ----

// 8 bytes of nibbles: the low ones are 8 columns of one plane, the high ones of another.
void move_nibbles(const std::uint8_t* bytes, std::size_t row, std::uint8_t* low, std::uint8_t* high) {
  constexpr std::uint32_t kLow = 0x0F0F0F0F;
  const auto first = load_word<std::uint32_t>(bytes);
  const auto second = load_word<std::uint32_t>(bytes + 4);
  put_word(low, row, (first & kLow) | (second & kLow) << 4);
  put_word(high, row, (first >> 4 & kLow) | (second & ~kLow));
}

// 32 bytes of nibbles: the low ones are the columns of one block, the high ones of another.
void move_two_blocks(const std::uint8_t* bytes, std::size_t row, std::uint8_t* low, std::uint8_t* high) {
  for (std::size_t plane = 0; plane < 4; ++plane) {
    move_nibbles(bytes + 8 * plane, row, low + kPlane * plane, high + kPlane * plane);
  }
}

// quant::TwoBitFields. `out` is in the first block, `stride` bytes from the next.
void move_twos(const std::uint8_t* fields, std::size_t row, std::uint8_t* out, std::size_t stride) {
  for (std::size_t half = 0; half < 2; ++half) {
    const std::array<std::uint64_t, 4> words = quant::two_bit_words(fields + 32 * half);
    for (std::size_t b = 0; b < words.size(); ++b, out += stride) {
      put_word(out, row, static_cast<std::uint32_t>(words[b]));
      put_word(out + kPlane, row, static_cast<std::uint32_t>(words[b] >> 32));
    }
  }
}

// The high bits of Q3_K and Q5_K.
void move_ones(const std::uint8_t* fields, std::size_t row, std::uint8_t* out, std::size_t stride) {
  for (const std::uint32_t word : quant::one_bit_words(fields)) {
    put_word(out, row, word);
    out += stride;
  }
}

// ---- scales of one row ----

// Four scales of neighbouring groups.
void put_four(std::uint8_t* scales, std::size_t row, std::uint32_t four) {
  for (std::size_t g = 0; g < 4; ++g) scales[kPanelRows * g + row] = static_cast<std::uint8_t>(four >> (8 * g));
}

// quant::ScalesMins.
void put_scales_mins(const std::uint8_t* bytes, std::size_t row, std::uint8_t* scales, std::uint8_t* minima) {
  constexpr std::uint32_t kFour = 0x0F0F0F0F, kSix = 0x3F3F3F3F, kHigh = 0x30303030;
  const auto first_scales = load_word<std::uint32_t>(bytes);
  const auto first_minima = load_word<std::uint32_t>(bytes + 4);
  const auto rest = load_word<std::uint32_t>(bytes + 8);
  put_four(scales, row, first_scales & kSix);
  put_four(scales + 4 * kPanelRows, row, (rest & kFour) | (first_scales >> 2 & kHigh));
  put_four(minima, row, first_minima & kSix);
  put_four(minima + 4 * kPanelRows, row, (rest >> 4 & kFour) | (first_minima >> 2 & kHigh));
}

// The scales of quant::BlockQ3_K, -32..31.
void put_q3_scales(const std::uint8_t* bytes, std::size_t row, std::uint8_t* scales) {
  const std::array low = {load_word<std::uint32_t>(bytes), load_word<std::uint32_t>(bytes + 4)};
  const auto high = load_word<std::uint32_t>(bytes + 8);
  for (std::uint32_t four = 0; four < 4; ++four) {
    const std::uint32_t stored = (low[four % 2] >> (4 * (four / 2)) & 0x0F0F0F0F) | (high >> (2 * four) & 0x03030303)
                                                                                        << 4;
    // Taking 32 away in every byte: bit 5 turns over, and the bits above it are what it was not.
    const std::uint32_t negative = ~stored & 0x20202020;
    put_four(scales + 4 * kPanelRows * four, row, (stored ^ 0x20202020) | negative << 1 | negative << 2);
  }
}

// ---- one unit of one row; `block` is the file's, at any address ----

template <class Block>
  requires(sizeof(Block) <= sizeof(quant::BlockQ5_1))
void pack_unit(const std::uint8_t* block, std::size_t row, std::uint8_t* quants, std::uint8_t* scales) {
  for (std::size_t plane = 0; plane < 2; ++plane) {
    move_nibbles(block + offsetof(Block, qs) + 8 * plane, row, quants + kPlane * plane, quants + kPlane * (2 + plane));
  }
  if constexpr (requires { &Block::qh; })
    put_word(quants + 4 * kPlane, row, quant::one_bit_word(block + offsetof(Block, qh)));
  put_half(scales, row, block + offsetof(Block, d));
  if constexpr (requires { &Block::m; }) put_half(scales + 32, row, block + offsetof(Block, m));
}

template <class Block>
  requires std::same_as<Block, quant::BlockQ8_0>
void pack_unit(const std::uint8_t* block, std::size_t row, std::uint8_t* quants, std::uint8_t* scales) {
  for (std::size_t plane = 0; plane < 8; ++plane) {
    // 128 more in every byte.
    put_word(quants + kPlane * plane, row,
             load_word<std::uint32_t>(block + offsetof(Block, qs) + 4 * plane) ^ 0x80808080);
  }
  put_half(scales, row, block + offsetof(Block, d));
}

// Q4_K and Q5_K.
template <class Block>
  requires std::same_as<decltype(Block::scales), quant::ScalesMins> &&
           std::same_as<decltype(Block::qs), quant::KNibbles>
void pack_unit(const std::uint8_t* block, std::size_t row, std::uint8_t* quants, std::uint8_t* scales) {
  constexpr bool kHasHigh = requires { &Block::qh; };
  constexpr std::size_t kStride = kPlane * (kHasHigh ? 5 : 4);
  for (std::size_t pair = 0; pair < 4; ++pair) {
    std::uint8_t* const first = quants + 2 * pair * kStride;
    move_two_blocks(block + offsetof(Block, qs) + 32 * pair, row, first, first + kStride);
  }
  if constexpr (kHasHigh) move_ones(block + offsetof(Block, qh), row, quants + 4 * kPlane, kStride);
  put_half(scales, row, block + offsetof(Block, d));
  put_half(scales + 32, row, block + offsetof(Block, dmin));
  put_scales_mins(block + offsetof(Block, scales), row, scales + 64, scales + 64 + 8 * kPanelRows);
}

template <class Block>
  requires std::same_as<Block, quant::BlockQ6_K>
void pack_unit(const std::uint8_t* block, std::size_t row, std::uint8_t* quants, std::uint8_t* scales) {
  constexpr std::size_t kStride = 6 * kPlane;
  for (std::size_t part = 0; part < 4; ++part) {  // blocks 0 and 2, 1 and 3, 4 and 6, 5 and 7
    std::uint8_t* const first = quants + (part / 2 * 4 + part % 2) * kStride;
    move_two_blocks(block + offsetof(Block, ql) + 32 * part, row, first, first + 2 * kStride);
  }
  move_twos(block + offsetof(Block, qh), row, quants + 4 * kPlane, kStride);
  put_half(scales, row, block + offsetof(Block, d));
  for (std::size_t g = 0; g < 16; ++g) scales[32 + kPanelRows * g + row] = block[offsetof(Block, scales) + g];
}

template <class Block>
  requires std::same_as<Block, quant::BlockQ3_K>
void pack_unit(const std::uint8_t* block, std::size_t row, std::uint8_t* quants, std::uint8_t* scales) {
  constexpr std::size_t kStride = 3 * kPlane;
  move_twos(block + offsetof(Block, qs), row, quants, kStride);
  move_ones(block + offsetof(Block, hmask), row, quants + 2 * kPlane, kStride);
  put_half(scales, row, block + offsetof(Block, d));
  put_q3_scales(block + offsetof(Block, scales), row, scales + 32);
}

template <class Block>
  requires std::same_as<Block, quant::BlockQ2_K>
void pack_unit(const std::uint8_t* block, std::size_t row, std::uint8_t* quants, std::uint8_t* scales) {
  move_twos(block + offsetof(Block, qs), row, quants, 2 * kPlane);
  put_half(scales, row, block + offsetof(Block, d));
  put_half(scales + 32, row, block + offsetof(Block, dmin));
  for (std::size_t g = 0; g < 16; ++g) scales[64 + kPanelRows * g + row] = block[offsetof(Block, scales) + g];
}

template <class Block>
void pack_rows(PanelFormat format, const std::byte* rows, std::size_t row_bytes, int n_rows, std::uint32_t columns,
               std::uint8_t* quants, std::uint8_t* scales) {
  const PanelUnit& unit = kPanelUnits[static_cast<int>(format)];
  const auto* block = reinterpret_cast<const std::uint8_t*>(rows);
  for (std::uint32_t u = 0; u < columns / unit.columns; ++u) {
    if (n_rows < kPanelRows) {
      std::memset(quants, 0, unit.quant_bytes);
      std::memset(scales, 0, unit.scale_bytes);
    }
    for (std::size_t row = 0; row < static_cast<std::size_t>(n_rows); ++row) {
      pack_unit<Block>(block + row * row_bytes, row, quants, scales);
    }
    block += sizeof(Block);
    quants += unit.quant_bytes;
    scales += unit.scale_bytes;
  }
}

// [row][column] of `kBytes`-sized elements to [column][16 rows].
template <std::size_t kBytes>
void pack_floats(const std::byte* rows, std::size_t row_bytes, int n_rows, std::uint32_t columns, std::uint8_t* out) {
  for (std::uint32_t k = 0; k < columns; ++k) {
    std::uint8_t* lanes = out + static_cast<std::size_t>(k) * kPanelRows * kBytes;
    for (int row = 0; row < n_rows; ++row)
      std::memcpy(lanes + kBytes * static_cast<std::size_t>(row),
                  rows + static_cast<std::size_t>(row) * row_bytes + k * kBytes, kBytes);
    std::memset(lanes + kBytes * static_cast<std::size_t>(n_rows), 0,
                kBytes * static_cast<std::size_t>(kPanelRows - n_rows));
  }
}

}  // namespace

void repack_panel(PanelFormat format, const std::byte* rows, std::size_t row_bytes, int n_rows, std::uint32_t columns,
                  std::uint8_t* quants, std::uint8_t* scales) {
  switch (format) {
    case PanelFormat::f32: return pack_floats<4>(rows, row_bytes, n_rows, columns, quants);
    case PanelFormat::f16:
    case PanelFormat::bf16: return pack_floats<2>(rows, row_bytes, n_rows, columns, quants);
    case PanelFormat::q4_0:
      return pack_rows<quant::BlockQ4_0>(format, rows, row_bytes, n_rows, columns, quants, scales);
    case PanelFormat::q4_1:
      return pack_rows<quant::BlockQ4_1>(format, rows, row_bytes, n_rows, columns, quants, scales);
    case PanelFormat::q5_0:
      return pack_rows<quant::BlockQ5_0>(format, rows, row_bytes, n_rows, columns, quants, scales);
    case PanelFormat::q5_1:
      return pack_rows<quant::BlockQ5_1>(format, rows, row_bytes, n_rows, columns, quants, scales);
    case PanelFormat::q8_0:
      return pack_rows<quant::BlockQ8_0>(format, rows, row_bytes, n_rows, columns, quants, scales);
    case PanelFormat::q2_k:
      return pack_rows<quant::BlockQ2_K>(format, rows, row_bytes, n_rows, columns, quants, scales);
    case PanelFormat::q3_k:
      return pack_rows<quant::BlockQ3_K>(format, rows, row_bytes, n_rows, columns, quants, scales);
    case PanelFormat::q4_k:
      return pack_rows<quant::BlockQ4_K>(format, rows, row_bytes, n_rows, columns, quants, scales);
    case PanelFormat::q5_k:
      return pack_rows<quant::BlockQ5_K>(format, rows, row_bytes, n_rows, columns, quants, scales);
    case PanelFormat::q6_k:
      return pack_rows<quant::BlockQ6_K>(format, rows, row_bytes, n_rows, columns, quants, scales);
  }
}

}  // namespace wisp::cpu
