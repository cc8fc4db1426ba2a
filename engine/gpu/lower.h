// From the ops of a plan to the dispatches of a program: which kernels, with which constants and buffers.
#pragma once

#include "base/result.h"
#include "gpu/kv_pool.h"
#include "gpu/program.h"
#include "gpu/step_writer.h"
#include "gpu/weights/device_weights.h"
#include "graph/plan.h"

namespace wisp::gpu {

// What lowering draws on. All outlive the call.
struct LowerContext {
  const Device& device;
  Pipelines& pipelines;
  const DeviceWeights& weights;
  const KvPool& kv;
  const StepWriter& step;
  Binding sampled;             // tokens by place (slot_ring.h)
  Binding results;             // tokens of this step by sample
  bool int8 = false;           // activations rounded to int8 for quantised weights
  bool deterministic = false;  // one kernel per weight whatever the rows
};

// Starts compiling what is new. Code::limit where the device cannot hold the plan's activations.
Result<Program> lower(const graph::Plan& plan, const LowerContext& context);

}  // namespace wisp::gpu
