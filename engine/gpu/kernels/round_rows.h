// Rows of x rounded once for all workgroups that multiply them (wgsl/round_rows.wgsl), to int8 or to f16.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "gpu/device/device.h"
#include "gpu/shader/kernel.h"

namespace wisp::gpu {

class Defines;

struct RoundConstants {
  std::uint32_t x = 0, out = 0;  // [rows, columns], and rounded_words()
  std::uint32_t row_set = 0;
};
Result<Kernel> round_kernel(std::uint32_t columns, bool halves, const DeviceInfo& info);
Grid round_grid(Extent::Of rows);

// What rows of x take, rounded to f16 or to int8.
std::uint64_t rounded_words(std::uint32_t rows, std::uint32_t columns, bool halves);
// For kernels that read them (wgsl/rounded_x.wgsl).
void define_rounded(Defines& defines, std::uint32_t columns, bool halves);

}  // namespace wisp::gpu
