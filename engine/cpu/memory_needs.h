// What the CPU executor will hold, told before anything is loaded.
#pragma once

#include <cstdint>
#include <span>

#include "graph/plan.h"

namespace wisp::cpu {

struct MemoryNeeds {
  std::uint64_t weights = 0;   // packed matrices, norm weights, biases
  std::uint64_t in_place = 0;  // tables (and matrices with repack off) that stay in the mapped file: the system's cache
  std::uint64_t kv = 0;        // when every block has been written
  std::uint64_t activations = 0;  // the arena and the scratch of the largest plan
};

// For plans up to `largest`. The executor's own sizes, by its own formulas.
MemoryNeeds memory_needs(const graph::Plan& largest, graph::KvType kv_type, std::span<const std::uint32_t> kv_blocks,
                         int threads, bool repack);

}  // namespace wisp::cpu
