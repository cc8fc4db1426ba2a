// What an adapter does not tell is found out by running small kernels once.
#pragma once

#include "base/result.h"
#include "gpu/device/device.h"

namespace wisp::gpu {

// Fills in the subgroup size and whether packed dot products compile. Waits; Code::device when the device computes
// nothing at all, or something wrong.
Status complete_info(Device& device, DeviceInfo& info);

}  // namespace wisp::gpu
