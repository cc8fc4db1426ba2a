// Planes are read back by the words of plane_layout.h and the notes of wgsl/decode_*.wgsl, in C++, and give what
// quant::decode gives; a type keeps its size; chunks of rows give the planes of the whole.
#include "gpu/weights/repack.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "base/checked.h"
#include "base/half.h"
#include "gpu/weights/plane_layout.h"
#include "quant/block_format.h"
#include "quant/random_blocks.h"

namespace wisp::gpu {
namespace {

using gguf::TensorType;
using Words = std::vector<std::uint32_t>;

constexpr std::array kTypes = {TensorType::f32,  TensorType::f16,  TensorType::bf16, TensorType::q4_0, TensorType::q4_1,
                               TensorType::q5_0, TensorType::q5_1, TensorType::q8_0, TensorType::q2_k, TensorType::q3_k,
                               TensorType::q4_k, TensorType::q5_k, TensorType::q6_k};

struct Planes {
  Words quants, scales;
};

std::vector<std::byte> random_rows(TensorType type, std::uint32_t columns, std::uint32_t rows) {
  const gguf::TensorTypeInfo& info = gguf::tensor_type_info(type);
  std::vector<std::byte> bytes(std::size_t{columns} / info.block_elements * info.block_bytes * rows);
  quant::Random random(columns + rows);
  quant::random_blocks(type, 1.0f, random, bytes);
  return bytes;
}

Planes planes_of(TensorType type, std::uint32_t columns, std::uint32_t rows, std::span<const std::byte> bytes) {
  const Result<PlaneBytes> room = plane_bytes(type, columns, rows);
  EXPECT_TRUE(room);
  Planes planes{Words(room->quants / 4, 0xffffffffu), Words(room->scales / 4, 0xffffffffu)};
  const Status status = repack(type, columns, rows, bytes, planes.quants, planes.scales);
  EXPECT_TRUE(status) << status.error().message;
  return planes;
}

std::uint32_t half_bits(const std::uint32_t* words, std::uint32_t index) {
  return words[index / 2] >> (16 * (index % 2)) & 0xffffu;
}
float half_value(std::uint32_t bits) { return f32_from_f16(static_cast<std::uint16_t>(bits)); }
std::uint32_t byte_of(std::uint32_t word, std::uint32_t index) { return word >> (8 * index) & 0xffu; }

std::uint32_t low4(const std::uint32_t* block, std::uint32_t r, std::uint32_t k) {
  return byte_of(block[4 * r + k % 16 / 4], k % 4) >> (k < 16 ? 0 : 4) & 15u;
}
std::uint32_t two(const std::uint32_t* block, std::uint32_t r, std::uint32_t k) {
  return byte_of(block[2 * r + k / 16], k % 4) >> (2 * (k % 16 / 4)) & 3u;
}
std::uint32_t one(const std::uint32_t* block, std::uint32_t r, std::uint32_t k) {
  return byte_of(block[r], k % 4) >> (k / 4) & 1u;
}

float float_at(TensorType type, const Words& plane, std::uint32_t blocks, std::uint32_t row, std::uint32_t column) {
  const std::uint32_t bytes_each = type == TensorType::f32 ? 4 : 2;
  const std::uint32_t pieces = 2 * bytes_each;  // of 16 bytes in 32 columns
  const std::uint32_t in_block = column % 32 * bytes_each;
  const std::size_t at = ((std::size_t{row / 8} * blocks + column / 32) * pieces + in_block / 16) * 8 + row % 8;
  const std::uint32_t word = plane[at * 4 + in_block % 16 / 4];
  if (type == TensorType::f32) return std::bit_cast<float>(word);
  const std::uint32_t bits = word >> (16 * (column % 2)) & 0xffffu;
  return type == TensorType::f16 ? half_value(bits) : std::bit_cast<float>(bits << 16);
}

// With the roundings of quant::decode: d * scale first, each product alone.
float quant_at(TensorType type, const Planes& planes, std::uint32_t blocks, std::uint32_t row, std::uint32_t column) {
  const PlaneFormat format = *plane_format(type);
  const std::uint32_t r = row % 8, k = column % 32, b = column / 32;
  const std::size_t unit = std::size_t{row / 8} * blocks + b;
  const std::uint32_t* q = planes.quants.data() + unit * format.quant_words;
  const std::uint32_t* s = planes.scales.data() + unit / format.scale_blocks * format.scale_words;
  const std::uint32_t j = b % 8;             // the block of 32 within 256 columns
  const std::uint32_t h = 2 * j + (k / 16);  // and the half of a block
  switch (type) {
    case TensorType::q8_0:
      return half_value(half_bits(s, r)) *
             static_cast<float>(static_cast<std::int8_t>(byte_of(q[(k < 16 ? 0 : 32) + 4 * r + k % 16 / 4], k % 4)));
    case TensorType::q4_0: return half_value(half_bits(s, r)) * (static_cast<float>(low4(q, r, k)) - 8.0f);
    case TensorType::q5_0:
      return half_value(half_bits(s, r)) * (static_cast<float>(low4(q, r, k) | one(q + 32, r, k) << 4) - 16.0f);
    case TensorType::q4_1:
      return half_value(s[r] & 0xffffu) * static_cast<float>(low4(q, r, k)) + half_value(s[r] >> 16);
    case TensorType::q5_1:
      return half_value(s[r] & 0xffffu) * static_cast<float>(low4(q, r, k) | one(q + 32, r, k) << 4) +
             half_value(s[r] >> 16);
    case TensorType::q2_k: {
      const std::uint32_t both = byte_of(s[8 * (h / 4) + r], h % 4);
      return half_value(s[32 + r] & 0xffffu) * static_cast<float>(both & 15u) * static_cast<float>(two(q, r, k)) -
             half_value(s[32 + r] >> 16) * static_cast<float>(both >> 4);
    }
    case TensorType::q3_k: {
      const std::uint32_t scale = (s[8 * (h / 8) + r] >> (4 * (h % 8)) & 15u) | (s[16 + r] >> (2 * h) & 3u) << 4;
      return half_value(half_bits(s + 24, r)) * (static_cast<float>(scale) - 32.0f) *
             (static_cast<float>(two(q, r, k) | one(q + 16, r, k) << 2) - 4.0f);
    }
    case TensorType::q4_k:
    case TensorType::q5_k: {
      const std::uint32_t scale = (s[8 + r] >> (4 * j) & 15u) | (s[24 + r] >> (2 * j) & 3u) << 4;
      const std::uint32_t least = (s[16 + r] >> (4 * j) & 15u) | (s[24 + r] >> (16 + 2 * j) & 3u) << 4;
      const std::uint32_t u = low4(q, r, k) | (type == TensorType::q5_k ? one(q + 32, r, k) << 4 : 0u);
      return half_value(s[r] & 0xffffu) * static_cast<float>(scale) * static_cast<float>(u) -
             half_value(s[r] >> 16) * static_cast<float>(least);
    }
    default: {  // Q6_K
      const auto scale = static_cast<std::int8_t>(byte_of(s[8 * (h / 4) + r], h % 4));
      return half_value(half_bits(s + 32, r)) * static_cast<float>(scale) *
             (static_cast<float>(low4(q, r, k) | two(q + 32, r, k) << 4) - 32.0f);
    }
  }
}

TEST(GpuRepack, PlanesDecodeToTheWeights) {
  for (const TensorType type : kTypes) {
    const std::uint32_t columns = is_float_type(type) ? 75 : 512, rows = 19, blocks = div_up(columns, 32u);
    const std::vector<std::byte> bytes = random_rows(type, columns, rows);
    const Planes planes = planes_of(type, columns, rows, bytes);
    std::vector<float> expected(std::size_t{columns} * rows);
    ASSERT_TRUE(quant::decode(type, bytes, expected));
    std::size_t wrong = 0;
    for (std::uint32_t row = 0; row < rows; ++row) {
      for (std::uint32_t column = 0; column < columns; ++column) {
        const float value = is_float_type(type) ? float_at(type, planes.quants, blocks, row, column)
                                                : quant_at(type, planes, blocks, row, column);
        // The compiler may contract a product and a sum: then one rounding less.
        const float want = expected[std::size_t{row} * columns + column];
        if (std::abs(value - want) > 2e-6f * std::max(1.0f, std::abs(want))) ++wrong;
      }
    }
    EXPECT_EQ(wrong, 0u) << decoder_name(type);
    for (std::uint32_t column = columns; column < blocks * 32; ++column) {
      EXPECT_EQ(float_at(type, planes.quants, blocks, 0, column), 0.0f) << "padding of " << decoder_name(type);
    }
  }
}

TEST(GpuRepack, ChunksGiveThePlanesOfTheWhole) {
  for (const TensorType type : kTypes) {
    constexpr std::uint32_t kColumns = 256, kRows = 43, kChunk = 16;
    const std::vector<std::byte> bytes = random_rows(type, kColumns, kRows);
    const std::size_t row_bytes = bytes.size() / kRows;
    const Planes whole = planes_of(type, kColumns, kRows, bytes);
    Planes joined;
    for (std::uint32_t row = 0; row < kRows; row += kChunk) {
      const std::uint32_t count = std::min(kChunk, kRows - row);
      const Planes part =
          planes_of(type, kColumns, count, std::span(bytes).subspan(row * row_bytes, count * row_bytes));
      joined.quants.insert(joined.quants.end(), part.quants.begin(), part.quants.end());
      joined.scales.insert(joined.scales.end(), part.scales.begin(), part.scales.end());
    }
    EXPECT_EQ(whole.quants, joined.quants) << decoder_name(type);
    EXPECT_EQ(whole.scales, joined.scales) << decoder_name(type);
  }
}

// A file may ask for any alignment.
TEST(GpuRepack, RowsLieAtAnyAddress) {
  for (const TensorType type : kTypes) {
    constexpr std::uint32_t kColumns = 512, kRows = 11;
    std::vector<std::byte> bytes = random_rows(type, kColumns, kRows);
    const Planes aligned = planes_of(type, kColumns, kRows, bytes);
    bytes.insert(bytes.begin(), std::byte{0xff});
    const Planes odd = planes_of(type, kColumns, kRows, std::span(bytes).subspan(1));
    EXPECT_EQ(aligned.quants, odd.quants) << decoder_name(type);
    EXPECT_EQ(aligned.scales, odd.scales) << decoder_name(type);
  }
}

TEST(GpuRepack, TypesKeepTheirSize) {
  for (const TensorType type : kTypes) {
    const gguf::TensorTypeInfo& info = gguf::tensor_type_info(type);
    const Result<PlaneBytes> bytes = plane_bytes(type, 2048, 64);
    ASSERT_TRUE(bytes);
    const std::uint64_t in_file = std::uint64_t{2048} / info.block_elements * info.block_bytes * 64;
    EXPECT_GE(bytes->quants + bytes->scales, in_file) << decoder_name(type);
    EXPECT_LE(bytes->quants + bytes->scales, in_file + in_file / 20) << decoder_name(type);
  }
}

TEST(GpuRepack, MalformedSizesAreRefused) {
  const std::vector<std::byte> bytes = random_rows(TensorType::q4_k, 256, 8);
  Words quants(32 * 8), scales(32);
  const auto code = [&](TensorType type, std::uint32_t columns, std::uint32_t rows, std::size_t n, std::size_t room) {
    const Status status = repack(type, columns, rows, std::span(bytes).first(n), std::span(quants).first(room), scales);
    return status ? Code{} : status.error().code;
  };
  ASSERT_TRUE(repack(TensorType::q4_k, 256, 8, bytes, quants, scales));
  EXPECT_EQ(code(TensorType::q4_k, 256, 8, bytes.size() - 8, quants.size()), Code::invalid_argument) << "short rows";
  EXPECT_EQ(code(TensorType::q4_k, 128, 8, bytes.size(), quants.size()), Code::invalid_argument) << "half a block";
  EXPECT_EQ(code(TensorType::q4_k, 256, 0, 0, quants.size()), Code::invalid_argument) << "no rows";
  EXPECT_EQ(code(TensorType::q4_k, 256, 8, bytes.size(), quants.size() - 1), Code::invalid_argument) << "no room";
  EXPECT_EQ(code(TensorType::f32, 32, 8, bytes.size(), quants.size()), Code::invalid_argument) << "rows too long";
  EXPECT_EQ(code(TensorType::f64, 32, 8, bytes.size(), quants.size()), Code::unsupported);
  constexpr auto kMost = std::numeric_limits<std::uint32_t>::max();
  const Result<PlaneBytes> huge = plane_bytes(TensorType::f32, kMost, kMost);
  ASSERT_FALSE(huge);
  EXPECT_EQ(huge.error().code, Code::limit);
}

}  // namespace
}  // namespace wisp::gpu
