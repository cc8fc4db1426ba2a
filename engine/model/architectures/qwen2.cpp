// Qwen 2 and 2.5: Llama with biases on q, k and v and split-half RoPE.
#include "model/architectures.h"

namespace wisp::model {

void build_qwen2(GraphBuilder& b) {
  const int rope = b.rope(graph::RopePairing::split_halves);
  const float scale = b.attention_scale();
  graph::ValueId x = b.embed();
  for (std::uint32_t layer = 0; b.begin_layer(layer); ++layer) {
    graph::ValueId y = b.norm(x, "attn_norm");
    y = b.attention(y, {.rope = rope, .scale = scale});
    x = b.add(x, y, "attn_residual");
    y = b.norm(x, "ffn_norm");
    y = b.gated_feed_forward(y, graph::Activation::silu);
    x = b.add(x, y, "ffn_residual");
  }
  b.output(x);
}

}  // namespace wisp::model
