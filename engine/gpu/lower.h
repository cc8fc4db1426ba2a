// From the ops of a plan to the dispatches of a program: which kernels, with which constants and buffers.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "gpu/kernels/attention.h"
#include "gpu/kernels/matmul_ways.h"
#include "gpu/kv_pool.h"
#include "gpu/program.h"
#include "gpu/step_writer.h"
#include "gpu/weights/device_weights.h"
#include "graph/plan.h"

namespace wisp::gpu {

// What may be done in several ways, by its key, with the bytes of weights that it concerns in all.
struct Question {
  MatMulQuestion asked;
  std::uint64_t bytes = 0;
};
using Questions = std::map<std::string, Question>;
using Choices = std::map<std::string, MatMulWay, std::less<>>;

// What lowering draws on. All outlive the call.
struct LowerContext {
  const Device& device;
  Pipelines& pipelines;
  const DeviceWeights& weights;
  const KvPool& kv;
  const StepWriter& step;
  Binding sampled;        // tokens by place (slot_ring.h)
  Binding results;        // tokens of this step by sample
  bool rounding = false;  // activations may be rounded: to int8 for quantised weights, to f16 also for those of f16
  bool deterministic = false;  // one kernel per weight whatever the rows
  AttentionPath attention = AttentionPath::flash;
  const Choices* choices = nullptr;  // the tuner's; what is not there goes the best guess' way
  Questions* questions = nullptr;    // set by ask()
};

// Starts compiling what is new. Code::limit where the device cannot hold the plan's activations.
Result<Program> lower(const graph::Plan& plan, LowerContext context);
// What the tuner may be asked about the plan; compiles nothing.
Status ask(const graph::Plan& plan, LowerContext context, Questions& questions);

}  // namespace wisp::gpu
