// The engine over a device that runs by itself and gets ahead: same tokens whatever the depth, nothing read that was
// not computed, and what came after a stop is dropped. What a loss does is loss_test.cpp's.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
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
using test::listen;
using test::random_tokens;

// Every parameter of the sampler does something.
sample::SamplingParams lively(std::uint64_t seed) {
  sample::SamplingParams params;
  params.temperature = 1.2f;
  params.top_k = 30;
  params.repeat_penalty = 1.3f;
  params.frequency_penalty = 0.2f;
  params.presence_penalty = 0.1f;
  params.penalty_last_n = 12;
  params.seed = seed;
  params.logit_bias = {{3, 1.5f}, {4, -100.0f}};
  return params;
}

// What every test ends with.
void expect_clean(const DeviceEngine& engine) {
  EXPECT_EQ(engine.controls->broken_rule, std::nullopt);
  for (const kv::GroupUsage& group : engine.engine->kv_use().groups) EXPECT_EQ(group.n_used, 0u);
  EXPECT_EQ(engine.engine->counters().requests_submitted, engine.engine->counters().requests_finished);
}

class EngineAheadDepthTest : public testing::TestWithParam<std::uint32_t> {};  // steps ahead

TEST_P(EngineAheadDepthTest, TokensAreTheModelsAtEveryDepth) {
  DeviceEngine engine(test::mixed_fake(), 512, {.row_budget = 64, .steps_ahead = GetParam()}, {.polls_a_step = 3});
  std::vector<Heard> heard(4);
  std::vector<std::vector<TokenId>> prompts;
  std::vector<sample::SamplingParams> params = {greedy(), lively(1), lively(2), sample::SamplingParams{}};
  params[2].penalty_last_n = -1;
  for (std::uint32_t i = 0; i < 4; ++i) {
    prompts.push_back(random_tokens(30 + 40 * i, i));
    ASSERT_TRUE(
        engine->submit(hear_tokens({.prompt = prompts[i], .sampling = params[i], .max_new_tokens = 60 + i}, heard[i])));
  }
  ASSERT_TRUE(engine->run());
  for (std::uint32_t i = 0; i < 4; ++i) {
    EXPECT_EQ(heard[i].tokens, engine.model.continue_text(prompts[i], 60 + i, params[i])) << i;
    EXPECT_EQ(heard[i].reason, FinishReason::length);
    EXPECT_EQ(heard[i].finishes, 1);
  }
  const Counters counters = engine->counters();
  EXPECT_EQ(counters.most_steps_in_flight, GetParam());
  EXPECT_EQ(counters.device_tokens, 60u + 61 + 62 + 63);
  EXPECT_EQ(counters.dropped_tokens, 0u);  // a length is no surprise
  EXPECT_EQ(engine.device->logit_rows_read, 0u);
  EXPECT_EQ(engine.device->slot_tokens > 0, GetParam() > 1);  // the host had not read the token that went in
  expect_clean(engine);
}
INSTANTIATE_TEST_SUITE_P(Depths, EngineAheadDepthTest, testing::Values(1u, 2u, 4u, 8u));

TEST(EngineAheadTest, StepsAreSubmittedBeforeTheHostReadATokenOfThem) {
  DeviceEngine engine(test::full_attention_fake(), 256, {.steps_ahead = 4}, {.polls_a_step = 1000});
  Heard heard;
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = {1, 2, 3}, .sampling = greedy(), .max_new_tokens = 20}, heard)));
  int begun = 0;
  while (expect_value(engine->begin_step())) begun += 1;
  EXPECT_EQ(begun, 4);
  EXPECT_EQ(engine.device->submitted, 4u);
  EXPECT_EQ(engine.device->collected, 0u);
  EXPECT_TRUE(heard.tokens.empty());
  EXPECT_FALSE(engine->step_ready());
  EXPECT_EQ(engine->counters().most_steps_in_flight, 4u);
  ASSERT_TRUE(engine->end_step());  // waits
  EXPECT_EQ(heard.tokens.size(), 1u);
  EXPECT_EQ(engine.device->waits, 1u);
  EXPECT_TRUE(expect_value(engine->begin_step()));
  EXPECT_FALSE(expect_value(engine->begin_step()));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(heard.tokens, engine.model.continue_greedily({1, 2, 3}, 20));
  expect_clean(engine);
}

