// What a device's memory can move at best: the measure that decoding is held against.
#pragma once

#include "base/result.h"
#include "gpu/device/device.h"

namespace wisp::gpu {

// Bytes a second of reading a large buffer, or of copying one (read and written), whichever is more: an H200 copies
// 0.8 TB/s by the driver's command and reads several times that, and software drivers copy faster than they compute.
// The median of a few tries, each of about as many bytes as a token of a large model reads. Waits. Code::device where
// the device is lost or has no memory for them.
Result<double> memory_bandwidth(Device& device);

}  // namespace wisp::gpu
