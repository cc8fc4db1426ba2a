// The engine loses its device: in whatever call it hears of it, every request goes on where it was once the device is
// back, with the tokens it would have had.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/engine_harness.h"

namespace wisp::runtime {
namespace {

using test::DeviceControls;
using test::DeviceEngine;
using test::expect_value;
using test::greedy;
using test::hear_tokens;
using test::Heard;
using test::LossShows;
using test::random_tokens;

sample::SamplingParams warm(std::uint64_t seed) {
  sample::SamplingParams params;
  params.repeat_penalty = 1.2f;
  params.seed = seed;
  return params;
}

class EngineLossTest : public testing::TestWithParam<LossShows> {};

TEST_P(EngineLossTest, EveryRequestGoesOnWithTheSameTokens) {
  DeviceControls script{.polls_to_recover = 9, .polls_a_step = 2};
  for (const std::uint64_t step : {0u, 9u, 31u, 55u}) script.losses[step] = GetParam();
  DeviceEngine engine(test::mixed_fake(), 512, {.row_budget = 40, .max_sequences = 2, .max_logit_rows = 8}, script);
  std::vector<Heard> heard(4);  // two of them wait at first
  for (std::uint32_t i = 0; i < 4; ++i) {
    Request request =
        hear_tokens({.prompt = random_tokens(70, i), .sampling = warm(i), .max_new_tokens = 30}, heard[i]);
    if (i == 0) {
      request.on_logits = [&heard](std::uint32_t position, std::span<const float> row) {
        EXPECT_EQ(position, heard[0].scores.size());
        heard[0].scores.emplace_back(row.begin(), row.end());
      };
    }
    ASSERT_TRUE(engine->submit(std::move(request)));
  }
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(engine.controls->broken_rule, std::nullopt);
  EXPECT_EQ(engine->counters().device_losses, 4u);
  for (std::uint32_t i = 0; i < 4; ++i) {
    EXPECT_EQ(heard[i].tokens, engine.model.continue_text(random_tokens(70, i), 30, warm(i))) << i;
    EXPECT_EQ(heard[i].reason, FinishReason::length);
    EXPECT_EQ(heard[i].finishes, 1);
    EXPECT_EQ(heard[i].stats.preemptions, 0u);  // nobody took its place
  }
  EXPECT_TRUE(test::same_bits(heard[0].scores, engine.model.logits(random_tokens(70, 0))));
  EXPECT_EQ(engine->counters().preemptions, 0u);
  EXPECT_EQ(engine->kv_use().groups[0].n_used, 0u);
}
INSTANTIATE_TEST_SUITE_P(Shows, EngineLossTest,
                         testing::Values(LossShows::in_submit, LossShows::in_poll, LossShows::in_collect));

TEST(EngineDeviceLossTest, NoPrefixOutlivesTheDevice) {
  DeviceEngine engine(test::mixed_fake(), 512, {});
  const std::vector<TokenId> prompt = random_tokens(100, 3);
  const auto ask = [&](Heard& heard) {
    ASSERT_TRUE(engine->submit(hear_tokens({.prompt = prompt, .sampling = greedy(), .max_new_tokens = 5}, heard)));
    ASSERT_TRUE(engine->run());
    EXPECT_EQ(heard.tokens, engine.model.continue_greedily(prompt, 5));
  };
  Heard first, again, after;
  ask(first);
  ask(again);
  EXPECT_EQ(again.stats.cached_tokens, 96u);
  engine.device->lose_now = true;  // while nothing runs
  ask(after);
  EXPECT_EQ(after.stats.cached_tokens, 0u);
  EXPECT_EQ(engine->counters().device_losses, 1u);
  EXPECT_EQ(engine.controls->broken_rule, std::nullopt);
}

TEST(EngineDeviceLossTest, AStepThatWasThereIsLostWithTheDeviceAndNobodyMinds) {
  DeviceEngine engine(test::full_attention_fake(), 256, {});
  Heard heard;
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = {1, 2}, .sampling = greedy(), .max_new_tokens = 9}, heard)));
  ASSERT_TRUE(expect_value(engine->begin_step()));
  while (!engine->step_ready()) {
  }
  engine.device->lose_now = true;
  EXPECT_FALSE(expect_value(engine->begin_step()));
  EXPECT_FALSE(engine->step_ready());
  EXPECT_TRUE(engine->end_step());
  EXPECT_TRUE(heard.tokens.empty());
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(heard.tokens, engine.model.continue_greedily({1, 2}, 9));
  EXPECT_EQ(engine.controls->broken_rule, std::nullopt);
}

TEST(EngineDeviceLossTest, AStepThatWasRefusedForALossNeedsNoEnd) {
  DeviceControls script;
  script.losses[0] = LossShows::in_submit;
  script.losses[1] = LossShows::in_poll;
  DeviceEngine engine(test::full_attention_fake(), 256, {}, script);
  Heard heard;
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = {1, 2}, .sampling = greedy(), .max_new_tokens = 9}, heard)));
  EXPECT_FALSE(expect_value(engine->begin_step()));
  EXPECT_TRUE(engine->end_step());
  EXPECT_EQ(heard.finishes, 0);
  while (!expect_value(engine->begin_step())) {
  }
  EXPECT_TRUE(engine->end_step());  // lost while it was waited for
  EXPECT_EQ(engine->counters().device_losses, 2u);
  EXPECT_EQ(heard.finishes, 0);
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(heard.tokens, engine.model.continue_greedily({1, 2}, 9));
  EXPECT_EQ(engine.controls->broken_rule, std::nullopt);
}

