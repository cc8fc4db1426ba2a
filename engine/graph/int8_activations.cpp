#include "graph/int8_activations.h"

#include <cmath>

namespace wisp::graph {

float quantize_activation_block(std::span<const float, kActivationBlock> x,
                                std::span<std::int8_t, kActivationBlock> q) {
  float largest = 0.0f;
  for (const float value : x) largest = std::abs(value) > largest ? std::abs(value) : largest;  // passes over NaN
  const float inverse = largest >= 0x1p-120f ? 127.0f / largest : 0.0f;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float rounded = std::nearbyint(x[i] * inverse);  // ties to even in the default rounding mode
    // Out of range only where x is not finite; the comparison is false for NaN.
    const float kept = rounded >= -127.0f ? (rounded <= 127.0f ? rounded : 127.0f) : -127.0f;
    q[i] = static_cast<std::int8_t>(kept);
  }
  return largest / 127.0f;
}

}  // namespace wisp::graph
