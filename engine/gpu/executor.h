// The GPU backend: runs plans on a WebGPU device, native or a page's, with kernels generated for it. It works by itself
// (graph/async_executor.h), and lives through the loss of its device.
#pragma once

#include <functional>
#include <memory>

#include "base/result.h"
#include "gpu/device/device.h"
#include "gpu/kernels/attention.h"
#include "gpu/storage.h"
#include "gpu/tuner/tuner.h"
#include "graph/executor.h"

namespace wisp::gpu {

struct GpuOptions {
  // Makes the device, and another one after a loss. nullptr: it was asked for and is not there yet; ask again.
  std::function<Result<std::unique_ptr<Device>>()> make_device;
  // Activations rounded to int8 for quantised weights, where the device multiplies packed integers.
  bool int8 = true;
  // One kernel per weight whatever the number of rows, so that a sequence's tokens do not depend on its company.
  bool deterministic = false;
  // Plain: scores, softmax and values in three steps; for comparison.
  AttentionPath attention = AttentionPath::flash;
  TuneMode tune = TuneMode::fast;
  // Keeps what was tuned and which kernels a model needs from run to run; nullptr: nothing is kept.
  std::shared_ptr<Storage> storage = nullptr;
};

// Code::device when there is no device, or not yet. Graph and file of load_weights() must outlive the executor: they
// are read again after a loss.
Result<std::unique_ptr<graph::Executor>> make_gpu_executor(GpuOptions options);

}  // namespace wisp::gpu
