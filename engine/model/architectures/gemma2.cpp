// Gemma 2: norms before and after each block, local layers alternating with global ones, soft caps on attention scores
// and logits. The +1 of its norm weights is already in the file.
#include <cmath>

#include "model/architectures.h"

namespace wisp::model {
namespace {

// The 27B model, known by its depth, scales queries by the width per head instead of the head size; the files say
// neither.
constexpr std::uint32_t kLayersOfGemma2With27B = 46;

}  // namespace

void build_gemma2(GraphBuilder& b) {
  const int rope = b.rope(graph::RopePairing::split_halves);
  const Hyperparameters& h = b.hyper();
  const float scale = b.attention_scale(h.layers == kLayersOfGemma2With27B ? h.d_model / h.heads : 0);
  const float score_cap = b.number_or("attn_logit_softcapping", 0.0f, 1e9f, 50.0f);
  const float logit_cap = b.number_or("final_logit_softcapping", 0.0f, 1e9f, 30.0f);
  const std::uint32_t window = b.count_or("attention.sliding_window", 0, 1u << 30, 4096);
  const std::vector<bool> slides = b.sliding_layers(2);

  graph::ValueId x = b.scale(b.embed(), std::sqrt(static_cast<float>(h.d_model)), "embedding.scaled");
  for (std::uint32_t layer = 0; b.begin_layer(layer); ++layer) {
    graph::ValueId y = b.norm(x, "attn_norm");
    y = b.attention(y, {.rope = rope, .scale = scale, .softcap = score_cap, .window = slides[layer] ? window : 0});
    x = b.add(b.norm(y, "post_attention_norm"), x, "attn_residual");
    y = b.norm(x, "ffn_norm");
    y = b.gated_feed_forward(y, graph::Activation::gelu_tanh);
    x = b.add(b.norm(y, "post_ffw_norm"), x, "ffn_residual");
  }
  b.output(x, logit_cap);
}

}  // namespace wisp::model
