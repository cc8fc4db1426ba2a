#include "model/memory_estimate.h"

#include <algorithm>
#include <initializer_list>

#include "base/checked.h"
#include "graph/plan.h"

namespace wisp::model {
namespace {

// A sum that sticks at "does not fit".
struct Sum {
  std::optional<std::uint64_t> bytes = 0;
  void add(std::optional<std::uint64_t> more) { bytes = bytes && more ? checked_add(*bytes, *more) : std::nullopt; }
};

}  // namespace

Result<MemoryEstimate> estimate_memory(const std::shared_ptr<const graph::Graph>& graph, const MemoryRequest& request,
                                       const LayoutBytes& layout) {
  if (graph == nullptr || request.kv_blocks.size() != graph->kv.groups.size()) {
    return fail(Code::invalid_argument, "a memory estimate needs a block count for each KV group");
  }
  const std::uint32_t rows = graph::row_bucket(request.rows);
  WISP_TRY(const graph::Plan plan, graph::make_plan(graph, rows, std::min(request.logit_rows, rows)));

  Sum weights;
  for (const graph::Weight& weight : graph->weights) {
    if (weight.use.matrix) weights.add(layout.matrix(weight.type, weight.rows, weight.columns));
    if (weight.use.vector) weights.add(std::uint64_t{weight.columns} * sizeof(float));
  }
  Sum kv;
  for (std::size_t g = 0; g < request.kv_blocks.size(); ++g) {
    const std::uint64_t block = layout.kv_block(graph->kv, request.kv, static_cast<int>(g));
    kv.add(checked_mul<std::uint64_t>(block, request.kv_blocks[g]));
  }
  Sum total;
  for (const std::optional<std::uint64_t> part : {weights.bytes, kv.bytes, std::optional(plan.arena_bytes)}) {
    total.add(part);
  }
  if (!total.bytes) return fail(Code::out_of_memory, "the model and its context fit no memory at all");
  return MemoryEstimate{*weights.bytes, *kv.bytes, plan.arena_bytes, *total.bytes};
}

}  // namespace wisp::model
