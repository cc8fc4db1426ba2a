// The int8-activation arithmetic that every integer matmul kernel implements, in scalar form. Per block of 32 inputs:
//   d  = max|x| / 127                       (f32)
//   q  = round_to_nearest_even(x * (127 / max|x|)), 0 where max|x| is below 2^-120: 127 / max|x| would overflow soon
//   after
// A weight block decodes to w = scale * u + minimum with small integers u (symmetric types: minimum = 0 and u signed).
// One output is accumulated over sub-blocks b (of 32 or, where the type has a scale per 16, of 16) in ascending order:
//   y = fma(float(sum_i q_i u_i), scale_b * d, y);   then, for types with a minimum,
//   y = fma(minimum_b, d * float(sum_i q_i), y)
// The integer sums are exact. Kernels that follow this on hardware with FMA agree bit for bit.
#pragma once

#include <cstdint>
#include <span>

namespace wisp::graph {

inline constexpr int kActivationBlock = 32;

// x and q: one block of 32. Returns d. Non-finite inputs give a defined, useless result and never trap.
float quantize_activation_block(std::span<const float, kActivationBlock> x, std::span<std::int8_t, kActivationBlock> q);

}  // namespace wisp::graph
