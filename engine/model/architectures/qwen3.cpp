// Qwen 3: a norm on every head of q and k, no biases, a head size of its own.
#include "model/architectures.h"

namespace wisp::model {

void build_qwen3(GraphBuilder& b) {
  const int rope = b.rope(graph::RopePairing::split_halves);
  const float scale = b.attention_scale();
  graph::ValueId x = b.embed();
  for (std::uint32_t layer = 0; b.begin_layer(layer); ++layer) {
    graph::ValueId y = b.norm(x, "attn_norm");
    y = b.attention(y, {.rope = rope, .scale = scale, .head_norms = true});
    x = b.add(x, y, "attn_residual");
    y = b.norm(x, "ffn_norm");
    y = b.gated_feed_forward(y, graph::Activation::silu);
    x = b.add(x, y, "ffn_residual");
  }
  b.output(x);
}

}  // namespace wisp::model
