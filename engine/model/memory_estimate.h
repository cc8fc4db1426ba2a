// What a model will take before anything of it is loaded, for `wisp fit` and for refusing early. Counts are this
// file's, the sizes of layouts the backend's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/result.h"
#include "gguf/tensor_type.h"
#include "graph/graph.h"

namespace wisp::model {

// How a backend lays things out (for the CPU: cpu::packed_bytes and cpu::kv_block_bytes).
struct LayoutBytes {
  std::function<std::uint64_t(gguf::TensorType type, std::uint32_t rows, std::uint32_t columns)> matrix;
  std::function<std::uint64_t(const graph::KvLayout& layout, graph::KvType type, int group)> kv_block;
};

struct MemoryRequest {
  std::uint32_t rows = 1;        // row budget of a step
  std::uint32_t logit_rows = 1;  // of them wanting logits at most
  graph::KvType kv = graph::KvType::f16;
  std::span<const std::uint32_t> kv_blocks;  // by group
};

struct MemoryEstimate {
  std::uint64_t weights = 0;  // matrices as the backend packs them, vectors as f32; tables stay in the file
  std::uint64_t kv = 0;
  std::uint64_t activations = 0;  // the arena of the largest plan
  std::uint64_t total = 0;
};

// `graph` is fused as it will run. Code::out_of_memory where the sum fits no 64-bit number.
Result<MemoryEstimate> estimate_memory(const std::shared_ptr<const graph::Graph>& graph, const MemoryRequest& request,
                                       const LayoutBytes& layout);

}  // namespace wisp::model
