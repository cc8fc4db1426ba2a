// Choosing the next tokens on the device (wgsl/argmax_parts.wgsl, wgsl/argmax_join.wgsl). Which rows of logits, and
// where the tokens go, stands in the step buffer (StepWord::samples).
#pragma once

#include <cstdint>

#include "base/result.h"
#include "gpu/device/device.h"
#include "gpu/shader/kernel.h"

namespace wisp::gpu {

// Words of one sample in the step buffer: the row of logits, and the place of its token among the sampled ones.
inline constexpr std::uint32_t kSampleWords = 2;

// Logits that one workgroup looks at: 16 for each of its 256 lanes.
inline constexpr std::uint32_t kArgmaxPart = 4096;

// Of each part of each sample's row the largest logit and its lowest token, as order keys (wgsl/order.wgsl).
struct ArgmaxPartsConstants {
  std::uint32_t logits = 0;    // [logit rows][vocabulary]
  std::uint32_t partials = 0;  // [samples][parts][key, token]
  std::uint32_t vocabulary = 0, parts = 0;
};
Result<Kernel> argmax_parts_kernel(const DeviceInfo& info);
Grid argmax_parts_grid(std::uint32_t vocabulary);

// From these the token: to its place among the sampled ones (binding 0 of group 1), and to the step's results (binding
// 1), by sample. -1 where there was nothing but NaN and -infinity.
struct ArgmaxJoinConstants {
  std::uint32_t partials = 0, parts = 0;
};
Result<Kernel> argmax_join_kernel(const DeviceInfo& info);
Grid argmax_join_grid();

}  // namespace wisp::gpu
