// Attention of one row over the stored keys and values, as graph.h's AttentionOp describes it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/graph.h"
#include "graph/scalar_kv.h"

namespace wisp::graph::scalar {

struct AttentionScratch {
  std::vector<float> q;       // [head_dim] scaled
  std::vector<float> q_sink;  // [head_dim] turned to its distance from the sinks
  std::vector<float> entry;   // [head_dim] one key or value
  std::vector<float> sums;    // [head_dim]
};

// Per head: an online softmax over absolute blocks of kKvBlock positions in ascending order, so that the result does
// not depend on how the sequence was cut into steps. A key is visible when p_key <= position and (position - p_key <
// window or p_key < sinks).
//
// Sinks: a row whose window has left them behind (position >= sinks + window) sees them as if it stood right at the end
// of sinks and window (position' = sinks + window - 1): q is turned by position' - position, so that no distance
// outgrows the window.
//
// q, out: [heads * head_dim]. `table`: the sequence's blocks in the layer's group, checked (step_check.h).
void attend(const AttentionOp& op, const Graph& graph, const KvStore& kv, std::int32_t position,
            std::span<const std::int32_t> table, std::span<const float> q, std::span<float> out,
            AttentionScratch& scratch);

}  // namespace wisp::graph::scalar
