#include "cpu/repack.h"

#include <cstring>

#include "base/checked.h"
#include "quant/k_blocks.h"
#include "quant/legacy_blocks.h"
#include "quant/load_block.h"

namespace wisp::cpu {

using gguf::TensorType;

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

// The four unsigned integers of one row and one group, in the row's 4 bytes of a 64-byte plane.
struct PlaneWriter {
  std::uint8_t* planes;  // of this block
  int row;
  // ORs bits (values already masked) shifted left by `shift` into plane `plane`.
  void put(int plane, const std::uint8_t* four, int shift) const {
    std::uint32_t word;
    std::uint32_t held;
    std::memcpy(&word, four, 4);
    std::uint8_t* at = planes + 64 * plane + 4 * row;
    std::memcpy(&held, at, 4);
    held |= word << shift;
    std::memcpy(at, &held, 4);
  }
};

// Packs the 32 values of one row of a block: `bits` low bits of each, in planes from `first_byte` on.
void pack_bits(std::uint8_t* block, int first_byte, int bits, int row, const std::uint8_t (&values)[32]) {
  const int per_plane = 8 / bits;
  const PlaneWriter writer{block + first_byte, row};
  for (int g = 0; g < 8; ++g) writer.put(g / per_plane, values + 4 * g, bits * (g % per_plane));
}

// Splits values into the low `low_bits` and the rest, and packs both planes one behind the other.
void pack_split(std::uint8_t* block, int low_bits, int high_bits, int row, const std::uint8_t (&values)[32]) {
  std::uint8_t low[32];
  std::uint8_t high[32];
  for (int i = 0; i < 32; ++i) {
    low[i] = static_cast<std::uint8_t>(values[i] & ((1 << low_bits) - 1));
    high[i] = static_cast<std::uint8_t>(values[i] >> low_bits);
  }
  pack_bits(block, 0, low_bits, row, low);
  if (high_bits != 0) pack_bits(block, low_bits * 64, high_bits, row, high);
}

void put_half(std::uint8_t* lanes, int row, std::uint16_t half) { std::memcpy(lanes + 2 * row, &half, 2); }

// One unit of one row. `quants` and `scales` point to the unit.
void pack_unit(const quant::BlockQ4_0& block, int row, std::uint8_t* quants, std::uint8_t* scales) {
  std::uint8_t values[32];
  for (int i = 0; i < 32; ++i) values[i] = static_cast<std::uint8_t>(quant::nibble(block.qs, i));
  pack_split(quants, 4, 0, row, values);
  put_half(scales, row, block.d);
}
void pack_unit(const quant::BlockQ4_1& block, int row, std::uint8_t* quants, std::uint8_t* scales) {
  std::uint8_t values[32];
  for (int i = 0; i < 32; ++i) values[i] = static_cast<std::uint8_t>(quant::nibble(block.qs, i));
  pack_split(quants, 4, 0, row, values);
  put_half(scales, row, block.d);
  put_half(scales + 32, row, block.m);
}
void pack_unit(const quant::BlockQ5_0& block, int row, std::uint8_t* quants, std::uint8_t* scales) {
  std::uint8_t values[32];
  for (int i = 0; i < 32; ++i) values[i] = static_cast<std::uint8_t>(quant::five_bits(block.qs, block.qh, i));
  pack_split(quants, 4, 1, row, values);
  put_half(scales, row, block.d);
}
void pack_unit(const quant::BlockQ5_1& block, int row, std::uint8_t* quants, std::uint8_t* scales) {
  std::uint8_t values[32];
  for (int i = 0; i < 32; ++i) values[i] = static_cast<std::uint8_t>(quant::five_bits(block.qs, block.qh, i));
  pack_split(quants, 4, 1, row, values);
  put_half(scales, row, block.d);
  put_half(scales + 32, row, block.m);
}
void pack_unit(const quant::BlockQ8_0& block, int row, std::uint8_t* quants, std::uint8_t* scales) {
  std::uint8_t values[32];
  for (int i = 0; i < 32; ++i) values[i] = static_cast<std::uint8_t>(block.qs[static_cast<std::size_t>(i)] + 128);
  pack_bits(quants, 0, 8, row, values);
  put_half(scales, row, block.d);
}

// The 32 values of block b (0..7) of a super-block, whose groups hold kGroup values each.
template <int kGroup, class Block>
void super_values(const Block& block, int b, std::uint8_t (&values)[32]) {
  for (int i = 0; i < 32; ++i)
    values[i] = static_cast<std::uint8_t>(quant::quant(block, b * (32 / kGroup) + i / kGroup, i % kGroup));
}

template <int kGroup, int kLow, int kHigh, class Block>
void pack_super_quants(const Block& block, int row, std::uint8_t* quants) {
  for (int b = 0; b < 8; ++b) {
    std::uint8_t values[32];
    super_values<kGroup>(block, b, values);
    pack_split(quants + b * 64 * (kLow + kHigh), kLow, kHigh, row, values);
  }
}

template <class Block>
void pack_scales_and_minima(const Block& block, int row, std::uint8_t* scales) {
  put_half(scales, row, block.d);
  put_half(scales + 32, row, block.dmin);
  for (int g = 0; g < 8; ++g) {
    const quant::ScaleMin pair = quant::scale_min(block.scales, g);
    scales[64 + 16 * g + row] = static_cast<std::uint8_t>(pair.scale);
    scales[64 + 128 + 16 * g + row] = static_cast<std::uint8_t>(pair.min);
  }
}
void pack_unit(const quant::BlockQ4_K& block, int row, std::uint8_t* quants, std::uint8_t* scales) {
  pack_super_quants<32, 4, 0>(block, row, quants);
  pack_scales_and_minima(block, row, scales);
}
void pack_unit(const quant::BlockQ5_K& block, int row, std::uint8_t* quants, std::uint8_t* scales) {
  pack_super_quants<32, 4, 1>(block, row, quants);
  pack_scales_and_minima(block, row, scales);
}
void pack_unit(const quant::BlockQ6_K& block, int row, std::uint8_t* quants, std::uint8_t* scales) {
  pack_super_quants<16, 4, 2>(block, row, quants);
  put_half(scales, row, block.d);
  for (int g = 0; g < 16; ++g)
    scales[32 + 16 * g + row] = static_cast<std::uint8_t>(block.scales[static_cast<std::size_t>(g)]);
}
void pack_unit(const quant::BlockQ3_K& block, int row, std::uint8_t* quants, std::uint8_t* scales) {
  pack_super_quants<16, 2, 1>(block, row, quants);
  put_half(scales, row, block.d);
  for (int g = 0; g < 16; ++g) scales[32 + 16 * g + row] = static_cast<std::uint8_t>(quant::scale(block, g));
}
void pack_unit(const quant::BlockQ2_K& block, int row, std::uint8_t* quants, std::uint8_t* scales) {
  pack_super_quants<16, 2, 0>(block, row, quants);
  put_half(scales, row, block.d);
  put_half(scales + 32, row, block.dmin);
  for (int g = 0; g < 16; ++g) scales[64 + 16 * g + row] = block.scales[static_cast<std::size_t>(g)];
}

template <class Block>
void pack_rows(PanelFormat format, const std::byte* rows, std::size_t row_bytes, int n_rows, std::uint32_t columns,
               std::uint8_t* quants, std::uint8_t* scales) {
  const PanelUnit& unit = kPanelUnits[static_cast<int>(format)];
  for (std::uint32_t u = 0; u < columns / unit.columns; ++u) {
    std::uint8_t* unit_quants = quants + static_cast<std::size_t>(u) * unit.quant_bytes;
    std::uint8_t* unit_scales = scales + static_cast<std::size_t>(u) * unit.scale_bytes;
    std::memset(unit_quants, 0, unit.quant_bytes);
    std::memset(unit_scales, 0, unit.scale_bytes);
    for (int row = 0; row < n_rows; ++row) {
      const Block block = quant::load_block<Block>(rows + static_cast<std::size_t>(row) * row_bytes, u);
      pack_unit(block, row, unit_quants, unit_scales);
    }
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
