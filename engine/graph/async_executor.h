// What a backend adds that works by itself, as a GPU does: steps are submitted and their results collected later, so
// that several are in flight and the host never has to wait where it cannot (a page). A backend that has this also runs
// Executor::execute() where can_wait().
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"
#include "graph/executor.h"

namespace wisp::graph {

// How the device chooses the next token from one row of logits: the sampler's parameters (sample/params.h) in plain
// form, so that the device draws the token that the host would have drawn. The token goes to `slot`, from where a later
// step takes it (StepInputs::tokens: -1 - slot), and to the host when the step is collected.
struct DeviceSample {
  std::uint32_t logit_row = 0;  // index into StepInputs::logit_rows
  std::uint32_t slot = 0;
  float temperature = 0.0f;  // zero or less: greedy
  std::int32_t top_k = 0;    // zero or less: all
  float top_p = 1.0f;
  float min_p = 0.0f;
  float repeat_penalty = 1.0f;
  float frequency_penalty = 0.0f;
  float presence_penalty = 0.0f;
  std::int32_t penalty_last_n = 0;  // -1: all
  std::uint64_t seed = 0;
  std::uint64_t position = 0;  // of the token being chosen
  // Tokens so far that the penalties may look at, oldest first, as far as the host knows them; empty where no penalty
  // is set. Tokens of the slot that were sampled since are the device's to add.
  std::span<const std::int32_t> history;
  std::span<const std::pair<std::int32_t, float>> bias;
  std::span<const std::uint32_t> mask;  // a bit per token that may be chosen, 32 a word; empty: all
};

enum class StepTicket : std::uint64_t {};

struct StepOutput {
  std::span<const std::int32_t> tokens;  // [samples], in the order they were asked
  std::span<const float> logits;         // [logit rows, vocabulary]; empty unless asked for
};

class AsyncExecutor {
 public:
  virtual ~AsyncExecutor() = default;

  // Lets the device's work move on: compiling, tuning, steps, recovery after a loss. True: ready to take steps.
  virtual Result<bool> poll() = 0;
  // False where the caller must return to its event loop for anything to happen.
  [[nodiscard]] virtual bool can_wait() const = 0;
  // Blocks until something happened that poll() or collect() may tell. Only where can_wait().
  virtual Status wait() = 0;

  [[nodiscard]] virtual std::uint32_t slots() const = 0;  // for sampled tokens
  [[nodiscard]] virtual std::uint32_t max_steps_in_flight() const = 0;
  // Whether the device can draw this sample itself; otherwise the host does, from logits.
  [[nodiscard]] virtual bool can_sample(const DeviceSample& sample) const = 0;

  // Records and submits a step; prepare(plan) came before. Spans are read before it returns. Code::device: the device
  // was lost; poll() until it is back, then compute again what was in flight.
  virtual Result<StepTicket> submit(const Plan& plan, const StepInputs& step, std::span<const DeviceSample> samples,
                                    bool want_logits) = 0;
  // The result of a step once it is there, in the order of submission; valid until the next collect().
  virtual Result<std::optional<StepOutput>> collect(StepTicket ticket) = 0;
};

}  // namespace wisp::graph
