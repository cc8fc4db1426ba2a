#include "gpu/weights/repack.h"

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstring>

#include "base/checked.h"
#include "gpu/weights/plane_layout.h"
#include "quant/bit_moves.h"
#include "quant/k_blocks.h"
#include "quant/legacy_blocks.h"

namespace wisp::gpu {
namespace {

using gguf::TensorType;

using quant::load_word;

// Blocks lie at any address: they are read by offset, and `block` is where one starts.

// ---- moves of quants; `r` is the row of the tile ----

// 32 bytes of nibbles: what the low ones of them hold makes one row of a block, what the high ones hold another.
void move_nibbles(const std::uint8_t* bytes, std::uint32_t r, std::uint32_t* low, std::uint32_t* high) {
  std::array<std::uint8_t, 16> lows, highs;
  for (std::size_t i = 0; i < lows.size(); ++i) {
    lows[i] = static_cast<std::uint8_t>((bytes[i] & 15) | bytes[16 + i] << 4);
    highs[i] = static_cast<std::uint8_t>(bytes[i] >> 4 | (bytes[16 + i] & 0xF0));
  }
  std::memcpy(low + 4 * r, lows.data(), lows.size());
  std::memcpy(high + 4 * r, highs.data(), highs.size());
}

// quant::TwoBitFields. `out` is the first block, `stride` words from the next.
void move_twos(const std::uint8_t* fields, std::uint32_t r, std::uint32_t* out, std::size_t stride) {
  for (std::size_t half = 0; half < 2; ++half) {
    const std::array<std::uint64_t, 4> words = quant::two_bit_words(fields + 32 * half);
    for (std::size_t b = 0; b < 4; ++b) std::memcpy(out + (4 * half + b) * stride + 2 * r, &words[b], sizeof(words[b]));
  }
}

// The high bits of Q3_K and Q5_K.
void move_ones(const std::uint8_t* fields, std::uint32_t r, std::uint32_t* out, std::size_t stride) {
  const std::array<std::uint32_t, 8> words = quant::one_bit_words(fields);
  for (std::size_t b = 0; b < words.size(); ++b) out[b * stride + r] = words[b];
}

// ---- moves of scales ----

void put_half(const std::uint8_t* half, std::uint32_t r, std::uint32_t* words) {
  std::memcpy(reinterpret_cast<std::uint8_t*>(words) + 2 * r, half, 2);
}

// The low nibbles, or 2 bits, of four bytes, side by side.
std::uint32_t join_nibbles(std::uint32_t bytes) {
  bytes &= 0x0F0F0F0F;
  bytes = (bytes | bytes >> 4) & 0x00FF00FF;
  return (bytes | bytes >> 8) & 0xFFFF;
}
std::uint32_t join_twos(std::uint32_t bytes) {
  bytes &= 0x03030303;
  bytes = (bytes | bytes >> 6) & 0x000F000F;
  return (bytes | bytes >> 12) & 0xFF;
}

void put_sixteen_bytes(const std::uint8_t* bytes, std::uint32_t r, std::uint32_t* words) {
  for (std::size_t w = 0; w < 4; ++w) std::memcpy(words + 8 * w + r, bytes + 4 * w, 4);
}

// quant::ScalesMins.
void put_scales_mins(const std::uint8_t* bytes, std::uint32_t r, std::uint32_t* words) {
  const auto scales = load_word<std::uint32_t>(bytes);
  const auto mins = load_word<std::uint32_t>(bytes + 4);
  const auto rest = load_word<std::uint32_t>(bytes + 8);
  words[8 + r] = join_nibbles(scales) | join_nibbles(rest) << 16;
  words[16 + r] = join_nibbles(mins) | join_nibbles(rest >> 4) << 16;
  words[24 + r] =
      join_twos(scales >> 4) | join_twos(scales >> 6) << 8 | join_twos(mins >> 4) << 16 | join_twos(mins >> 6) << 24;
}

// The scales of quant::BlockQ3_K.
void put_q3_scales(const std::uint8_t* bytes, std::uint32_t r, std::uint32_t* words) {
  const auto first = load_word<std::uint32_t>(bytes);
  const auto second = load_word<std::uint32_t>(bytes + 4);
  const auto high = load_word<std::uint32_t>(bytes + 8);
  words[r] = join_nibbles(first) | join_nibbles(second) << 16;
  words[8 + r] = join_nibbles(first >> 4) | join_nibbles(second >> 4) << 16;
  words[16 + r] = join_twos(high) | join_twos(high >> 2) << 8 | join_twos(high >> 4) << 16 | join_twos(high >> 6) << 24;
}

// ---- types: one block of the file becomes row r of a unit: of its scales, and of its blocks of quants ----

struct Unit {
  std::uint32_t* quants = nullptr;
  std::uint32_t* scales = nullptr;
  std::size_t stride = 0;  // words of the quants of a block

