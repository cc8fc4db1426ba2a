// matmul -> add bias -> activation (either may be missing)  =>  one matmul.
#include "graph/passes/fusions.h"
#include "graph/passes/rewrite.h"

namespace wisp::graph {
namespace {

// The bias comes before head norm, RoPE, activation and residual, so none of them may be there yet.
bool takes_bias(const MatMulOp& op) {
  const Projection& projection = op.projections[0];
  return projection.bias == kNoWeight && !projection.head_norm && projection.rope < 0 &&
         op.activation == Activation::none && op.residual == kNoValue;
}

bool takes_activation(const MatMulOp& op) {
  const Projection& projection = op.projections[0];
  return !projection.head_norm && projection.rope < 0 && op.activation == Activation::none && op.residual == kNoValue;
}

}  // namespace

void fuse_bias_activation(Graph& graph) {
  Rewrite rewrite(graph);
  for (OpIndex i = 0; i < rewrite.size(); ++i) {
    const MatMulOp* matmul = rewrite.get<MatMulOp>(i);
    if (matmul == nullptr || !is_single(*matmul)) continue;
    MatMulOp fused = *matmul;
    OpIndex user = rewrite.only_user(fused.projections[0].out);
    if (const AddBiasOp* bias = rewrite.get<AddBiasOp>(user); bias != nullptr && takes_bias(fused)) {
      fused.projections[0].bias = bias->bias;
      fused.projections[0].out = bias->out;
      rewrite.erase(user);
      rewrite.replace(i, fused);
      user = rewrite.only_user(fused.projections[0].out);
    }
    if (const ActivationOp* activation = rewrite.get<ActivationOp>(user);
        activation != nullptr && takes_activation(fused)) {
      fused.activation = activation->function;
      fused.projections[0].out = activation->out;
      rewrite.erase(user);
      rewrite.replace(i, fused);
    }
  }
  rewrite.finish();
}

}  // namespace wisp::graph
