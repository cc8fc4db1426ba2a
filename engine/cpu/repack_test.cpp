// Panels are read back by the words of panel_layout.h, integer by integer, and give what quant::decode gives.
#include "cpu/repack.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>

#include "base/half.h"
#include "cpu/kernel_testing.h"
#include "quant/block_format.h"

namespace wisp::cpu {
namespace {

using gguf::TensorType;

// What panel_layout.h says of a format, once more and in other terms.
struct Described {
  TensorType type;
  PanelFormat format;
  int low_bits, high_bits;   // of an integer; each in planes of its own
  int offset;                // w = scale * (u - offset)
  std::size_t block_quants;  // bytes of 32 columns of 16 rows
  std::size_t unit_columns, unit_scales;
};
constexpr std::array kDescribed = {
    Described{TensorType::q4_0, PanelFormat::q4_0, 4, 0, 8, 256, 32, 32},
    Described{TensorType::q4_1, PanelFormat::q4_1, 4, 0, 0, 256, 32, 64},
    Described{TensorType::q5_0, PanelFormat::q5_0, 4, 1, 16, 320, 32, 32},
    Described{TensorType::q5_1, PanelFormat::q5_1, 4, 1, 0, 320, 32, 64},
    Described{TensorType::q8_0, PanelFormat::q8_0, 8, 0, 128, 512, 32, 32},
    Described{TensorType::q2_k, PanelFormat::q2_k, 2, 0, 0, 128, 256, 320},
    Described{TensorType::q3_k, PanelFormat::q3_k, 2, 1, 4, 192, 256, 288},
    Described{TensorType::q4_k, PanelFormat::q4_k, 4, 0, 0, 256, 256, 320},
    Described{TensorType::q5_k, PanelFormat::q5_k, 4, 1, 0, 320, 256, 320},
    Described{TensorType::q6_k, PanelFormat::q6_k, 4, 2, 32, 384, 256, 288},
};

std::uint16_t word_at(const std::uint8_t* p) { return static_cast<std::uint16_t>(p[0] | p[1] << 8); }
float half_at(const std::uint8_t* lanes, int row) { return f32_from_f16(word_at(lanes + 2 * row)); }

// Bits of `width` at column k of a block: group k / 4, and the group's place among the planes.
int bits_at(const std::uint8_t* planes, int width, int row, int k) {
  const int group = k / 4, groups_per_plane = 8 / width;
  const std::uint8_t byte = planes[64 * (group / groups_per_plane) + 4 * row + k % 4];
  return byte >> (width * (group % groups_per_plane)) & ((1 << width) - 1);
}

int integer_at(const Described& d, const std::uint8_t* quants, int row, std::size_t column) {
  const std::uint8_t* block = quants + column / 32 * d.block_quants;
  const int k = static_cast<int>(column % 32);
  int u = bits_at(block, d.low_bits, row, k);
  if (d.high_bits != 0) u |= bits_at(block + 64 * d.low_bits, d.high_bits, row, k) << d.low_bits;
  return u;
}

// The weight at (row, column), with the roundings of quant::decode: d * scale first, each product alone.
float weight_at(const Described& d, const std::uint8_t* quants, const std::uint8_t* scales, int row,
                std::size_t column) {
  const std::uint8_t* unit = scales + column / d.unit_columns * d.unit_scales;
  const auto u = static_cast<float>(integer_at(d, quants, row, column) - d.offset);
  const auto in_unit = static_cast<int>(column % d.unit_columns);
  const float main = half_at(unit, row);
  switch (d.type) {
    case TensorType::q4_1:
    case TensorType::q5_1: return main * u + half_at(unit + 32, row);
    case TensorType::q4_k:
    case TensorType::q5_k: {
      const std::uint8_t* factors = unit + 64 + 16 * (in_unit / 32) + row;
      return main * factors[0] * u - half_at(unit + 32, row) * factors[128];
    }
    case TensorType::q2_k: {
      const std::uint8_t both = unit[64 + 16 * (in_unit / 16) + row];
      return main * static_cast<float>(both & 15) * u - half_at(unit + 32, row) * static_cast<float>(both >> 4);
    }
    case TensorType::q3_k:
    case TensorType::q6_k: return main * static_cast<std::int8_t>(unit[32 + 16 * (in_unit / 16) + row]) * u;
    default: return main * u;
  }
}

class CpuRepack : public testing::TestWithParam<TensorType> {
 protected:
  // `rows` rows of `blocks` blocks at an odd address, random to the last bit or with scales of a sane size.
  struct Rows {
    std::vector<std::byte> memory;
    const std::byte* bytes;
    std::size_t row_bytes;
    std::uint32_t columns;
  };
  static Rows make_rows(int rows, std::size_t blocks, bool any_bits, quant::Random& random) {
    const gguf::TensorTypeInfo& info = gguf::tensor_type_info(GetParam());
    Rows made;
    made.row_bytes = blocks * info.block_bytes;
    made.columns = static_cast<std::uint32_t>(blocks * info.block_elements);
    made.memory.resize(1 + static_cast<std::size_t>(rows) * made.row_bytes);
    const auto bytes = std::span(made.memory).subspan(1);
    if (any_bits) {
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next());
    } else {
      quant::random_blocks(GetParam(), 0.1f, random, bytes);
    }
    made.bytes = bytes.data();
    return made;
  }
};

// NaNs compare equal: random bits make some.
void expect_same(float got, float want, int row, std::size_t column) {
  if (std::isnan(want)) {
    EXPECT_TRUE(std::isnan(got)) << "row " << row << " column " << column;
  } else {
    EXPECT_EQ(std::bit_cast<std::uint32_t>(got), std::bit_cast<std::uint32_t>(want))
        << got << " for " << want << ", row " << row << " column " << column;
  }
}

TEST_P(CpuRepack, EveryWeightComesBack) {
  quant::Random random(static_cast<std::uint64_t>(GetParam()) + 1);
  const PanelFormat format = *panel_format(GetParam());
  for (const int n_rows : {1, 2, 7, 15, 16}) {
    for (const bool any_bits : {false, true}) {
      const Rows rows = make_rows(n_rows, 1 + random.below(3), any_bits, random);
      test::Guarded<std::uint8_t> quants(panel_quant_bytes(format, rows.columns));
      test::Guarded<std::uint8_t> scales(panel_scale_bytes(format, rows.columns));
      repack_panel(format, rows.bytes, rows.row_bytes, n_rows, rows.columns, quants.data(), scales.data());
      EXPECT_TRUE(quants.intact() && scales.intact());

      const auto* described = std::ranges::find(kDescribed, format, &Described::format);
      const std::size_t float_bytes = format == PanelFormat::f32 ? 4 : 2;
      std::vector<float> want(rows.columns);
      for (int row = 0; row < kPanelRows && !HasFailure(); ++row) {
        std::ranges::fill(want, 0.0f);  // what rows past the end are
        if (row < n_rows) {
          const std::span bytes(rows.bytes + static_cast<std::size_t>(row) * rows.row_bytes, rows.row_bytes);
          ASSERT_TRUE(quant::decode(GetParam(), bytes, want));
        }
        for (std::size_t column = 0; column < rows.columns; ++column) {
          float got = 0;
          if (described != kDescribed.end()) {
            got = weight_at(*described, quants.data(), scales.data(), row, column);
          } else {
            const std::uint8_t* at =
                quants.data() + (column * kPanelRows + static_cast<std::size_t>(row)) * float_bytes;
            if (format == PanelFormat::f32)
              std::memcpy(&got, at, 4);
            else
              got = format == PanelFormat::f16 ? f32_from_f16(word_at(at)) : f32_from_bf16(word_at(at));
          }
          if (row >= n_rows) got = std::abs(got);  // an offset makes it -0
          expect_same(got, want[column], row, column);
        }
      }
    }
  }
}

TEST_P(CpuRepack, PlanesStartOnCacheLines) {
  const std::uint32_t unit = kPanelUnits[static_cast<int>(*panel_format(GetParam()))].columns;
  EXPECT_EQ(unit, gguf::tensor_type_info(GetParam()).block_elements);
  for (std::uint32_t units = 1; units < 6; ++units) {
    EXPECT_EQ(panel_scale_bytes(*panel_format(GetParam()), units * unit) % 64, 0u);
    const std::uint64_t two_panels = packed_bytes(GetParam(), 17, units * unit);
    EXPECT_EQ(two_panels % 128, 0u);
    EXPECT_EQ(two_panels, packed_bytes(GetParam(), 32, units * unit));
  }
}

INSTANTIATE_TEST_SUITE_P(Types, CpuRepack,
                         testing::Values(TensorType::f32, TensorType::f16, TensorType::bf16, TensorType::q4_0,
                                         TensorType::q4_1, TensorType::q5_0, TensorType::q5_1, TensorType::q8_0,
                                         TensorType::q2_k, TensorType::q3_k, TensorType::q4_k, TensorType::q5_k,
                                         TensorType::q6_k),
                         [](const auto& type) { return std::string(gguf::tensor_type_info(type.param).name); });

TEST(CpuRepackTypes, OthersHaveNoPanels) {
  EXPECT_FALSE(panel_format(TensorType::i32));
  EXPECT_EQ(packed_bytes(TensorType::i32, 16, 32), 0u);
}

}  // namespace
}  // namespace wisp::cpu