TEST(EngineAheadTest, TheDeviceDecidesHowFarAtMost) {
  DeviceEngine engine(test::full_attention_fake(), 256, {.steps_ahead = 8}, {.max_steps_in_flight = 3});
  EXPECT_EQ(engine->options().steps_ahead, 3u);
  ASSERT_TRUE(engine->submit({.prompt = {1}, .sampling = greedy(), .max_new_tokens = 20}));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(engine->counters().most_steps_in_flight, 3u);
  expect_clean(engine);
  const test::FakeModel model = test::full_attention_fake();
  for (const std::uint32_t ahead : {0u, 65u}) {
    EXPECT_EQ(Engine::create(gguf::File{}, model.graph(), 64, {.steps_ahead = ahead},
                             std::make_unique<test::FakeExecutor>(model, std::make_shared<test::FakeControls>()))
                  .error()
                  .code,
              Code::invalid_argument);
  }
}

TEST(EngineAheadTest, EveryPlanIsPreparedBeforeTheFirstStep) {
  const test::FakeModel model = test::full_attention_fake();
  const auto controls = std::make_shared<test::FakeControls>();
  controls->refuse_prepare = true;
  EXPECT_EQ(Engine::create(gguf::File{}, model.graph(), 64, {},
                           std::make_unique<test::FakeDevice>(model, controls, std::make_shared<DeviceControls>()))
                .error()
                .code,
            Code::out_of_memory);
  DeviceEngine engine(test::full_attention_fake(), 256, {.row_budget = 48});
  engine.controls->refuse_prepare = true;
  Heard heard;
  ASSERT_TRUE(
      engine->submit(hear_tokens({.prompt = random_tokens(100, 1), .sampling = greedy(), .max_new_tokens = 5}, heard)));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(heard.reason, FinishReason::length) << heard.error.message;
  expect_clean(engine);
}

TEST(EngineAheadTest, LogitsComeOnlyToWhomAsksAndKeepNobodyBack) {
  DeviceEngine engine(test::mixed_fake(), 512, {.max_sequences = 3});
  const std::vector<TokenId> prompt = random_tokens(50, 1);
  Heard with, without, scored;
  ASSERT_TRUE(engine->submit(listen({.prompt = prompt, .sampling = greedy(), .max_new_tokens = 20}, with)));
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = prompt, .sampling = greedy(), .max_new_tokens = 20}, without)));
  Request scoring = hear_tokens({.prompt = prompt, .sampling = greedy(), .max_new_tokens = 20}, scored);
  scoring.on_logits = [&](std::uint32_t position, std::span<const float> row) {
    EXPECT_EQ(position, scored.scores.size());
    scored.scores.emplace_back(row.begin(), row.end());
  };
  ASSERT_TRUE(engine->submit(std::move(scoring)));
  ASSERT_TRUE(engine->run());
  std::vector<TokenId> all = prompt;
  const std::vector<TokenId> expected = engine.model.continue_greedily(prompt, 20);
  all.insert(all.end(), expected.begin(), expected.end());
  const std::vector<std::vector<float>> logits = engine.model.logits(all);
  for (const Heard* heard : {&with, &without, &scored}) EXPECT_EQ(heard->tokens, expected);
  EXPECT_TRUE(test::same_bits(with.logits, {logits.begin() + 49, logits.end() - 1}));
  EXPECT_TRUE(without.logits.empty());
  EXPECT_TRUE(test::same_bits(scored.scores, {logits.begin(), logits.begin() + 50}));
  EXPECT_EQ(engine.device->logit_rows_read, 20u + 50);
  EXPECT_EQ(engine->counters().most_steps_in_flight, 4u);
  expect_clean(engine);
}

