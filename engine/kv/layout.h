// How the memory of a model's attention is cut: layers that remember alike form a group, and a group's K and V live in
// blocks of a fixed number of positions. Here are counts and names only; where the bytes lie is the backend's business.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/checked.h"

namespace wisp::kv {

// Positions of a block: small enough that a sequence's unused tail is cheap, large enough that tables and hashes are.
inline constexpr std::uint32_t kBlockPositions = 32;

// A block of one group's pool. Ids of different groups have nothing to do with each other.
using BlockId = std::int32_t;
inline constexpr BlockId kNoBlock = -1;

enum class KvType : std::uint8_t { f32, f16, q8_0 };
std::string_view kv_type_name(KvType type);  // "f32", "f16", "q8_0"
std::optional<KvType> parse_kv_type(std::string_view name);
// Bytes of `n` values of one head; q8_0 stores blocks of 32 values in 34 bytes (the last one padded).
std::uint64_t kv_row_bytes(KvType type, std::uint32_t n);

// Layers that share a block table.
struct LayerGroup {
  int index = 0;
  std::optional<std::uint32_t> window =
      {};                   // positions; a key is masked when p_query - p_key >= window. None: sees all
  std::uint32_t sinks = 0;  // the first positions stay visible whatever the window
  std::vector<int> layers = {};
};

constexpr std::uint32_t blocks_for(std::uint32_t n_positions) {
  return n_positions / kBlockPositions + (n_positions % kBlockPositions != 0 ? 1 : 0);
}

// Blocks [0, sink_blocks) hold a sink and are never dropped.
constexpr std::uint32_t sink_blocks(const LayerGroup& group) { return group.window ? blocks_for(group.sinks) : 0; }

// The first block that holds a key inside the window of a query at `position`; all before it but the sinks are dead.
constexpr std::uint32_t first_visible_block(const LayerGroup& group, std::uint32_t position) {
  if (!group.window || position < *group.window) return 0;
  return (position - *group.window + 1) / kBlockPositions;
}

// The most blocks that one sequence of `n_positions` ever holds in this group when at most `max_rows` of its positions
// are computed in one step and what left the window is dropped before each.
std::uint32_t most_blocks(const LayerGroup& group, std::uint32_t n_positions, std::uint32_t max_rows);

}  // namespace wisp::kv
