// The three projections of one input that feed an attention layer, each [+ bias] [+ head norm] [+ RoPE], and the KV
// write of two of them  =>  one matmul (Combine::qkv). A ScaleOp on q stays behind it.
#include <algorithm>
#include <array>
#include <optional>

#include "graph/passes/fusions.h"
#include "graph/passes/rewrite.h"

namespace wisp::graph {
namespace {

// matmul [-> bias] [-> head norm] [-> rope], each step read by the next alone.
struct Chain {
  Projection projection;
  ValueId in = kNoValue;
  OpIndex matmul = kNoOp;
  std::vector<OpIndex> ops;  // all of them, the matmul included
};

// Walks from `value` up to the matmul it comes from.
std::optional<Chain> find_chain(Rewrite& rewrite, ValueId value) {
  Chain chain;
  const auto step_up = [&](OpIndex at, ValueId input) {
    chain.ops.push_back(at);
    return rewrite.only_user(input) == at ? rewrite.producer(input) : kNoOp;
  };
  OpIndex at = rewrite.producer(value);
  if (const RopeOp* rope = rewrite.get<RopeOp>(at)) {
    chain.projection.rope = rope->rope;
    chain.projection.head_dim = rope->head_dim;
    at = step_up(at, rope->in);
  }
  if (const NormOp* norm = rewrite.get<NormOp>(at)) {
    if (chain.projection.rope >= 0 && chain.projection.head_dim != norm->norm.group) return std::nullopt;
    chain.projection.head_norm = norm->norm;
    chain.projection.head_dim = norm->norm.group;
    at = step_up(at, norm->in);
  }
  if (const AddBiasOp* bias = rewrite.get<AddBiasOp>(at)) {
    chain.projection.bias = bias->bias;
    at = step_up(at, bias->in);
  }
  const MatMulOp* matmul = rewrite.get<MatMulOp>(at);
  if (matmul == nullptr || !is_plain(*matmul)) return std::nullopt;
  chain.ops.push_back(at);
  chain.matmul = at;
  chain.in = matmul->in;
  chain.projection.weight = matmul->projections[0].weight;
  chain.projection.out = value;
  return chain;
}

// The attention op of the layer that is written at `write`; kNoOp when it reads before the write or is not there.
OpIndex attention_after(Rewrite& rewrite, OpIndex write, int layer) {
  for (OpIndex i = write; i < rewrite.size(); ++i) {
    if (const AttentionOp* op = rewrite.get<AttentionOp>(i); op != nullptr && op->layer == layer) return i;
    if (const KvWriteOp* op = rewrite.get<KvWriteOp>(i); op != nullptr && i != write) break;
  }
  return kNoOp;
}

// Does an op of [first, last) attend to `layer`? Then the layer's KV write must not move before it.
bool reads_store(Rewrite& rewrite, OpIndex first, OpIndex last, int layer) {
  for (OpIndex i = first; i < last; ++i) {
    if (const AttentionOp* op = rewrite.get<AttentionOp>(i); op != nullptr && op->layer == layer) return true;
  }
  return false;
}

// q before the ScaleOp that may stand between it and the attention.
ValueId unscaled_query(Rewrite& rewrite, ValueId q) {
  const ScaleOp* scale = rewrite.get<ScaleOp>(rewrite.producer(q));
  return scale == nullptr ? q : scale->in;
}

}  // namespace

void fuse_qkv(Graph& graph) {
  Rewrite rewrite(graph);
  for (OpIndex i = 0; i < rewrite.size(); ++i) {
    const KvWriteOp* write = rewrite.get<KvWriteOp>(i);
    if (write == nullptr || write->k == write->v) continue;
    const OpIndex at_attention = attention_after(rewrite, i, write->layer);
    if (at_attention == kNoOp) continue;
    std::optional<Chain> q = find_chain(rewrite, unscaled_query(rewrite, rewrite.get<AttentionOp>(at_attention)->q));
    std::optional<Chain> k = find_chain(rewrite, write->k);
    std::optional<Chain> v = find_chain(rewrite, write->v);
    if (!q || !k || !v || q->in != k->in || q->in != v->in) continue;
    if (q->matmul == k->matmul || rewrite.only_user(write->k) != i || rewrite.only_user(write->v) != i) continue;
    // At the first of the matmuls: its input is there, and every reader of q and of the KV store comes later.
    const OpIndex place = std::min({q->matmul, k->matmul, v->matmul});
    if (reads_store(rewrite, place, i, write->layer)) continue;

    MatMulOp fused{};
    fused.in = q->in;
    k->projection.out = kNoValue;
    v->projection.out = kNoValue;
    fused.projections = {q->projection, k->projection, v->projection};
    fused.combine = Combine::qkv;
    fused.kv_layer = write->layer;
    rewrite.erase(i);
    for (const Chain* chain : {&*q, &*k, &*v}) {
      for (const OpIndex gone : chain->ops) rewrite.erase(gone);
    }
    rewrite.replace(place, fused);
  }
  rewrite.finish();
}

}  // namespace wisp::graph
