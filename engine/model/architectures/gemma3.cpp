// Gemma 3 (text): five local layers to a global one, each kind with a RoPE base of its own, head norms instead of a
// soft cap on the scores.
#include <cmath>

#include "model/architectures.h"

namespace wisp::model {
namespace {

// The 27B model, known by its depth, scales queries by the width per head instead of the head size; the files say
// neither.
constexpr std::uint32_t kLayersOfGemma3With27B = 62;

}  // namespace

void build_gemma3(GraphBuilder& b) {
  const int global_rope = b.rope(graph::RopePairing::split_halves);
  // Local layers turn by their own base and are never scaled.
  const float local_base = b.number_or("rope.freq_base_swa", 1e-3f, 1e30f, 10000.0f);
  const int local_rope = b.plain_rope(graph::RopePairing::split_halves, local_base);
  const Hyperparameters& h = b.hyper();
  const float scale = b.attention_scale(h.layers == kLayersOfGemma3With27B ? h.d_model / h.heads : 0);
  const float logit_cap = b.number_or("final_logit_softcapping", 0.0f, 1e9f, 0.0f);
  const std::uint32_t window = b.count_or("attention.sliding_window", 0, 1u << 30, 0);
  const std::vector<bool> slides = b.sliding_layers(6);

  graph::ValueId x = b.scale(b.embed(), std::sqrt(static_cast<float>(h.d_model)), "embedding.scaled");
  for (std::uint32_t layer = 0; b.begin_layer(layer); ++layer) {
    const bool local = slides[layer];
    graph::ValueId y = b.norm(x, "attn_norm");
    y = b.attention(
        y,
        {.rope = local ? local_rope : global_rope, .scale = scale, .window = local ? window : 0, .head_norms = true});
    x = b.add(b.norm(y, "post_attention_norm"), x, "attn_residual");
    y = b.norm(x, "ffn_norm");
    y = b.gated_feed_forward(y, graph::Activation::gelu_tanh);
    x = b.add(b.norm(y, "post_ffw_norm"), x, "ffn_residual");
  }
  b.output(x, logit_cap);
}

}  // namespace wisp::model