TEST(EngineAheadTest, WhoNeedsTheHostTakesPartInEveryStep) {
  DeviceControls script;
  script.can_sample = [](const graph::DeviceSample& sample) { return sample.seed != 9; };
  DeviceEngine engine(test::full_attention_fake(), 512, {}, script);
  const sample::SamplingParams by_host = lively(9), by_device = lively(3);
  Heard host, device;
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = {1, 2}, .sampling = by_host, .max_new_tokens = 15}, host)));
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = {5}, .sampling = by_device, .max_new_tokens = 40}, device)));
  while (host.finishes == 0) {
    ASSERT_TRUE(engine->step());
    EXPECT_EQ(host.tokens.size(), device.tokens.size());
  }
  EXPECT_EQ(engine->counters().most_steps_in_flight, 1u);
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(engine->counters().most_steps_in_flight, 4u);
  EXPECT_EQ(host.tokens, engine.model.continue_text({1, 2}, 15, by_host));
  EXPECT_EQ(device.tokens, engine.model.continue_text({5}, 40, by_device));
  EXPECT_EQ(engine->counters().device_tokens, 40u);
  EXPECT_EQ(engine.device->logit_rows_read, 15u);
  expect_clean(engine);
}

TEST(EngineAheadTest, WithoutASlotTheHostChooses) {
  DeviceEngine engine(test::full_attention_fake(), 512, {.max_sequences = 4}, {.slots = 1});
  std::vector<Heard> heard(6);
  for (std::uint32_t i = 0; i < heard.size(); ++i) {
    ASSERT_TRUE(engine->submit(
        hear_tokens({.prompt = random_tokens(9, i), .sampling = lively(i), .max_new_tokens = 8 + i}, heard[i])));
  }
  ASSERT_TRUE(engine->run());
  for (std::uint32_t i = 0; i < heard.size(); ++i) {
    EXPECT_EQ(heard[i].tokens, engine.model.continue_text(random_tokens(9, i), 8 + i, lively(i))) << i;
  }
  EXPECT_GT(engine->counters().device_tokens, 0u);
  EXPECT_GT(engine.device->logit_rows_read, 0u);
  expect_clean(engine);
}

TEST(EngineAheadTest, SlotsAreGivenBack) {
  DeviceEngine engine(test::full_attention_fake(), 512, {.max_sequences = 2}, {.slots = 2});
  for (int i = 0; i < 7; ++i) {
    const RequestId id = expect_value(engine->submit({.prompt = {1}, .sampling = greedy(), .max_new_tokens = 5}));
    ASSERT_TRUE(engine->step());
    if (i % 2 == 0) {
      EXPECT_TRUE(engine->preempt(id));
    }
    ASSERT_TRUE(engine->run());
  }
  EXPECT_EQ(engine.device->logit_rows_read, 0u);
  expect_clean(engine);
}

TEST(EngineAheadTest, NewRequestsAndLongPromptsJoinWhoIsAhead) {
  DeviceEngine engine(test::mixed_fake(), 512, {.row_budget = 24, .max_sequences = 3}, {.polls_a_step = 5});
  std::vector<Heard> heard(3);
  const auto ask = [&](std::uint32_t i, std::uint32_t prompt, std::uint32_t tokens) {
    ASSERT_TRUE(engine->submit(
        hear_tokens({.prompt = random_tokens(prompt, i), .sampling = lively(i), .max_new_tokens = tokens}, heard[i])));
  };
  ask(0, 4, 70);
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(engine->step());
  }
  EXPECT_EQ(engine->counters().most_steps_in_flight, 4u);
  ask(1, 150, 20);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(engine->step());
  }
  ask(2, 80, 10);
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(heard[0].tokens, engine.model.continue_text(random_tokens(4, 0), 70, lively(0)));
  EXPECT_EQ(heard[1].tokens, engine.model.continue_text(random_tokens(150, 1), 20, lively(1)));
  EXPECT_EQ(heard[2].tokens, engine.model.continue_text(random_tokens(80, 2), 10, lively(2)));
  EXPECT_EQ(*std::ranges::max_element(engine.device->rows_of_steps), 24u);  // a prompt's piece beside the others' rows
  expect_clean(engine);
}

