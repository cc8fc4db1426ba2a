// activation(gate(x)) * up(x), each with or without a bias  =>  one gated matmul.
#include <utility>

#include "graph/passes/fusions.h"
#include "graph/passes/rewrite.h"

namespace wisp::graph {
namespace {

// A plain matmul, or a plain matmul and the bias added to it, that ends in `value` and serves nothing else.
struct Linear {
  OpIndex matmul = kNoOp;
  OpIndex bias = kNoOp;  // kNoOp where there is none
};

Linear find_linear(Rewrite& rewrite, ValueId value) {
  Linear found;
  if (rewrite.only_user(value) == kNoOp) return found;
  OpIndex at = rewrite.producer(value);
  if (const AddBiasOp* bias = rewrite.get<AddBiasOp>(at)) {
    found.bias = at;
    if (rewrite.only_user(bias->in) == kNoOp) return {};
    at = rewrite.producer(bias->in);
  }
  const MatMulOp* matmul = rewrite.get<MatMulOp>(at);
  if (matmul == nullptr || !is_plain(*matmul)) return {};
  found.matmul = at;
  return found;
}

Projection projection_of(Rewrite& rewrite, const Linear& linear) {
  Projection projection = rewrite.get<MatMulOp>(linear.matmul)->projections[0];
  projection.out = kNoValue;
  if (const AddBiasOp* bias = rewrite.get<AddBiasOp>(linear.bias)) projection.bias = bias->bias;
  return projection;
}

}  // namespace

void fuse_gate_up(Graph& graph) {
  Rewrite rewrite(graph);
  for (OpIndex i = 0; i < rewrite.size(); ++i) {
    const MulOp* product = rewrite.get<MulOp>(i);
    if (product == nullptr) continue;
    // Either factor may be the activated one; a product is the same bits both ways.
    ValueId activated = product->a;
    ValueId other = product->b;
    if (rewrite.get<ActivationOp>(rewrite.producer(activated)) == nullptr) std::swap(activated, other);
    const OpIndex at_activation = rewrite.producer(activated);
    const ActivationOp* activation = rewrite.get<ActivationOp>(at_activation);
    if (activation == nullptr || rewrite.only_user(activated) != i) continue;
    const Linear gate = find_linear(rewrite, activation->in);
    const Linear up = find_linear(rewrite, other);
    if (gate.matmul == kNoOp || up.matmul == kNoOp) continue;
    const ValueId in = rewrite.get<MatMulOp>(gate.matmul)->in;
    if (rewrite.get<MatMulOp>(up.matmul)->in != in || rewrite.width(activated) != rewrite.width(other)) continue;

    MatMulOp fused{};
    fused.in = in;
    fused.projections = {projection_of(rewrite, gate), projection_of(rewrite, up)};
    fused.combine = Combine::gated;
    fused.activation = activation->function;
    fused.out = product->out;
    for (const OpIndex gone : {gate.matmul, gate.bias, up.matmul, up.bias, at_activation}) {
      if (gone != kNoOp) rewrite.erase(gone);
    }
    rewrite.replace(i, fused);
  }
  rewrite.finish();
}

}  // namespace wisp::graph
