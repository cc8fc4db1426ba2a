// The fake backend (fake_executor.h) as one that runs by itself: a device whose steps are carried out out of the host's
// sight, poll by poll, that draws tokens with the host's sampler, and that a test can slow down, lose and break. It
// finds out when the engine breaks a rule of graph/async_executor.h.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/async_executor.h"
#include "sample/sampler.h"
#include "tests/fake_executor.h"

namespace wisp::test {

// Where the host hears of a loss.
enum class LossShows : std::uint8_t { in_submit, in_poll, in_collect };

// What a test may decide and look at; FakeControls::broken_rule tells of misuse.
struct DeviceControls {
  bool can_wait = true;
  std::uint32_t slots = 8;
  std::uint32_t max_steps_in_flight = 8;
  // In polls (a wait is as many as it takes): until the device is ready after its start or a loss, and until a step is
  // done after the one before it.
  std::uint32_t polls_to_tell_room = 0;  // before kv_room() knows
  std::uint32_t polls_to_start = 0, polls_to_recover = 3, polls_a_step = 1;
  // The step submitted as number so and so, counted from 0, takes the device with it.
  std::map<std::uint64_t, LossShows> losses = {};
  bool lose_now = false;                                                         // with the next poll
  std::optional<Error> gone = {};                                                // poll() says so from now on
  std::optional<Error> refuse_submit = {};                                       // once
  std::function<bool(const graph::DeviceSample&)> can_sample = {};               // empty: all
  std::function<void(std::vector<TokenId>&, std::vector<float>&)> corrupt = {};  // what collect() gives

  std::uint64_t submitted = 0, collected = 0, lost = 0;
  std::uint64_t waits = 0;
  std::uint64_t logit_rows_read = 0;
  std::uint64_t slot_tokens = 0;                  // rows whose token came from a slot
  std::vector<std::uint32_t> rows_of_steps = {};  // as submitted, where FakeControls::record
};

class FakeDevice final : public FakeExecutor, public graph::AsyncExecutor {
 public:
  FakeDevice(const FakeModel& model, std::shared_ptr<FakeControls> controls, std::shared_ptr<DeviceControls> device);

  [[nodiscard]] std::string describe() const override { return "fake device"; }
  [[nodiscard]] graph::AsyncExecutor* async() override { return this; }

  std::optional<std::uint64_t> kv_room(std::uint64_t wanted) override;
  Result<bool> poll() override;
  [[nodiscard]] bool can_wait() const override { return device_->can_wait; }
  Status wait() override;
  [[nodiscard]] std::uint64_t losses() const override { return losses_; }
  [[nodiscard]] std::uint32_t slots() const override { return device_->slots; }
  [[nodiscard]] std::uint32_t max_steps_in_flight() const override { return device_->max_steps_in_flight; }
  [[nodiscard]] bool can_sample(const graph::DeviceSample& sample) const override {
    return !device_->can_sample || device_->can_sample(sample);
  }
  Result<graph::StepTicket> submit(const graph::Plan& plan, const graph::StepInputs& step,
                                   std::span<const graph::DeviceSample> samples,
                                   std::span<const std::uint32_t> read_logits) override;
  Result<std::optional<graph::StepOutput>> collect(graph::StepTicket ticket) override;

 private:
  // A sample whose spans are its own.
  struct Sample {
    graph::DeviceSample asked;
    std::vector<TokenId> history;
    std::vector<std::pair<TokenId, float>> bias;
    std::vector<std::uint32_t> mask;
  };
  // A step whose spans are its own: the caller's are gone when it runs.
  struct Step {
    std::uint64_t number = 0;
    const graph::Plan* plan = nullptr;
    std::vector<std::int32_t> tokens, positions, sequences, logit_rows;
    std::vector<std::vector<std::int32_t>> tables;
    std::uint32_t n_sequences = 0;
    std::vector<graph::BlockCopy> copies;
    std::vector<Sample> samples;
    std::vector<std::uint32_t> read_logits;
    std::uint32_t polls_left = 0;
    bool done = false;
    Status outcome;
    std::vector<TokenId> chosen;
    std::vector<float> logits;
  };

  void tick();
  void lose();
  void run(Step& step);
  Result<TokenId> choose(const Sample& sample, std::span<const float> logits);
  [[nodiscard]] Status check_submit(const graph::StepInputs& step, std::span<const graph::DeviceSample> samples,
                                    std::span<const std::uint32_t> read_logits) const;

  std::shared_ptr<DeviceControls> device_;
  bool ready_ = false;
  std::uint32_t polls_until_ready_;
  std::uint64_t losses_ = 0;
  std::deque<Step> in_flight_;
  std::vector<TokenId> output_tokens_;
  std::vector<float> output_logits_;
  std::vector<std::vector<TokenId>> slot_tokens_;  // [slots]: all that was sampled into each, newest last
  std::vector<std::span<const std::int32_t>> tables_;
  sample::SamplerScratch scratch_;
};

}  // namespace wisp::test