// The text is told to end at its tenth token, by a callback; what was computed beyond must not be found by anybody.
TEST(EngineAheadTest, WhatCameAfterACancelIsDroppedAndNeverShared) {
  DeviceEngine engine(test::full_attention_fake(), 512, {.steps_ahead = 4}, {.polls_a_step = 2});
  const std::vector<TokenId> prompt = random_tokens(23, 8);
  Heard heard;
  Request request = hear_tokens({.prompt = prompt, .sampling = greedy()}, heard);
  std::optional<RequestId> id;
  request.on_token = [&](const TokenEvent& event) {
    heard.tokens.push_back(event.token);
    if (heard.tokens.size() == 8) {
      EXPECT_TRUE(engine->cancel(*id));
    }
  };
  id = expect_value(engine->submit(std::move(request)));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(heard.reason, FinishReason::cancelled);
  EXPECT_EQ(heard.tokens, engine.model.continue_greedily(prompt, 8));
  EXPECT_EQ(engine->counters().dropped_tokens, 3u);
  // 31 tokens are known, and positions up to 33 were computed: the first block is full, and was never shared.
  EXPECT_EQ(engine->kv_use().groups[0].n_cached, 0u);
  expect_clean(engine);

  // Its block is written by the next request while the last of those steps may still run.
  Heard next;
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = prompt, .sampling = greedy(), .max_new_tokens = 30}, next)));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(next.tokens, engine.model.continue_greedily(prompt, 30));
  expect_clean(engine);
}

TEST(EngineAheadTest, CancelBetweenStepsIsAtOnce) {
  DeviceEngine engine(test::full_attention_fake(), 512, {}, {.polls_a_step = 3});
  Heard gone, stays;
  const RequestId id = expect_value(engine->submit(hear_tokens({.prompt = {1, 2}, .sampling = greedy()}, gone)));
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = {3}, .sampling = greedy(), .max_new_tokens = 30}, stays)));
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(engine->step());
  }
  ASSERT_TRUE(expect_value(engine->begin_step()));
  EXPECT_EQ(engine->steps_in_flight(), 4u);
  ASSERT_TRUE(engine->cancel(id));
  EXPECT_EQ(gone.finishes, 1);
  EXPECT_EQ(gone.reason, FinishReason::cancelled);
  EXPECT_EQ(gone.tokens.size(), 5u);
  EXPECT_EQ(engine->steps_in_flight(), 4u);
  ASSERT_TRUE(engine->run());
  while (engine->steps_in_flight() > 0) {
    ASSERT_TRUE(engine->end_step());
  }
  EXPECT_EQ(gone.tokens.size(), 5u);
  EXPECT_EQ(stays.tokens, engine.model.continue_greedily({3}, 30));
  EXPECT_EQ(engine->counters().dropped_tokens, 4u);
  expect_clean(engine);
}

TEST(EngineAheadTest, PreemptionDropsWhatIsAheadAndChangesNoToken) {
  DeviceEngine engine(test::mixed_fake(), 512, {}, {.polls_a_step = 2});
  std::vector<Heard> heard(2);
  std::vector<RequestId> ids;
  for (std::uint32_t i = 0; i < 2; ++i) {
    ids.push_back(expect_value(engine->submit(
        hear_tokens({.prompt = random_tokens(40, i), .sampling = lively(i), .max_new_tokens = 50}, heard[i]))));
  }
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(engine->step());
    if (i % 10 == 5) {
      EXPECT_TRUE(engine->preempt(ids[1]));
    }
  }
  ASSERT_TRUE(engine->run());
  for (std::uint32_t i = 0; i < 2; ++i) {
    EXPECT_EQ(heard[i].tokens, engine.model.continue_text(random_tokens(40, i), 50, lively(i))) << i;
  }
  EXPECT_EQ(heard[1].stats.preemptions, 3u);
  EXPECT_GT(engine->counters().dropped_tokens, 0u);
  expect_clean(engine);
}

