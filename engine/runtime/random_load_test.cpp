// Many requests, little memory, and a random hand that cancels, forks and preempts, and loses the device where there is
// one: nobody's text may change, every request ends once, and every block comes back.
#include <gtest/gtest.h>

#include <deque>
#include <random>

#include "tests/engine_harness.h"

namespace wisp::runtime {
namespace {

using test::DeviceControls;
using test::DeviceEngine;
using test::FakeEngine;
using test::Heard;

struct Asked {
  RequestId id{};
  std::vector<TokenId> prompt;  // a fork's: all tokens it started with
  std::uint32_t max_new_tokens = 0;
  sample::SamplingParams sampling;
  Heard heard;
};

class EngineRandomLoadTest : public testing::TestWithParam<std::uint32_t> {
 protected:
  std::uint32_t roll(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }

  EngineOptions random_options() {
    EngineOptions options;
    options.max_sequences = 1 + roll(8);
    options.row_budget = options.max_sequences + roll(60);
    options.max_logit_rows = options.max_sequences + roll(4);
    options.prompt_chunk = roll(3) == 0 ? 1 + roll(40) : 0;
    options.prefix_cache = roll(4) != 0;
    options.kv_blocks = {8 + roll(6), 8 + roll(6), 8 + roll(6)};  // at least the longest request's
    options.max_waiting_requests = 30;
    options.steps_ahead = 1 + roll(6);
    return options;
  }

  // A few common beginnings, so that there are prefixes to share.
  std::vector<TokenId> random_prompt() {
    std::vector<TokenId> prompt = test::random_tokens(roll(100), roll(3));
    const std::vector<TokenId> tail = test::random_tokens(1 + roll(60), roll(1000));
    prompt.insert(prompt.end(), tail.begin(), tail.end());
    return prompt;
  }

  sample::SamplingParams random_sampling() {
    sample::SamplingParams params;
    params.temperature = static_cast<float>(roll(3)) * 0.6f;
    params.repeat_penalty = roll(2) == 0 ? 1.0f : 1.3f;
    params.penalty_last_n = static_cast<std::int32_t>(roll(20)) - 1;
    params.seed = roll(1000);
    if (roll(4) == 0) params.xtc_probability = 0.5f;
    if (roll(4) == 0) params.dry_multiplier = 0.8f;
    if (roll(4) == 0) params.samplers = {sample::SamplerKind::temperature, sample::SamplerKind::top_p};
    return params;
  }
  DeviceControls random_device() {
    DeviceControls device;
    device.slots = 1 + roll(8);
    device.max_steps_in_flight = 1 + roll(6);
    device.polls_to_start = roll(5);
    device.polls_to_recover = 1 + roll(9);
    device.polls_a_step = 1 + roll(6);
    const std::uint32_t by_host = roll(2) == 0 ? 1000 : 5;
    device.can_sample = [by_host](const graph::DeviceSample& sample) { return sample.seed % by_host != 0; };
    // Never so often that the engine gives the device up.
    for (std::uint32_t i = roll(12); i > 0; --i)
      device.losses[40 * i + roll(30)] = static_cast<test::LossShows>(roll(3));
    return device;
  }

  template <class AnyEngine>
  Asked& submit(AnyEngine& engine) {
    Asked& asked = asked_.emplace_back();
    asked.prompt = random_prompt();
    asked.max_new_tokens = roll(40);
    asked.sampling = random_sampling();
    asked.sampling.mirostat = roll(4) == 0;  // of a fork it would depend on how far the parent was
    Request request{.prompt = asked.prompt, .sampling = asked.sampling, .max_new_tokens = asked.max_new_tokens};
    request.priority = static_cast<int>(roll(3));
    request.salt = roll(2);
    switch (roll(5)) {
      case 0: request = test::listen_to_scores(std::move(request), asked.heard); break;
      case 1: request = test::listen(std::move(request), asked.heard); break;
      default: request = test::hear_tokens(std::move(request), asked.heard); break;
    }
    keep_or_drop(engine->submit(std::move(request)));
    return asked;
  }
  template <class AnyEngine>
  void fork(AnyEngine& engine, const Asked& parent) {
    Asked& child = asked_.emplace_back();
    child.prompt = parent.prompt;
    child.prompt.insert(child.prompt.end(), parent.heard.tokens.begin(), parent.heard.tokens.end());
    child.max_new_tokens = roll(20);
    child.sampling = random_sampling();
    Request request{.prompt = test::random_tokens(roll(3), roll(9)),
                    .sampling = child.sampling,
                    .max_new_tokens = child.max_new_tokens};
    child.prompt.insert(child.prompt.end(), request.prompt.begin(), request.prompt.end());
    keep_or_drop(engine->fork(parent.id, test::hear_tokens(std::move(request), child.heard)));
  }
  // The last of asked_ was asked for; a full queue is a fair answer.
  void keep_or_drop(const Result<RequestId>& id) {
    if (id) {
      asked_.back().id = *id;
    } else {
      EXPECT_EQ(id.error().code, Code::limit) << id.error().message;
      asked_.pop_back();
    }
  }

