#include "cpu/memory_needs.h"

#include "base/checked.h"
#include "cpu/kv_store.h"
#include "cpu/repack.h"
#include "cpu/step_context.h"

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

}  // namespace

ScratchNeeds scratch_needs(const graph::Plan& plan, std::span<const std::uint32_t> kv_blocks, int threads) {
  ScratchNeeds needs;
  add_matmul_needs(plan, needs);
  add_attention_needs(plan, kv_blocks, threads, needs);
  for (const graph::RopeSpec& spec : plan.graph->ropes)
    needs.rope += std::uint64_t{plan.max_rows} * 2 * spec.inverse_frequency.size() * sizeof(float);
  return needs;
}

MemoryNeeds memory_needs(const graph::Plan& largest, graph::KvType kv_type, std::span<const std::uint32_t> kv_blocks,
                         int threads, bool repack) {
  MemoryNeeds needs;
  add_weights(*largest.graph, repack, needs);
  for (std::size_t group = 0; group < kv_blocks.size(); ++group) {
    needs.kv += kv_block_bytes(largest.graph->kv, kv_type, static_cast<int>(group)) * kv_blocks[group];
  }
  needs.activations = largest.arena_bytes + scratch_needs(largest, kv_blocks, threads).total(threads);
  return needs;
}

}  // namespace wisp::cpu