TEST(EngineAheadTest, ForksContinueFromWhatIsKnownWhileTheParentIsAhead) {
  DeviceEngine engine(test::mixed_fake(), 512, {}, {.polls_a_step = 2});
  const std::vector<TokenId> prompt = random_tokens(58, 6);
  Heard parent;
  std::vector<Heard> children(3);
  const RequestId id =
      expect_value(engine->submit(hear_tokens({.prompt = prompt, .sampling = greedy(), .max_new_tokens = 60}, parent)));
  std::vector<std::vector<TokenId>> starts;
  for (Heard& child : children) {
    for (int i = 0; i < 5; ++i) {  // positions 64 and 65 are the first of a block
      ASSERT_TRUE(engine->step());
    }
    ASSERT_TRUE(engine->fork(id, hear_tokens({.prompt = {7}, .sampling = lively(4), .max_new_tokens = 40}, child)));
    std::vector<TokenId>& start = starts.emplace_back(prompt);
    start.insert(start.end(), parent.tokens.begin(), parent.tokens.end());
    start.push_back(7);
  }
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(parent.tokens, engine.model.continue_greedily(prompt, 60));
  for (std::size_t i = 0; i < children.size(); ++i) {
    EXPECT_EQ(children[i].tokens, engine.model.continue_text(starts[i], 40, lively(4))) << i;
    EXPECT_EQ(children[i].stats.cached_tokens, starts[i].size() - 2);
  }
  EXPECT_GT(engine->kv_use().counters.n_copies, 0u);
  expect_clean(engine);
}

// Blocks that leave the window are dropped by what is certain, not by what is ahead: a child starts behind that.
TEST(EngineAheadTest, ForksFindTheWindowOfWhereTheyStart) {
  DeviceEngine engine(test::windowed_fake(40, 0), 512, {}, {.polls_a_step = 2});
  const std::vector<TokenId> prompt = random_tokens(50, 6);
  Heard parent;
  const RequestId id =
      expect_value(engine->submit(hear_tokens({.prompt = prompt, .sampling = greedy(), .max_new_tokens = 80}, parent)));
  for (int i = 0; i < 70; ++i) {
    ASSERT_TRUE(engine->step());
    std::vector<TokenId> start = prompt;
    start.insert(start.end(), parent.tokens.begin(), parent.tokens.end());
    Heard child;
    ASSERT_TRUE(engine->fork(id, hear_tokens({.sampling = greedy(), .max_new_tokens = 1}, child)));
    while (child.finishes == 0) {
      ASSERT_TRUE(engine->step());
    }
    EXPECT_EQ(child.tokens, engine.model.continue_greedily(start, 1));
    if (parent.finishes == 1) break;
  }
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(parent.tokens, engine.model.continue_greedily(prompt, 80));
  expect_clean(engine);
}

TEST(EngineAheadTest, PrefixesAreFoundAsSoonAsTheirTokensAreKnown) {
  DeviceEngine engine(test::mixed_fake(), 512, {}, {.polls_a_step = 2});
  const std::vector<TokenId> prompt = random_tokens(100, 3);
  Heard first, second;
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = prompt, .sampling = greedy(), .max_new_tokens = 40}, first)));
  ASSERT_TRUE(engine->step());
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = prompt, .sampling = greedy(), .max_new_tokens = 40}, second)));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(second.stats.cached_tokens, 96u);
  EXPECT_EQ(second.tokens, first.tokens);
  EXPECT_EQ(first.tokens, engine.model.continue_greedily(prompt, 40));
  expect_clean(engine);
}

