// Whether a device's compiler takes the text of every kernel: Tint in Node and Chromium, naga natively and in Firefox.
#pragma once

#include "tests/gpu_device_checks.h"

namespace wisp::test {

GpuCheck compiles_every_kernel(gpu::Device& device);

}  // namespace wisp::test