  void check(const test::FakeModel& model, const Asked& asked) const {
    EXPECT_EQ(asked.heard.finishes, 1);
    EXPECT_NE(asked.heard.reason, FinishReason::error) << asked.heard.error.message;
    const auto n = static_cast<std::uint32_t>(asked.heard.tokens.size());
    EXPECT_EQ(asked.heard.tokens, model.continue_text(asked.prompt, n, asked.sampling));
    if (asked.heard.reason == FinishReason::length) {
      EXPECT_EQ(n, asked.max_new_tokens);
    }
    if (!asked.heard.logits.empty()) {
      std::vector<TokenId> all = asked.prompt;
      all.insert(all.end(), asked.heard.tokens.begin(), asked.heard.tokens.end());
      const std::vector<std::vector<float>> rows = model.logits(all);
      EXPECT_TRUE(test::same_bits(
          asked.heard.logits, {rows.begin() + static_cast<std::ptrdiff_t>(asked.prompt.size()) - 1, rows.end() - 1}));
    }
    if (!asked.heard.scores.empty()) {
      std::vector<std::vector<float>> expected = model.logits(asked.prompt);
      if (asked.heard.reason != FinishReason::cancelled) {
        EXPECT_EQ(asked.heard.scores.size(), expected.size());
      }
      expected.resize(asked.heard.scores.size());
      EXPECT_TRUE(test::same_bits(asked.heard.scores, expected));
    }
  }

  template <class AnyEngine>
  void run(AnyEngine& engine) {
    for (int i = 0; i < 20; ++i) submit(engine);
    for (int step = 0; step < 150; ++step) {
      Asked& any = asked_[roll(static_cast<std::uint32_t>(asked_.size()))];
      const bool live = any.heard.finishes == 0;
      switch (roll(12)) {
        case 0: submit(engine); break;
        case 1:
          if (live) fork(engine, any);
          break;
        case 2:
          if (live) static_cast<void>(engine->preempt(any.id));  // refused while it waits
          break;
        case 3:
          if (live && roll(3) == 0) {
            EXPECT_TRUE(engine->cancel(any.id));
          }
          break;
        default: break;
      }
      ASSERT_TRUE(engine->step());
      const Counters now = engine->counters();
      ASSERT_LE(now.running, engine->options().max_sequences);
    }
    ASSERT_TRUE(engine->run());
    ASSERT_EQ(engine.controls->broken_rule, std::nullopt);
    for (const Asked& asked : asked_) check(engine.model, asked);
    for (const std::uint32_t rows : engine.controls->rows_of_steps) {
      EXPECT_LE(rows, engine->options().row_budget);
    }
    for (const kv::GroupUsage& group : engine->kv_use().groups) {
      EXPECT_EQ(group.n_used, 0u);
    }
    EXPECT_EQ(engine->counters().requests_submitted, engine->counters().requests_finished);
  }

  std::mt19937 random_{GetParam()};
  std::deque<Asked> asked_;  // callbacks hold references
};

TEST_P(EngineRandomLoadTest, NobodysTextChanges) {
  FakeEngine engine(test::mixed_fake(), 240, random_options());
  run(engine);
}

TEST_P(EngineRandomLoadTest, NobodysTextChangesOnAHostileDevice) {
  DeviceEngine engine(test::mixed_fake(), 240, random_options(), random_device());
  run(engine);
  EXPECT_LE(engine->counters().most_steps_in_flight, engine->options().steps_ahead);
  EXPECT_EQ(engine->counters().device_losses, engine.device->lost);
}

INSTANTIATE_TEST_SUITE_P(Seeds, EngineRandomLoadTest, testing::Range(0u, 24u));

}  // namespace
}  // namespace wisp::runtime
