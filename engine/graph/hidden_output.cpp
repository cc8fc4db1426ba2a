#include "graph/hidden_output.h"

#include <algorithm>
#include <variant>

namespace wisp::graph {

Status cut_to_hidden(Graph& graph) {
  const auto makes_it = [&](const Op& op) {
    const std::vector<ValueId> outputs = op_outputs(op);
    return std::ranges::find(outputs, graph.hidden) != outputs.end();
  };
  const auto last = std::ranges::find_if(graph.ops, makes_it);
  if (graph.hidden == kNoValue || last == graph.ops.end()) {
    return fail(Code::unsupported, "this architecture does not say which of its values is an embedding");
  }
  const auto kept = static_cast<std::size_t>(last - graph.ops.begin()) + 1;
  graph.ops.resize(kept, graph.ops.front());
  graph.op_layer.resize(kept);
  for (Weight& weight : graph.weights) weight.use.matrix = false;
  for (const Op& op : graph.ops) {
    const auto* matmul = std::get_if<MatMulOp>(&op);
    if (matmul == nullptr) continue;
    for (const Projection& projection : matmul->projections) {
      graph.weights[static_cast<std::size_t>(projection.weight)].use.matrix = true;
    }
  }
  graph.logits = graph.hidden;
  graph.output = Output::hidden;
  return {};
}

}  // namespace wisp::graph