// Four texts in memory for hardly two: whoever is ahead never makes another lose its memory for being ahead.
TEST(EngineAheadTest, ScarceMemoryIsGivenWayWithNothingInFlight) {
  DeviceEngine engine(test::full_attention_fake(), 512, {.max_sequences = 4, .kv_blocks = {6}}, {.polls_a_step = 2});
  std::vector<Heard> heard(4);
  for (std::uint32_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(engine->submit(
        hear_tokens({.prompt = random_tokens(20, i), .sampling = lively(i), .max_new_tokens = 90}, heard[i])));
  }
  ASSERT_TRUE(engine->run());
  for (std::uint32_t i = 0; i < 4; ++i) {
    EXPECT_EQ(heard[i].tokens, engine.model.continue_text(random_tokens(20, i), 90, lively(i))) << i;
  }
  EXPECT_GT(engine->counters().preemptions, 0u);
  EXPECT_EQ(engine->counters().dropped_tokens, 0u);
  EXPECT_EQ(engine->counters().most_steps_in_flight, 4u);
  expect_clean(engine);
}

// Of seven blocks the first text takes its third after 2 tokens and its fourth after 34, the second its third after 25,
// which the third text has to give: the first is not to be ahead until its own need makes room.
TEST(EngineAheadTest, WhoIsAheadDoesNotKeepOthersFromTheirMemory) {
  DeviceEngine engine(test::full_attention_fake(), 512, {.kv_blocks = {7}});
  std::vector<Heard> heard(3);
  const std::vector<std::uint32_t> prompts = {63, 40, 20};
  for (std::uint32_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(engine->submit(
        hear_tokens({.prompt = random_tokens(prompts[i], i), .sampling = greedy(), .max_new_tokens = 100}, heard[i])));
  }
  while (heard[0].tokens.size() < 33) {
    ASSERT_TRUE(engine->step());
  }
  EXPECT_GT(engine->counters().preemptions, 0u);
  EXPECT_GE(heard[1].tokens.size(), 30u);
  ASSERT_TRUE(engine->run());
  expect_clean(engine);
}

TEST(EngineAheadTest, APoolSmallerThanTheContextEndsATextWhereItDoesAtDepthOne) {
  DeviceEngine engine(test::full_attention_fake(), 512, {.kv_blocks = {3}});
  std::vector<Heard> heard(4);
  for (std::uint32_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(engine->submit(hear_tokens({.prompt = random_tokens(20, i), .sampling = greedy()}, heard[i])));
  }
  ASSERT_TRUE(engine->run());
  for (std::uint32_t i = 0; i < 4; ++i) {
    EXPECT_EQ(heard[i].reason, FinishReason::context);
    EXPECT_EQ(heard[i].tokens, engine.model.continue_greedily(random_tokens(20, i), 77));
  }
  expect_clean(engine);
}

TEST(EngineAheadTest, AWindowedTextTakesABlockMoreAtMost) {
  constexpr std::uint32_t kWindow = 96, kSinks = 4;
  EngineOptions options{.max_sequences = 1};
  options.context.window = kWindow;
  options.context.sinks = kSinks;
  DeviceEngine engine(test::windowed_fake(kWindow, kSinks), 128, options);
  const std::vector<TokenId> prompt = random_tokens(50, 1);
  Heard heard;
  std::uint32_t most_used = 0;
  ASSERT_TRUE(
      engine->submit(hear_tokens({.prompt = prompt, .sampling = greedy(), .max_new_tokens = 4 * kWindow}, heard)));
  while (expect_value(engine->step())) most_used = std::max(most_used, engine->kv_use().groups[0].n_used);
  EXPECT_EQ(heard.tokens, engine.model.continue_greedily(prompt, 4 * kWindow));
  EXPECT_LE(most_used, 6u);
  expect_clean(engine);
}