  [[nodiscard]] std::uint32_t* quants_of(std::size_t block) const { return quants + block * stride; }
};

template <class Block>
  requires(sizeof(Block) <= sizeof(quant::BlockQ5_1))
void put(const std::uint8_t* block, std::uint32_t r, const Unit& unit) {
  std::memcpy(unit.quants + 4 * r, block + offsetof(Block, qs), sizeof(Block::qs));
  if constexpr (requires { &Block::qh; }) unit.quants[32 + r] = quant::one_bit_word(block + offsetof(Block, qh));
  if constexpr (requires { &Block::m; }) {
    std::memcpy(unit.scales + r, block + offsetof(Block, d), 4);  // with m
  } else {
    put_half(block + offsetof(Block, d), r, unit.scales);
  }
}

template <class Block>
  requires std::same_as<Block, quant::BlockQ8_0>
void put(const std::uint8_t* block, std::uint32_t r, const Unit& unit) {
  const std::uint8_t* const bytes = block + offsetof(Block, qs);
  std::memcpy(unit.quants + 4 * r, bytes, 16);
  std::memcpy(unit.quants + 32 + 4 * r, bytes + 16, 16);
  put_half(block + offsetof(Block, d), r, unit.scales);
}

template <class Block>
  requires std::same_as<Block, quant::BlockQ2_K>
void put(const std::uint8_t* block, std::uint32_t r, const Unit& unit) {
  move_twos(block + offsetof(Block, qs), r, unit.quants, unit.stride);
  put_sixteen_bytes(block + offsetof(Block, scales), r, unit.scales);
  std::memcpy(unit.scales + 32 + r, block + offsetof(Block, d), 4);  // with dmin
}

template <class Block>
  requires std::same_as<Block, quant::BlockQ3_K>
void put(const std::uint8_t* block, std::uint32_t r, const Unit& unit) {
  move_twos(block + offsetof(Block, qs), r, unit.quants, unit.stride);
  move_ones(block + offsetof(Block, hmask), r, unit.quants + 16, unit.stride);
  put_q3_scales(block + offsetof(Block, scales), r, unit.scales);
  put_half(block + offsetof(Block, d), r, unit.scales + 24);
}

// Q4_K and Q5_K.
template <class Block>
  requires std::same_as<decltype(Block::scales), quant::ScalesMins> &&
           std::same_as<decltype(Block::qs), quant::KNibbles>
void put(const std::uint8_t* block, std::uint32_t r, const Unit& unit) {
  for (std::size_t pair = 0; pair < 4; ++pair) {
    move_nibbles(block + offsetof(Block, qs) + 32 * pair, r, unit.quants_of(2 * pair), unit.quants_of(2 * pair + 1));
  }
  if constexpr (requires { &Block::qh; }) move_ones(block + offsetof(Block, qh), r, unit.quants + 32, unit.stride);
  std::memcpy(unit.scales + r, block + offsetof(Block, d), 4);  // with dmin
  put_scales_mins(block + offsetof(Block, scales), r, unit.scales);
}

template <class Block>
  requires std::same_as<Block, quant::BlockQ6_K>
void put(const std::uint8_t* block, std::uint32_t r, const Unit& unit) {
  for (std::size_t half = 0; half < 2; ++half) {
    for (std::size_t b = 4 * half; b < 4 * half + 2; ++b) {
      move_nibbles(block + offsetof(Block, ql) + 32 * (b - 2 * half), r, unit.quants_of(b), unit.quants_of(b + 2));
    }
  }
  move_twos(block + offsetof(Block, qh), r, unit.quants + 32, unit.stride);
  put_sixteen_bytes(block + offsetof(Block, scales), r, unit.scales);
  put_half(block + offsetof(Block, d), r, unit.scales + 32);
}

// ---- tiles: what is written is written in order, from eight places of the file at once ----

struct Tile {
  const std::uint8_t* rows = nullptr;  // of the file
  std::size_t row_bytes = 0;
  std::uint32_t count = 0;  // of rows, 1..8
  std::span<std::uint32_t> quants, scales;
};

template <class Block>
void pack_tile(const PlaneFormat& format, const Tile& tile) {
  Unit unit{tile.quants.data(), tile.scales.data(), format.quant_words};
  for (std::size_t at = 0; at < tile.row_bytes; at += sizeof(Block)) {
    for (std::uint32_t r = 0; r < tile.count; ++r) put<Block>(tile.rows + r * tile.row_bytes + at, r, unit);
    unit.quants = unit.quants_of(format.scale_blocks);
    unit.scales += format.scale_words;
  }
}

// Pieces of 16 bytes, the last of a row may be less.
void pack_floats(const Tile& tile) {
  constexpr std::size_t kPiece = 16;
  std::uint32_t* out = tile.quants.data();
  for (std::size_t at = 0; at < tile.row_bytes; at += kPiece, out += kTileRows * kPiece / 4) {
    const std::size_t left = tile.row_bytes - at;
    for (std::uint32_t r = 0; r < tile.count; ++r) {
      const std::uint8_t* const piece = tile.rows + r * tile.row_bytes + at;
      if (left >= kPiece) {
        std::memcpy(out + r * kPiece / 4, piece, kPiece);
      } else {
        std::memcpy(out + r * kPiece / 4, piece, left);
      }
    }
  }
}

void pack(TensorType type, const PlaneFormat& format, const Tile& tile) {
  using namespace quant;
  switch (type) {
    case TensorType::q4_0: return pack_tile<BlockQ4_0>(format, tile);
    case TensorType::q4_1: return pack_tile<BlockQ4_1>(format, tile);
    case TensorType::q5_0: return pack_tile<BlockQ5_0>(format, tile);
    case TensorType::q5_1: return pack_tile<BlockQ5_1>(format, tile);
    case TensorType::q8_0: return pack_tile<BlockQ8_0>(format, tile);
    case TensorType::q2_k: return pack_tile<BlockQ2_K>(format, tile);
    case TensorType::q3_k: return pack_tile<BlockQ3_K>(format, tile);
    case TensorType::q4_k: return pack_tile<BlockQ4_K>(format, tile);
    case TensorType::q5_k: return pack_tile<BlockQ5_K>(format, tile);
    case TensorType::q6_k: return pack_tile<BlockQ6_K>(format, tile);
    default: return pack_floats(tile);
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
  const std::uint32_t blocks = div_up(columns, kBlockColumns);
  const std::size_t tile_words = std::size_t{blocks} * format.quant_words;
  const std::size_t tile_scales = std::size_t{blocks / format.scale_blocks} * format.scale_words;
  const auto* const file = reinterpret_cast<const std::uint8_t*>(bytes.data());
  Tile tile{.rows = file, .row_bytes = bytes.size() / rows, .count = kTileRows, .quants = {}, .scales = {}};
  for (std::uint32_t first = 0; first < rows; first += kTileRows) {
    tile.rows = file + first * tile.row_bytes;
    tile.count = std::min(kTileRows, rows - first);
    tile.quants = quants.subspan(first / kTileRows * tile_words, tile_words);
    tile.scales = scales.subspan(first / kTileRows * tile_scales, tile_scales);
    if (tile.count < kTileRows || columns % kBlockColumns != 0) {
      std::ranges::fill(tile.quants, 0);
      std::ranges::fill(tile.scales, 0);
    }
    pack(type, format, tile);
  }
  return {};
}

}  // namespace wisp::gpu
