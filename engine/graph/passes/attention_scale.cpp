// scale(q) -> attention  =>  attention that multiplies q as it reads it.
#include "graph/passes/fusions.h"
#include "graph/passes/rewrite.h"

namespace wisp::graph {

void fuse_attention_scale(Graph& graph) {
  Rewrite rewrite(graph);
  for (OpIndex i = 0; i < rewrite.size(); ++i) {
    const ScaleOp* scale = rewrite.get<ScaleOp>(i);
    if (scale == nullptr) continue;
    const OpIndex user = rewrite.only_user(scale->out);
    const AttentionOp* attention = rewrite.get<AttentionOp>(user);
    if (attention == nullptr || attention->scale != 1.0f) continue;
    AttentionOp fused = *attention;
    fused.q = scale->in;
    fused.scale = scale->factor;
    rewrite.erase(i);
    rewrite.replace(user, fused);
  }
  rewrite.finish();
}

}  // namespace wisp::graph
