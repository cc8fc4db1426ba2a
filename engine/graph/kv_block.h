// A KV block in the form that outlives a backend: in saved files, and on the way from one to another. For each layer of
// the group, in the graph's order: keys, then values, each [position in the block][kv head] entries. An entry is
// head_dim values, little-endian: f32, f16, or q8_0 (for each 32 values, the last run may be shorter, an f16 scale and
// then an int8 a value).
#pragma once

#include <cstdint>

#include "base/checked.h"
#include "graph/graph.h"

namespace wisp::graph {

constexpr std::uint32_t kKvRun = 32;  // values that share a q8_0 scale

constexpr std::uint64_t kv_entry_bytes(KvType type, std::uint32_t head_dim) {
  const std::uint64_t n = head_dim;
  switch (type) {
    case KvType::f32: return n * 4;
    case KvType::f16: return n * 2;
    case KvType::q8_0: return n + div_up<std::uint64_t>(n, kKvRun) * 2;
  }
  return 0;
}

// Widths are bounded by the model's checks (at most 2^24 a row), so this overflows for no real number of layers.
inline std::uint64_t kv_canonical_bytes(const KvLayout& layout, KvType type, int group) {
  std::uint64_t bytes = 0;
  for (const KvLayer& layer : layout.layers) {
    if (layer.group == group) {
      bytes += 2 * std::uint64_t{kKvBlock} * layer.kv_heads * kv_entry_bytes(type, layer.head_dim);
    }
  }
  return bytes;
}

}  // namespace wisp::graph
