// matmul -> add(other)  =>  matmul that adds `other` last.
#include "graph/passes/fusions.h"
#include "graph/passes/rewrite.h"

namespace wisp::graph {

void fuse_residual(Graph& graph) {
  Rewrite rewrite(graph);
  for (OpIndex i = 0; i < rewrite.size(); ++i) {
    const MatMulOp* matmul = rewrite.get<MatMulOp>(i);
    if (matmul == nullptr || !is_single(*matmul) || matmul->residual != kNoValue) continue;
    const ValueId product = matmul->projections[0].out;
    const OpIndex user = rewrite.only_user(product);
    const AddOp* add = rewrite.get<AddOp>(user);
    if (add == nullptr) continue;
    MatMulOp fused = *matmul;
    fused.residual = add->a == product ? add->b : add->a;
    fused.projections[0].out = add->out;
    // At the place of the addition, where both inputs are there.
    rewrite.erase(i);
    rewrite.replace(user, fused);
  }
  rewrite.finish();
}

}  // namespace wisp::graph