TEST(EngineAheadTest, TheContextEndsATextWithNothingDropped) {
  DeviceEngine engine(test::full_attention_fake(), 64, {});
  Heard heard, full;
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = random_tokens(60, 1), .sampling = greedy()}, heard)));
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = random_tokens(64, 2), .sampling = greedy()}, full)));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(heard.tokens, engine.model.continue_greedily(random_tokens(60, 1), 4));
  EXPECT_EQ(heard.reason, FinishReason::context);
  EXPECT_EQ(full.tokens.size(), 0u);
  EXPECT_EQ(full.reason, FinishReason::context);
  EXPECT_EQ(engine->counters().dropped_tokens, 0u);
  expect_clean(engine);
}

TEST(EngineAheadTest, ANumberThatIsNoneIsAnErrorOfItsRequest) {
  DeviceEngine engine(test::full_attention_fake(), 256, {});
  engine.controls->nan_token = 7;
  Heard bad, good;
  sample::SamplingParams never_seven = greedy();
  never_seven.logit_bias = {{7, -1e9f}};
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = {1, 7}, .sampling = greedy()}, bad)));
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = {1, 2}, .sampling = never_seven, .max_new_tokens = 20}, good)));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(bad.reason, FinishReason::error);
  EXPECT_EQ(bad.error.code, Code::invalid_file);
  EXPECT_EQ(good.reason, FinishReason::length);
  EXPECT_EQ(good.tokens, engine.model.continue_text({1, 2}, 20, never_seven));
  expect_clean(engine);
}

TEST(EngineAheadTest, AStepThatIsRefusedEndsItsRequestsAndNoOthers) {
  DeviceEngine engine(test::full_attention_fake(), 256, {.max_sequences = 1});
  Heard refused, later;
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = {1}, .sampling = greedy()}, refused)));
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = {2}, .sampling = greedy(), .max_new_tokens = 9}, later)));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(engine->step());
  }
  engine.device->refuse_submit = Error{Code::out_of_memory, "no room for a step"};
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(refused.reason, FinishReason::error);
  EXPECT_EQ(refused.error.code, Code::out_of_memory);
  EXPECT_EQ(later.tokens, engine.model.continue_greedily({2}, 9));
  expect_clean(engine);
}

// Whatever the device says, it ends the requests it says it of, and nothing else.
TEST(EngineHostileDeviceTest, NonsenseFromADeviceIsAnErrorOfTheRequest) {
  using Nonsense = std::function<void(std::vector<TokenId>&, std::vector<float>&)>;
  const std::vector<Nonsense> nonsense = {
      [](std::vector<TokenId>& tokens, std::vector<float>&) { tokens.assign(tokens.size(), 50); },
      [](std::vector<TokenId>& tokens, std::vector<float>&) {
        tokens.assign(tokens.size(), std::numeric_limits<TokenId>::min());
      },
      [](std::vector<TokenId>& tokens, std::vector<float>&) {
        tokens.assign(tokens.size(), std::numeric_limits<TokenId>::max());
      },
      [](std::vector<TokenId>& tokens, std::vector<float>&) { tokens.clear(); },
      [](std::vector<TokenId>&, std::vector<float>& logits) { logits.resize(49); },
      [](std::vector<TokenId>&, std::vector<float>& logits) { logits.clear(); },
  };
  for (std::size_t i = 0; i < nonsense.size(); ++i) {
    DeviceEngine engine(test::full_attention_fake(), 256, {.max_sequences = 1});
    Heard heard, later;
    ASSERT_TRUE(engine->submit(listen({.prompt = {1}, .sampling = greedy(), .max_new_tokens = 20}, heard)));
    ASSERT_TRUE(engine->submit(hear_tokens({.prompt = {2}, .sampling = greedy(), .max_new_tokens = 5}, later)));
    ASSERT_TRUE(engine->step());
    engine.device->corrupt = nonsense[i];
    ASSERT_TRUE(engine->step());
    engine.device->corrupt = nullptr;
    EXPECT_EQ(heard.reason, FinishReason::error) << i;
    EXPECT_EQ(heard.finishes, 1) << i;
    EXPECT_EQ(heard.tokens.size(), 1u) << i;
    ASSERT_TRUE(engine->run());
    EXPECT_EQ(later.tokens, engine.model.continue_greedily({2}, 5)) << i;
    expect_clean(engine);
  }
}

