#include "graph/integer_row.h"

#include "base/half.h"
#include "quant/k_blocks.h"
#include "quant/legacy_blocks.h"
#include "quant/load_block.h"

namespace wisp::graph {
namespace {

using gguf::TensorType;

// Gives a row its shape: `blocks` blocks of `groups` sub-blocks of `sub_block` elements.
void shape_row(IntegerRow& row, std::size_t blocks, std::size_t groups, std::size_t sub_block, bool affine) {
  row.sub_block = sub_block;
  row.u.resize(blocks * groups * sub_block);
  row.scales.resize(blocks * groups);
  row.minimums.resize(affine ? blocks * groups : 0);
}

// One scale for 32 elements; `element(block, i)` is u.
template <class Block, class Element>
void unpack_legacy(std::span<const std::byte> bytes, IntegerRow& row, const Element& element) {
  constexpr bool affine = requires(Block block) { block.m; };
  const std::size_t blocks = bytes.size() / sizeof(Block);
  shape_row(row, blocks, 1, quant::kLegacyElements, affine);
  for (std::size_t b = 0; b < blocks; ++b) {
    const auto block = quant::load_block<Block>(bytes.data(), b);
    row.scales[b] = f32_from_f16(block.d);
    if constexpr (affine) row.minimums[b] = f32_from_f16(block.m);
    for (int i = 0; i < quant::kLegacyElements; ++i) {
      row.u[b * quant::kLegacyElements + i] = static_cast<std::int8_t>(element(block, i));
    }
  }
}

// Super-blocks: `factors(block, g)` gives the two small integers of group g, {scale, minimum}.
template <class Block, class Factors>
void unpack_super(std::span<const std::byte> bytes, IntegerRow& row, int sub_block, int offset,
                  const Factors& factors) {
  constexpr bool affine = requires(Block block) { block.dmin; };
  const int groups = quant::kSuperElements / sub_block;
  const std::size_t blocks = bytes.size() / sizeof(Block);
  shape_row(row, blocks, static_cast<std::size_t>(groups), static_cast<std::size_t>(sub_block), affine);
  std::size_t at = 0;
  for (std::size_t b = 0; b < blocks; ++b) {
    const auto block = quant::load_block<Block>(bytes.data(), b);
    for (int g = 0; g < groups; ++g, ++at) {
      const quant::ScaleMin small = factors(block, g);
      row.scales[at] = f32_from_f16(block.d) * static_cast<float>(small.scale);
      if constexpr (affine) row.minimums[at] = -(f32_from_f16(block.dmin) * static_cast<float>(small.min));
      for (int i = 0; i < sub_block; ++i) {
        row.u[at * sub_block + i] = static_cast<std::int8_t>(quant::quant(block, g, i) - offset);
      }
    }
  }
}

}  // namespace

bool has_integer_rows(TensorType type) {
  return type != TensorType::f32 && type != TensorType::f16 && type != TensorType::bf16;
}

void unpack_integer_row(TensorType type, std::span<const std::byte> bytes, IntegerRow& row) {
  using namespace quant;
  switch (type) {
    case TensorType::q4_0:
      return unpack_legacy<BlockQ4_0>(bytes, row, [](const auto& b, int i) { return nibble(b.qs, i) - 8; });
    case TensorType::q4_1:
      return unpack_legacy<BlockQ4_1>(bytes, row, [](const auto& b, int i) { return nibble(b.qs, i); });
    case TensorType::q5_0:
      return unpack_legacy<BlockQ5_0>(bytes, row, [](const auto& b, int i) { return five_bits(b.qs, b.qh, i) - 16; });
    case TensorType::q5_1:
      return unpack_legacy<BlockQ5_1>(bytes, row, [](const auto& b, int i) { return five_bits(b.qs, b.qh, i); });
    case TensorType::q8_0: return unpack_legacy<BlockQ8_0>(bytes, row, [](const auto& b, int i) { return b.qs[i]; });
    case TensorType::q2_k:
      return unpack_super<BlockQ2_K>(
          bytes, row, 16, 0, [](const auto& b, int g) { return ScaleMin{b.scales[g] & 0xF, b.scales[g] >> 4}; });
    case TensorType::q3_k:
      return unpack_super<BlockQ3_K>(bytes, row, 16, 4, [](const auto& b, int g) { return ScaleMin{scale(b, g), 0}; });
    case TensorType::q4_k:
      return unpack_super<BlockQ4_K>(bytes, row, 32, 0, [](const auto& b, int g) { return scale_min(b.scales, g); });
    case TensorType::q5_k:
      return unpack_super<BlockQ5_K>(bytes, row, 32, 0, [](const auto& b, int g) { return scale_min(b.scales, g); });
    case TensorType::q6_k:
      return unpack_super<BlockQ6_K>(bytes, row, 16, 32, [](const auto& b, int g) { return ScaleMin{b.scales[g], 0}; });
    default: return shape_row(row, 0, 0, 32, false);  // the graph builder lets only decodable types through
  }
}

}  // namespace wisp::graph
