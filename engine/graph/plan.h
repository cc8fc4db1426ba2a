// A plan: a fused graph with a place for every value, for up to a bucket of rows. Built once per bucket and replayed;
// per step only the small StepInputs change.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace wisp::graph {

// Buckets are powers of two from 1 to the step's row budget.
std::uint32_t row_bucket(std::uint32_t rows);

struct Plan {
  std::shared_ptr<const Graph> graph;
  std::uint32_t max_rows = 0;        // step rows this plan has room for
  std::uint32_t max_logit_rows = 0;  // logits rows it has room for
  // Byte offset of each value in the activation arena, by ValueId; 64-byte aligned. Values whose lifetimes do not
  // overlap share bytes. kUnplaced for values that no op writes any more (fused away).
  std::vector<std::uint64_t> offsets;
  std::uint64_t arena_bytes = 0;
  static constexpr std::uint64_t kUnplaced = ~std::uint64_t{0};
};

Result<Plan> make_plan(std::shared_ptr<const Graph> graph, std::uint32_t max_rows, std::uint32_t max_logit_rows);

}  // namespace wisp::graph
