// Llama (1 to 3.3) and the many models of its shape: Mistral, TinyLlama, Yi, SmolLM.
#include "model/architectures.h"

namespace wisp::model {

void build_llama(GraphBuilder& b) {
  const int rope = b.rope(graph::RopePairing::adjacent);
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