TEST(EngineDeviceLossTest, CancelsForksAndSubmitsWhileItIsGone) {
  DeviceEngine engine(test::full_attention_fake(), 256, {.max_sequences = 4},
                      {.can_wait = false, .polls_to_recover = 50});
  std::vector<Heard> heard(4);
  std::vector<RequestId> ids;
  for (std::uint32_t i = 0; i < 2; ++i) {
    ids.push_back(expect_value(engine->submit(
        hear_tokens({.prompt = random_tokens(40, i), .sampling = warm(i), .max_new_tokens = 20}, heard[i]))));
  }
  while (heard[0].tokens.size() < 6) {
    ASSERT_TRUE(engine->step());
  }
  engine.device->lose_now = true;
  ASSERT_TRUE(engine->step());
  EXPECT_TRUE(engine->must_wait());
  ASSERT_TRUE(engine->cancel(ids[1]));
  EXPECT_EQ(heard[1].reason, FinishReason::cancelled);
  std::vector<TokenId> start = random_tokens(40, 0);
  start.insert(start.end(), heard[0].tokens.begin(), heard[0].tokens.end());
  ASSERT_TRUE(engine->fork(ids[0], hear_tokens({.sampling = warm(7), .max_new_tokens = 10}, heard[2])));
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = {5}, .sampling = warm(8), .max_new_tokens = 10}, heard[3])));
  while (expect_value(engine->step())) {
  }
  EXPECT_EQ(heard[0].tokens, engine.model.continue_text(random_tokens(40, 0), 20, warm(0)));
  EXPECT_EQ(heard[2].tokens, engine.model.continue_text(start, 10, warm(7)));
  EXPECT_EQ(heard[3].tokens, engine.model.continue_text({5}, 10, warm(8)));
  EXPECT_EQ(engine.controls->broken_rule, std::nullopt);
}

TEST(EngineDeviceLossTest, ADeviceThatNeverFinishesAStepIsGivenUp) {
  DeviceControls script;
  for (std::uint64_t step = 4; step < 40; ++step) script.losses[step] = LossShows::in_poll;
  DeviceEngine engine(test::full_attention_fake(), 256, {.max_sequences = 1}, script);
  Heard running, waiting;
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = {1}, .sampling = greedy(), .max_new_tokens = 20}, running)));
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = {2}, .sampling = greedy(), .max_new_tokens = 20}, waiting)));
  ASSERT_TRUE(engine->run());
  EXPECT_FALSE(running.tokens.empty());
  EXPECT_EQ(running.tokens, engine.model.continue_greedily({1}, static_cast<std::uint32_t>(running.tokens.size())));
  for (const Heard* heard : {&running, &waiting}) {
    EXPECT_EQ(heard->reason, FinishReason::error);
    EXPECT_EQ(heard->finishes, 1);
    EXPECT_EQ(heard->error.code, Code::device);
    EXPECT_NE(heard->error.message.find("lost 3 times"), std::string::npos) << heard->error.message;
  }
  EXPECT_EQ(engine->counters().device_losses, 3u);
  // Who asks later gets a chance of its own.
  engine.device->losses.clear();
  Heard later;
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = {3}, .sampling = greedy(), .max_new_tokens = 9}, later)));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(later.tokens, engine.model.continue_greedily({3}, 9));
  EXPECT_EQ(engine.controls->broken_rule, std::nullopt);
}

TEST(EngineDeviceLossTest, LossesWithStepsInBetweenAreBorne) {
  DeviceControls script;
  for (std::uint64_t step = 6; step < 200; step += 7) script.losses[step] = LossShows::in_collect;
  DeviceEngine engine(test::full_attention_fake(), 256, {}, script);
  Heard heard;
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = {1}, .sampling = greedy(), .max_new_tokens = 40}, heard)));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(heard.tokens, engine.model.continue_greedily({1}, 40));
  EXPECT_GT(engine->counters().device_losses, 4u);
  EXPECT_GT(engine->counters().dropped_tokens, 0u);
}

TEST(EngineDeviceLossTest, ADeviceThatIsGoneForGoodEndsEveryRequest) {
  for (const std::uint32_t before : {0u, 5u}) {
    DeviceEngine engine(test::full_attention_fake(), 256, {.max_sequences = 1}, {.polls_a_step = 3});
    std::vector<Heard> heard(3);
    for (Heard& each : heard) {
      ASSERT_TRUE(engine->submit(hear_tokens({.prompt = {1}, .sampling = greedy(), .max_new_tokens = 50}, each)));
    }
    for (std::uint32_t i = 0; i < before; ++i) {
      ASSERT_TRUE(engine->step());
    }
    engine.device->gone = Error{Code::device, "no adapter any more"};
    ASSERT_TRUE(engine->run());
    for (const Heard& each : heard) {
      EXPECT_EQ(each.reason, FinishReason::error);
      EXPECT_EQ(each.error.message, "no adapter any more");
    }
    EXPECT_EQ(heard[0].tokens.size(), before);
    EXPECT_EQ(engine->ready().error().code, Code::device);
    EXPECT_EQ(engine->kv_use().groups[0].n_used, 0u);
  }
}

}  // namespace
}  // namespace wisp::runtime
