#include "graph/scalar_ops.h"

#include <array>
#include <cmath>

namespace wisp::graph::scalar {

void rms_norm(std::span<const float> x, std::span<const float> weight, float eps, std::span<float> out) {
  std::array<float, 16> lanes{};
  for (std::size_t i = 0; i < x.size(); ++i) lanes[i % 16] = std::fma(x[i], x[i], lanes[i % 16]);
  for (std::size_t apart = 8; apart > 0; apart /= 2) {
    for (std::size_t i = 0; i < apart; ++i) lanes[i] += lanes[i + apart];
  }
  const float factor = 1.0f / std::sqrt(lanes[0] / static_cast<float>(x.size()) + eps);
  for (std::size_t i = 0; i < x.size(); ++i) out[i] = x[i] * factor * weight[i];
}

float activate(Activation function, float x) {
  switch (function) {
    case Activation::none: return x;
    case Activation::silu: return x / (1.0f + std::exp(-x));
    case Activation::gelu_tanh: {
      // 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))  (Hendrycks and Gimpel, arXiv 1606.08415)
      const float inner = 0.797884561f * (x + 0.044715f * x * x * x);
      return 0.5f * x * (1.0f + std::tanh(inner));
    }
  }
  return x;
}

float softcap(float x, float cap) { return cap * std::tanh(x / cap); }

void rope(const RopeSpec& spec, std::int64_t position, float magnitude, std::uint32_t head_dim, std::span<float> row) {
  const std::size_t pairs = spec.inverse_frequency.size();
  const bool adjacent = spec.pairing == RopePairing::adjacent;
  for (std::size_t i = 0; i < pairs; ++i) {
    const double angle = static_cast<double>(position) * spec.inverse_frequency[i];
    const float cosine = static_cast<float>(std::cos(angle)) * magnitude;
    const float sine = static_cast<float>(std::sin(angle)) * magnitude;
    const std::size_t first = adjacent ? 2 * i : i;
    const std::size_t second = adjacent ? 2 * i + 1 : i + pairs;
    for (std::size_t head = 0; head < row.size(); head += head_dim) {
      const float a = row[head + first];
      const float b = row[head + second];
      row[head + first] = a * cosine - b * sine;
      row[head + second] = a * sine + b * cosine;
    }
  }
}

}  // namespace wisp::graph::scalar
