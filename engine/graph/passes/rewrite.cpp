#include "graph/passes/rewrite.h"

#include <algorithm>
#include <utility>

namespace wisp::graph {

Rewrite::Rewrite(Graph& graph)
    : graph_(graph),
      producer_(graph.values.size(), kNoOp),
      users_(graph.values.size()),
      erased_(graph.ops.size(), false) {
  for (OpIndex i = 0; i < graph.ops.size(); ++i) note(i);
}

OpIndex Rewrite::only_user(ValueId value) const {
  const std::vector<OpIndex>& users = users_[static_cast<std::size_t>(value)];
  return users.size() == 1 && value != graph_.logits ? users[0] : kNoOp;
}

void Rewrite::note(OpIndex index) {
  for (const ValueId id : op_outputs(graph_.ops[index])) producer_[static_cast<std::size_t>(id)] = index;
  for (const ValueId id : op_inputs(graph_.ops[index])) users_[static_cast<std::size_t>(id)].push_back(index);
}

void Rewrite::forget(OpIndex index) {
  for (const ValueId id : op_outputs(graph_.ops[index])) {
    OpIndex& producer = producer_[static_cast<std::size_t>(id)];
    if (producer == index) producer = kNoOp;
  }
  for (const ValueId id : op_inputs(graph_.ops[index])) std::erase(users_[static_cast<std::size_t>(id)], index);
}

void Rewrite::erase(OpIndex index) {
  if (erased_[index]) return;
  forget(index);
  erased_[index] = true;
}

void Rewrite::replace(OpIndex index, Op op) {
  if (!erased_[index]) forget(index);
  erased_[index] = false;
  graph_.ops[index] = std::move(op);
  note(index);
}

void Rewrite::finish() {
  OpIndex kept = 0;
  for (OpIndex i = 0; i < graph_.ops.size(); ++i) {
    if (erased_[i]) continue;
    if (kept != i) {
      graph_.ops[kept] = std::move(graph_.ops[i]);
      graph_.op_layer[kept] = graph_.op_layer[i];
    }
    ++kept;
  }
  graph_.ops.resize(kept, SelectRowsOp{});
  graph_.op_layer.resize(kept);
}

}  // namespace wisp::graph
