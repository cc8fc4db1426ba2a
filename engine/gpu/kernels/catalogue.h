// Every kernel that is generated for a device, in the shapes of a 1 B llama model: each template with each of its
// switches and each type at least once. For compilers' tests, and for who wants to read one (wisp doctor --print-wgsl).
#pragma once

#include <vector>

#include "base/result.h"
#include "gpu/device/device.h"
#include "gpu/shader/kernel.h"

namespace wisp::gpu {

Result<std::vector<Kernel>> kernel_catalogue(const DeviceInfo& info);

}  // namespace wisp::gpu
