// From the ops of a plan to the dispatches of a program: which kernels, with which constants and buffers.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/result.h"
#include "gpu/kernels/attention.h"
#include "gpu/kv_pool.h"
#include "gpu/program.h"
#include "gpu/step_writer.h"
#include "gpu/tuner/tuning_task.h"
#include "gpu/weights/device_weights.h"
#include "graph/plan.h"

namespace wisp::gpu {

// What may be done in several ways, by its key.
struct Question {
  std::function<TuningRequest(double importance)> request;
  std::uint32_t rows = 1;
  std::uint64_t bytes = 0;  // that it concerns in all: of weights, or of keys and values
};
using Questions = std::map<std::string, Question>;
// The way's name by the question's key.
using Choices = std::map<std::string, std::string, std::less<>>;

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
// How the tuner would have the plan's keys lie, where its layers disagree as most of them.
KeyOrder chosen_key_order(const graph::Plan& plan, const LowerContext& context);
// What the tuner may be asked about the plan; compiles nothing.
Status ask(const graph::Plan& plan, LowerContext context, Questions& questions);

}  // namespace wisp::gpu
