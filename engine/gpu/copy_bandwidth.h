// What a device's memory can move at best: the measure that decoding is held against.
#pragma once

#include "base/result.h"
#include "gpu/device/device.h"

namespace wisp::gpu {

// Bytes read and written by a second of copying between two large buffers; the median of a few tries, each of about as
// many bytes as a token of a large model reads. Waits. Code::device where the device is lost or has no memory for them.
Result<double> copy_bandwidth(Device& device);

}  // namespace wisp::gpu