// As in a page: nothing ever waits, and the event loop lets the device move on.
TEST(EngineAheadTest, WhereNothingMayWaitTheCallerIsToldTo) {
  DeviceEngine engine(test::full_attention_fake(), 256, {},
                      {.can_wait = false, .polls_to_start = 7, .polls_a_step = 11});
  EXPECT_FALSE(expect_value(engine->ready()));
  EXPECT_EQ(engine->run().error().code, Code::invalid_argument);
  Heard heard;
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = {1}, .sampling = greedy(), .max_new_tokens = 12}, heard)));
  EXPECT_FALSE(expect_value(engine->begin_step()));  // not ready
  int returned = 0;
  while (expect_value(engine->step())) returned += engine->must_wait() ? 1 : 0;
  EXPECT_GT(returned, 12);
  EXPECT_EQ(heard.tokens, engine.model.continue_greedily({1}, 12));
  EXPECT_EQ(engine.device->waits, 0u);
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = {1}, .sampling = greedy(), .max_new_tokens = 1}, heard)));
  ASSERT_TRUE(expect_value(engine->begin_step()));
  EXPECT_EQ(engine->end_step().error().code, Code::invalid_argument);  // not there yet
  while (!engine->step_ready()) {
  }
  EXPECT_TRUE(engine->end_step());
  expect_clean(engine);
}

TEST(EngineAheadTest, AStartIsWaitedForWhereItCanBe) {
  DeviceEngine engine(test::full_attention_fake(), 256, {}, {.polls_to_start = 50, .polls_a_step = 5});
  Heard heard;
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = {1}, .sampling = greedy(), .max_new_tokens = 12}, heard)));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(heard.tokens, engine.model.continue_greedily({1}, 12));
  EXPECT_GT(engine.device->waits, 0u);
  expect_clean(engine);
}

TEST(EngineAheadTest, CallbacksMayCancelAndSubmitButNotStep) {
  DeviceEngine engine(test::full_attention_fake(), 256, {});
  Heard other, chained, self;
  const RequestId other_id = expect_value(engine->submit(hear_tokens({.prompt = {4}, .sampling = greedy()}, other)));
  Request request = hear_tokens({.prompt = {1, 2}, .sampling = greedy()}, self);
  std::optional<RequestId> self_id;
  request.on_token = [&](const TokenEvent& event) {
    self.tokens.push_back(event.token);
    if (self.tokens.size() < 3) return;
    ASSERT_TRUE(engine->submit(hear_tokens({.prompt = {9}, .sampling = greedy(), .max_new_tokens = 2}, chained)));
    ASSERT_TRUE(engine->cancel(other_id));
    ASSERT_TRUE(engine->cancel(*self_id));
    EXPECT_EQ(engine->begin_step().error().code, Code::invalid_argument);
    EXPECT_EQ(engine->end_step().error().code, Code::invalid_argument);
    EXPECT_EQ(engine->preempt(other_id).error().code, Code::invalid_argument);
    EXPECT_EQ(engine->fork(other_id, {}).error().code, Code::invalid_argument);
  };
  self_id = expect_value(engine->submit(std::move(request)));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(self.tokens.size(), 3u);
  EXPECT_EQ(self.reason, FinishReason::cancelled);
  EXPECT_EQ(other.reason, FinishReason::cancelled);
  EXPECT_EQ(chained.tokens, engine.model.continue_greedily({9}, 2));
  expect_clean(engine);
}

}  // namespace
}  // namespace wisp::runtime
