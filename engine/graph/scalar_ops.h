// The row-wise ops in plain scalar code, in exactly the order of additions that the SIMD kernels keep, so that both
// agree to the bit where no exp or tanh is involved.
#pragma once

#include <cstdint>
#include <span>

#include "graph/graph.h"

namespace wisp::graph::scalar {

// out may be x. The squares are summed in 16 lanes (lane i takes elements i, i + 16, ...) with FMA, the lanes are
// joined pairwise 8, 4, 2 and 1 apart.
void rms_norm(std::span<const float> x, std::span<const float> weight, float eps, std::span<float> out);

[[nodiscard]] float activate(Activation function, float x);
[[nodiscard]] float softcap(float x, float cap);

// Rotates every head of a row in place, `position` steps (negative: backwards) times `magnitude`.
void rope(const RopeSpec& spec, std::int64_t position, float magnitude, std::uint32_t head_dim, std::span<float> row);

}  // namespace wisp::graph::scalar
