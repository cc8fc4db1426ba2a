// What every fusion pass needs: who writes a value, who reads it, and a way to replace and erase ops that keeps
// Graph::op_layer in step.
#pragma once

#include <cstddef>
#include <vector>

#include "graph/graph.h"

namespace wisp::graph {

// Index of an op in Graph::ops while a Rewrite is open.
using OpIndex = std::size_t;
inline constexpr OpIndex kNoOp = static_cast<OpIndex>(-1);

// One pass over one graph. Ops keep their indices until finish(); each value is written by one op.
class Rewrite {
 public:
  explicit Rewrite(Graph& graph);

  [[nodiscard]] OpIndex size() const { return graph_.ops.size(); }

  // The op at `index` if it is a T and still there.
  template <class T>
  [[nodiscard]] T* get(OpIndex index) {
    return index == kNoOp || erased_[index] ? nullptr : std::get_if<T>(&graph_.ops[index]);
  }
  [[nodiscard]] OpIndex producer(ValueId value) const { return producer_[static_cast<std::size_t>(value)]; }
  // The only op that reads `value`, and reads it once; kNoOp otherwise (the logits are read from outside as well).
  [[nodiscard]] OpIndex only_user(ValueId value) const;
  [[nodiscard]] std::uint32_t width(ValueId value) const {
    return graph_.values[static_cast<std::size_t>(value)].width;
  }

  void erase(OpIndex index);
  // Puts another op in the place of one that is there.
  void replace(OpIndex index, Op op);
  // Drops the erased ops. The Rewrite is of no use afterwards.
  void finish();

 private:
  void note(OpIndex index);
  void forget(OpIndex index);
  Graph& graph_;
  std::vector<OpIndex> producer_;            // by ValueId
  std::vector<std::vector<OpIndex>> users_;  // by ValueId, once per read
  std::vector<bool> erased_;                 // by OpIndex
};

// One weight, one output.
[[nodiscard]] inline bool is_single(const MatMulOp& op) {
  return op.combine == Combine::separate && op.projections.size() == 1;
}
// Nothing at all is fused yet, so anything may follow.
[[nodiscard]] inline bool is_plain(const MatMulOp& op) {
  return is_single(op) && !op.norm && op.activation == Activation::none && op.residual == kNoValue &&
         op.projections[0].bias == kNoWeight && !op.projections[0].head_norm && op.projections[0].rope < 0;
}

}  // namespace wisp::graph
