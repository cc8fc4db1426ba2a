// What a backend adds that works by itself, as a GPU does: steps are submitted and their results collected later, so
// that several are in flight and the host never has to wait where it cannot (a page). A backend that has this also runs
// Executor::execute() where can_wait().
//
// Steps run in the order of submission, each after all that the ones before it wrote: a later step may read KV, or take
// over a block or a slot, that an earlier one in flight still works on.
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
  std::uint32_t slot = 0;       // of one sample of the step only
  float temperature = 0.0f;     // zero or less: greedy
  std::int32_t top_k = 0;       // zero or less: all
  float top_p = 1.0f;
  float min_p = 0.0f;
  float repeat_penalty = 1.0f;
  float frequency_penalty = 0.0f;
  float presence_penalty = 0.0f;
  std::uint64_t seed = 0;
  std::uint64_t position = 0;  // of the token being chosen; with the seed it decides the draw
  // What the penalties look at, exactly: `history`, then the last `unread` tokens that were sampled into the slot,
  // which the host does not know yet (fewer than max_steps_in_flight()). Nothing where no penalty is set.
  std::span<const std::int32_t> history;
  std::uint32_t unread = 0;
  std::span<const std::pair<std::int32_t, float>> bias;
  std::span<const std::uint32_t> mask;  // a bit per token that may be chosen, 32 a word; empty: all
};

enum class StepTicket : std::uint64_t {};

struct StepOutput {
  // [samples], in the order they were asked; negative where there was nothing to choose (only NaN and -infinity). A
  // later step that takes such a token from its slot computes what nobody will read, from any token.
  std::span<const std::int32_t> tokens;
  std::span<const float> logits;  // [rows asked for, vocabulary]
};

// What stands between a device and its next step.
enum class Pending : std::uint8_t {
  device,  // it is at work itself
  host,    // another poll() does more of it at once
  data,    // the file's source lacks the weights that a new device needs
};

class AsyncExecutor {
 public:
  virtual ~AsyncExecutor() = default;

  // Lets the device's work move on: compiling, tuning, steps, recovery after a loss, of whose loading it does a bounded
  // piece. True: ready to take steps of every plan that was prepared. An error is final: no device is to be had.
  virtual Result<bool> poll() = 0;
  // Why the last poll() was false.
  [[nodiscard]] virtual Pending pending() const { return Pending::device; }
  // False where the caller must return to its event loop for anything to happen.
  [[nodiscard]] virtual bool can_wait() const = 0;
  // Blocks until something happened that poll(), load_more() or collect() may tell. Only where can_wait(), and only
  // while one of them waits for the device.
  virtual Status wait() = 0;

  // How often the device was lost. With each loss everything on it is gone but weights and plans, which are restored
  // before poll() says true again: KV, tokens in slots, and steps in flight, whose tickets are void. Counts before any
  // call tells of the loss with Code::device.
  [[nodiscard]] virtual std::uint64_t losses() const = 0;

  [[nodiscard]] virtual std::uint32_t slots() const = 0;  // for sampled tokens
  [[nodiscard]] virtual std::uint32_t max_steps_in_flight() const = 0;
  // Whether the device can draw this sample itself; otherwise the host does, from logits.
  [[nodiscard]] virtual bool can_sample(const DeviceSample& sample) const = 0;

  // Records and submits a step; prepare(plan) came before, and poll() said true. Spans are read before it returns.
  // `read_logits` [n], ascending: the indices into StepInputs::logit_rows whose logits the host wants to see.
  // Code::device: the device was lost.
  virtual Result<StepTicket> submit(const Plan& plan, const StepInputs& step, std::span<const DeviceSample> samples,
                                    std::span<const std::uint32_t> read_logits) = 0;
  // The result of the oldest step in flight once it is there, else nothing; valid until the next collect(). Every step
  // is collected, in the order of submission, unless a loss voids it.
  virtual Result<std::optional<StepOutput>> collect(StepTicket ticket) = 0;
};

}  // namespace wisp::graph
