#include "gpu/weights/repack.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include "base/checked.h"
#include "gpu/weights/plane_layout.h"
#include "graph/integer_row.h"
#include "quant/k_blocks.h"
#include "quant/legacy_blocks.h"
#include "quant/load_block.h"

namespace wisp::gpu {
namespace {

using gguf::TensorType;

// ---- quants: `u` are 32 unsigned small integers of row r; `out` is the tile's block ----

// 16 bytes of a block, which compilers make at once.
using Nibbles = std::array<std::uint8_t, 16>;
void put_nibbles(const Nibbles& bytes, std::uint32_t r, std::uint32_t* out) {
  std::memcpy(out + 4 * r, bytes.data(), bytes.size());
}

void put_low4(const std::uint8_t* u, std::uint32_t r, std::uint32_t* out) {
  Nibbles bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>((u[i] & 15) | u[16 + i] << 4);
  put_nibbles(bytes, r, out);
}

// Four of them, a byte each.
std::uint32_t four(const std::uint8_t* u) {
  std::uint32_t word = 0;
  std::memcpy(&word, u, sizeof(word));
  return word;
}

// Bits [shift, shift + 2) of each.
void put_two(const std::uint8_t* u, std::uint32_t shift, std::uint32_t r, std::uint32_t* out) {
  for (std::uint32_t half = 0; half < 2; ++half) {
    std::uint32_t word = 0;
    for (std::uint32_t w = 0; w < 4; ++w) word |= (four(u + 16 * half + 4 * w) >> shift & 0x03030303u) << (2 * w);
    out[2 * r + half] = word;
  }
}

// Bit `shift` of each.
void put_one(const std::uint8_t* u, std::uint32_t shift, std::uint32_t r, std::uint32_t* out) {
  std::uint32_t word = 0;
  for (std::uint32_t w = 0; w < 8; ++w) word |= (four(u + 4 * w) >> shift & 0x01010101u) << w;
  out[r] = word;
}

void put_bytes(const std::uint8_t* u, std::uint32_t r, std::uint32_t* out) {
  std::memcpy(out + 4 * r, u, 16);
  std::memcpy(out + 32 + 4 * r, u + 16, 16);
}

void put_block(TensorType type, const std::uint8_t* u, std::uint32_t r, std::uint32_t* out) {
  switch (type) {
    case TensorType::q2_k: return put_two(u, 0, r, out);
    case TensorType::q3_k: put_two(u, 0, r, out); return put_one(u, 2, r, out + 16);
    case TensorType::q5_0:
    case TensorType::q5_1:
    case TensorType::q5_k: put_low4(u, r, out); return put_one(u, 4, r, out + 32);
    default: return put_low4(u, r, out);
  }
}

// ---- quants of a row whose bits only move: most of a usual model ----

// Q4_0 and Q4_1 pair the columns of a block as the plane does.
template <class Block>
void move_legacy(const std::byte* blocks, std::uint32_t count, std::uint32_t quant_words, std::uint32_t r,
                 std::uint32_t* out) {
  for (std::uint32_t b = 0; b < count; ++b) {
    put_nibbles(quant::load_block<Block>(blocks, b).qs, r, out + std::size_t{b} * quant_words);
  }
}

// Q4_K pairs a column with the one 32 further on.
void move_k(const std::byte* blocks, std::uint32_t count, std::uint32_t quant_words, std::uint32_t r,
            std::uint32_t* out) {
  for (std::uint32_t b = 0; b < count; b += 2) {
    const auto block = quant::load_block<quant::BlockQ4_K>(blocks, b / 8);
    const std::uint8_t* q = block.qs.data() + std::size_t{16} * (b % 8);
    Nibbles low, high;
    for (std::size_t i = 0; i < low.size(); ++i) {
      low[i] = static_cast<std::uint8_t>((q[i] & 15) | q[16 + i] << 4);
      high[i] = static_cast<std::uint8_t>(q[i] >> 4 | (q[16 + i] & 0xF0));
    }
    put_nibbles(low, r, out + std::size_t{b} * quant_words);
    put_nibbles(high, r, out + std::size_t{b + 1} * quant_words);
  }
}

void move_bytes(const std::byte* blocks, std::uint32_t count, std::uint32_t quant_words, std::uint32_t r,
                std::uint32_t* out) {
  for (std::uint32_t b = 0; b < count; ++b) {
    const auto block = quant::load_block<quant::BlockQ8_0>(blocks, b);
    put_bytes(reinterpret_cast<const std::uint8_t*>(block.qs.data()), r, out + std::size_t{b} * quant_words);
  }
}

// Q6_K has the high bits of four blocks in the same bytes.
void move_k6(const std::byte* blocks, std::uint32_t count, std::uint32_t quant_words, std::uint32_t r,
             std::uint32_t* out) {
  std::array<std::uint8_t, kBlockColumns> u;
  for (std::uint32_t b = 0; b < count; ++b, out += quant_words) {
    const std::byte* const file_block = blocks + std::size_t{b / 8} * sizeof(quant::BlockQ6_K);
    const auto* const low = reinterpret_cast<const std::uint8_t*>(file_block + offsetof(quant::BlockQ6_K, ql)) +
                            std::size_t{64} * (b % 8 / 4) + std::size_t{32} * (b % 2);
    const auto* const high = reinterpret_cast<const std::uint8_t*>(file_block + offsetof(quant::BlockQ6_K, qh)) +
                             std::size_t{32} * (b % 8 / 4);
    const std::uint32_t nibble = b % 4 / 2 * 4, two = b % 4 * 2;
    for (std::size_t i = 0; i < u.size(); ++i) {
      u[i] = static_cast<std::uint8_t>((low[i] >> nibble & 15) | (high[i] >> two & 3) << 4);
    }
    put_low4(u.data(), r, out);
    put_two(u.data(), 4, r, out + 32);
  }
}

// False for types that have to be taken apart.
bool move_row(TensorType type, const std::byte* row, std::uint32_t blocks, std::uint32_t quant_words, std::uint32_t r,
              std::uint32_t* out) {
  switch (type) {
    case TensorType::q4_0: move_legacy<quant::BlockQ4_0>(row, blocks, quant_words, r, out); return true;
    case TensorType::q4_1: move_legacy<quant::BlockQ4_1>(row, blocks, quant_words, r, out); return true;
    case TensorType::q8_0: move_bytes(row, blocks, quant_words, r, out); return true;
    case TensorType::q4_k: move_k(row, blocks, quant_words, r, out); return true;
    case TensorType::q6_k: move_k6(row, blocks, quant_words, r, out); return true;
    default: return false;
  }
}

// ---- scales of row r: `blocks` are the file's blocks of the row, `out` the tile's units ----

void put_half(std::uint32_t* words, std::uint32_t r, std::uint16_t half) {
  words[r / 2] |= std::uint32_t{half} << (16 * (r % 2));
}

template <class Block>
void put_legacy(const std::byte* blocks, std::uint32_t units, std::uint32_t unit_words, std::uint32_t r,
                std::uint32_t* out) {
  for (std::uint32_t unit = 0; unit < units; ++unit) {
    const auto block = quant::load_block<Block>(blocks, unit);
    std::uint32_t* words = out + std::size_t{unit} * unit_words;
    if constexpr (requires { block.m; }) {
      words[r] = block.d | std::uint32_t{block.m} << 16;
    } else {
      put_half(words, r, block.d);
    }
  }
}

void put_unit(const quant::BlockQ2_K& block, std::uint32_t r, std::uint32_t* words) {
  for (std::uint32_t w = 0; w < 4; ++w) std::memcpy(words + 8 * w + r, block.scales.data() + 4 * w, 4);
  words[32 + r] = block.d | std::uint32_t{block.dmin} << 16;
}

void put_unit(const quant::BlockQ3_K& block, std::uint32_t r, std::uint32_t* words) {
  for (std::uint32_t s = 0; s < 16; ++s) {
    const auto scale = static_cast<std::uint32_t>(quant::scale(block, static_cast<int>(s)) + 32);
    words[8 * (s / 8) + r] |= (scale & 15) << (4 * (s % 8));
    words[16 + r] |= (scale >> 4) << (2 * s);
  }
  put_half(words + 24, r, block.d);
}

// Q4_K and Q5_K.
template <class Block>
void put_unit(const Block& block, std::uint32_t r, std::uint32_t* words)
  requires requires { block.dmin; }
{
  words[r] = block.d | std::uint32_t{block.dmin} << 16;
  for (std::uint32_t j = 0; j < 8; ++j) {
    const quant::ScaleMin both = quant::scale_min(block.scales, static_cast<int>(j));
    const auto scale = static_cast<std::uint32_t>(both.scale);
    const auto least = static_cast<std::uint32_t>(both.min);
    words[8 + r] |= (scale & 15) << (4 * j);
    words[16 + r] |= (least & 15) << (4 * j);
    words[24 + r] |= (scale >> 4) << (2 * j) | (least >> 4) << (16 + 2 * j);
  }
}

void put_unit(const quant::BlockQ6_K& block, std::uint32_t r, std::uint32_t* words) {
  for (std::uint32_t w = 0; w < 4; ++w) std::memcpy(words + 8 * w + r, block.scales.data() + 4 * w, 4);
  put_half(words + 32, r, block.d);
}

template <class Block>
void put_super(const std::byte* blocks, std::uint32_t units, std::uint32_t unit_words, std::uint32_t r,
               std::uint32_t* out) {
  for (std::uint32_t unit = 0; unit < units; ++unit) {
    put_unit(quant::load_block<Block>(blocks, unit), r, out + std::size_t{unit} * unit_words);
  }
}

void put_scales(TensorType type, const std::byte* blocks, std::uint32_t units, std::uint32_t unit_words,
                std::uint32_t r, std::uint32_t* out) {
  using namespace quant;
  switch (type) {
    case TensorType::q4_0: return put_legacy<BlockQ4_0>(blocks, units, unit_words, r, out);
    case TensorType::q4_1: return put_legacy<BlockQ4_1>(blocks, units, unit_words, r, out);
    case TensorType::q5_0: return put_legacy<BlockQ5_0>(blocks, units, unit_words, r, out);
    case TensorType::q5_1: return put_legacy<BlockQ5_1>(blocks, units, unit_words, r, out);
    case TensorType::q8_0: return put_legacy<BlockQ8_0>(blocks, units, unit_words, r, out);
    case TensorType::q2_k: return put_super<BlockQ2_K>(blocks, units, unit_words, r, out);
    case TensorType::q3_k: return put_super<BlockQ3_K>(blocks, units, unit_words, r, out);
    case TensorType::q4_k: return put_super<BlockQ4_K>(blocks, units, unit_words, r, out);
    case TensorType::q5_k: return put_super<BlockQ5_K>(blocks, units, unit_words, r, out);
    case TensorType::q6_k: return put_super<BlockQ6_K>(blocks, units, unit_words, r, out);
    default: return;
  }
}

// ---- floats: pieces of 16 bytes, [block][piece][row] ----

void put_floats(std::span<const std::byte> row, std::uint32_t r, std::span<std::uint32_t> out) {
  constexpr std::size_t kPiece = 16;
  for (std::size_t at = 0; at < row.size(); at += kPiece) {
    std::uint32_t* words = out.data() + (at / kPiece * kTileRows + r) * (kPiece / 4);
    std::memcpy(words, row.data() + at, std::min(kPiece, row.size() - at));
  }
}

}  // namespace

Status repack(TensorType type, std::uint32_t columns, std::uint32_t rows, std::span<const std::byte> bytes,
              std::span<std::uint32_t> quants, std::span<std::uint32_t> scales) {
  WISP_TRY(const PlaneFormat format, plane_format(type));
  WISP_TRY(const PlaneBytes room, plane_bytes(type, columns, rows));
  const gguf::TensorTypeInfo& info = gguf::tensor_type_info(type);
  const std::uint64_t row_bytes_wanted = std::uint64_t{columns} / info.block_elements * info.block_bytes;
  if (rows == 0 || columns % info.block_elements != 0 || bytes.size() % rows != 0 ||
      bytes.size() / rows != row_bytes_wanted) {
    return fail(Code::invalid_argument, "{} bytes are not {} rows of {} {} weights", bytes.size(), rows, columns,
                info.name);
  }
  if (quants.size() * 4 < room.quants || scales.size() * 4 < room.scales) {
    return fail(Code::invalid_argument, "the planes of {} rows of {} {} weights have no room", rows, columns,
                info.name);
  }
  const std::size_t row_bytes = bytes.size() / rows;
  const std::uint32_t blocks = div_up(columns, kBlockColumns);
  const std::uint32_t units = blocks / format.scale_blocks;
  const std::size_t tile_words = std::size_t{blocks} * format.quant_words;
  const std::size_t tile_scales = std::size_t{units} * format.scale_words;
  std::ranges::fill(quants, 0);
  std::ranges::fill(scales, 0);

  graph::IntegerRow integers;
  std::array<std::uint8_t, kBlockColumns> u = {};
  for (std::uint32_t row = 0; row < rows; ++row) {
    const std::uint32_t tile = row / kTileRows;
    const std::uint32_t r = row % kTileRows;
    const std::span<const std::byte> file_row = bytes.subspan(row * row_bytes, row_bytes);
    const std::span<std::uint32_t> out = quants.subspan(tile * tile_words, tile_words);
    if (is_float_type(type)) {
      put_floats(file_row, r, out);
      continue;
    }
    put_scales(type, file_row.data(), units, format.scale_words, r, scales.data() + tile * tile_scales);
    if (move_row(type, file_row.data(), blocks, format.quant_words, r, out.data())) continue;
    graph::unpack_integer_row(type, file_row, integers);
    for (std::uint32_t block = 0; block < blocks; ++block) {
      for (std::uint32_t i = 0; i < kBlockColumns; ++i) {
        u[i] = static_cast<std::uint8_t>(integers.u[block * kBlockColumns + i] + format.offset);
      }
      put_block(type, u.data(), r, out.data() + std::size_t{block} * format.quant_words);
    }
  }
  return {};
}

}  // namespace wisp::gpu
