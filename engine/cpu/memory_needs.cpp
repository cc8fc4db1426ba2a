#include "cpu/memory_needs.h"

#include <algorithm>
#include <variant>

#include "base/checked.h"
#include "cpu/kernels.h"
#include "cpu/kv_store.h"
#include "cpu/repack.h"

namespace wisp::cpu {
namespace {

using graph::Weight;

void add_weights(const graph::Graph& graph, bool repack, MemoryNeeds& needs) {
  for (const Weight& weight : graph.weights) {
    const std::uint64_t file_bytes = std::uint64_t{weight.columns} * weight.rows /
                                     gguf::tensor_type_info(weight.type).block_elements *
                                     gguf::tensor_type_info(weight.type).block_bytes;
    if (weight.use.vector)
      needs.weights += align_up<std::uint64_t>(std::uint64_t{4} * weight.columns * weight.rows, 64);
    if (weight.use.matrix && repack) needs.weights += packed_bytes(weight.type, weight.rows, weight.columns);
    if (weight.use.table || (weight.use.matrix && !repack)) needs.in_place += file_bytes;
  }
}

// The inputs of the widest matmul, rounded and normed; k and v before they are stored; a panel and a tile a thread.
std::uint64_t scratch_bytes(const graph::Plan& plan, int threads) {
  constexpr std::uint64_t kTileBytes = 64u << 10;  // 256 rows of 4 panels
  const graph::Graph& graph = *plan.graph;
  std::uint64_t rounded = 0, normed = 0, projected = 0, worker = 0, rope = 0;
  for (const graph::Op& any : graph.ops) {
    const auto* op = std::get_if<graph::MatMulOp>(&any);
    if (op == nullptr) continue;
    const graph::Value& in = graph.values[static_cast<std::size_t>(op->in)];
    const std::uint64_t rows = in.rows == graph::RowSet::step ? plan.max_rows : plan.max_logit_rows;
    rounded = std::max(rounded, rows * (in.width / kBlockColumns) * sizeof(ActivationBlock));
    if (op->norm) normed = std::max(normed, rows * in.width * sizeof(float));
    worker = std::max(worker, in.width * kScratchBytesPerColumn + 4 * kTileBytes);
    std::uint64_t stored = 0;
    for (const graph::Projection& projection : op->projections) {
      if (projection.out != graph::kNoValue || op->combine != graph::Combine::qkv) continue;
      stored += rows * graph.weights[static_cast<std::size_t>(projection.weight)].rows * sizeof(float);
    }
    projected = std::max(projected, stored);
  }
  for (const graph::RopeSpec& spec : graph.ropes)
    rope += plan.max_rows * 2 * spec.inverse_frequency.size() * sizeof(float);
  return rounded + normed + projected + rope + worker * static_cast<std::uint64_t>(threads);
}

}  // namespace

MemoryNeeds memory_needs(const graph::Plan& largest, graph::KvType kv_type, std::span<const std::uint32_t> kv_blocks,
                         int threads, bool repack) {
  MemoryNeeds needs;
  add_weights(*largest.graph, repack, needs);
  for (std::size_t group = 0; group < kv_blocks.size(); ++group) {
    needs.kv += kv_block_bytes(largest.graph->kv, kv_type, static_cast<int>(group)) * kv_blocks[group];
  }
  needs.activations = largest.arena_bytes + scratch_bytes(largest, threads);
  return needs;
}

}  // namespace wisp::cpu
