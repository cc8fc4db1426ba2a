// norm over whole rows -> the only matmul that reads it  =>  matmul that normalises its input.
#include "graph/passes/fusions.h"
#include "graph/passes/rewrite.h"

namespace wisp::graph {

void fuse_norm_matmul(Graph& graph) {
  Rewrite rewrite(graph);
  for (OpIndex i = 0; i < rewrite.size(); ++i) {
    const NormOp* norm = rewrite.get<NormOp>(i);
    if (norm == nullptr || norm->norm.group != rewrite.width(norm->in)) continue;
    const OpIndex user = rewrite.only_user(norm->out);
    const MatMulOp* matmul = rewrite.get<MatMulOp>(user);
    if (matmul == nullptr || matmul->in != norm->out || matmul->norm) continue;
    MatMulOp fused = *matmul;
    fused.norm = norm->norm;
    fused.in = norm->in;
    rewrite.erase(i);
    rewrite.replace(user, fused);
  }
  rewrite.finish();
}

}  // namespace wisp::graph
