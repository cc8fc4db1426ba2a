// The GPU backend: runs plans on a WebGPU device, native or a page's, with kernels generated for it.
#pragma once

#include <functional>
#include <memory>

#include "base/result.h"
#include "gpu/device/device.h"
#include "graph/executor.h"

namespace wisp::gpu {

struct GpuOptions {
  // Makes the device, and another one after a loss.
  std::function<Result<std::unique_ptr<Device>>()> make_device;
  // Activations rounded to int8 for quantised weights, where the device multiplies packed integers.
  bool int8 = true;
  // One kernel per weight whatever the number of rows, so that a sequence's tokens do not depend on its company.
  bool deterministic = false;
};

Result<std::unique_ptr<graph::Executor>> make_gpu_executor(GpuOptions options);

}  // namespace wisp::gpu
