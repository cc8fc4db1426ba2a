// Requests from submission to finish, over the fake backend: callbacks, limits, errors. That tokens do not depend on
// company is bit_identity_test.cpp's.
#include "runtime/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "tests/engine_harness.h"
#include "tests/executors.h"
#include "tests/random_model.h"

namespace wisp::runtime {
namespace {

using test::expect_value;
using test::FakeEngine;
using test::greedy;
using test::Heard;
using test::listen;
using test::listen_to_scores;
using test::random_tokens;

TEST(EngineTest, GreedyTokensAndLogitsAreTheModels) {
  FakeEngine engine(test::mixed_fake(), 512, {});
  const std::vector<TokenId> prompt = random_tokens(100, 1);
  Heard heard;
  ASSERT_TRUE(engine->submit(listen({.prompt = prompt, .sampling = greedy(), .max_new_tokens = 60}, heard)));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(engine.controls->broken_rule, std::nullopt);
  EXPECT_EQ(heard.tokens, engine.model.continue_greedily(prompt, 60));
  EXPECT_EQ(heard.reason, FinishReason::length);
  EXPECT_EQ(heard.finishes, 1);
  std::vector<TokenId> all = prompt;
  all.insert(all.end(), heard.tokens.begin(), heard.tokens.end());
  std::vector<std::vector<float>> expected = engine.model.logits(all);
  EXPECT_TRUE(test::same_bits(heard.logits, {expected.begin() + 99, expected.end() - 1}));
}

TEST(EngineTest, FourPromptsOf512AreOneStepOf2048Rows) {
  FakeEngine engine(test::full_attention_fake(), 1024, {.row_budget = 2048});
  for (std::uint32_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(engine->submit({.prompt = random_tokens(512, i), .sampling = greedy(), .max_new_tokens = 1}));
  }
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(engine.controls->rows_of_steps, std::vector<std::uint32_t>{2048});
  EXPECT_EQ(engine.controls->sequences_of_steps, std::vector<std::uint32_t>{4});
}

TEST(EngineTest, StepsComeInTwoHalves) {
  FakeEngine engine(test::full_attention_fake(), 128, {});
  EXPECT_FALSE(expect_value(engine->begin_step()));
  EXPECT_EQ(engine->end_step().error().code, Code::invalid_argument);
  Heard heard;
  const RequestId id = expect_value(engine->submit(listen({.prompt = {1, 2}, .max_new_tokens = 3}, heard)));
  EXPECT_TRUE(expect_value(engine->begin_step()));
  EXPECT_TRUE(heard.tokens.empty());  // nothing is told before the end
  EXPECT_EQ(engine->begin_step().error().code, Code::invalid_argument);
  EXPECT_EQ(engine->fork(id, {}).error().code, Code::invalid_argument);
  EXPECT_EQ(engine->preempt(id).error().code, Code::invalid_argument);
  ASSERT_TRUE(engine->end_step());
  EXPECT_EQ(heard.tokens.size(), 1u);
}

TEST(EngineTest, ScoresComeForEveryPromptPositionInOrder) {
  // Six logit rows a step, and a chunk that divides nothing.
  FakeEngine engine(test::mixed_fake(), 512, {.max_sequences = 2, .max_logit_rows = 6, .prompt_chunk = 37});
  const std::vector<TokenId> prompt = random_tokens(150, 4);
  const std::vector<std::vector<float>> expected = engine.model.logits(prompt);
  for (const std::uint32_t from : {0u, 70u, 149u, 150u}) {
    Heard heard;
    ASSERT_TRUE(engine->submit(
        listen_to_scores({.prompt = prompt, .max_new_tokens = 0, .on_logits = {}, .logits_from = from}, heard)));
    ASSERT_TRUE(engine->run());
    EXPECT_TRUE(test::same_bits(heard.scores, {expected.begin() + from, expected.end()})) << from;
    EXPECT_EQ(heard.reason, FinishReason::length);
    EXPECT_TRUE(heard.tokens.empty());
  }
  EXPECT_EQ(engine.controls->broken_rule, std::nullopt);
}

TEST(EngineTest, ScoringGoesOnWhereAPreemptionCutIt) {
  FakeEngine engine(test::full_attention_fake(), 512, {.max_logit_rows = 8, .prompt_chunk = 8});
  const std::vector<TokenId> prompt = random_tokens(60, 4);
  Heard heard;
  const RequestId id = expect_value(
      engine->submit(listen_to_scores({.prompt = prompt, .sampling = greedy(), .max_new_tokens = 4}, heard)));
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(engine->step());
  }
  ASSERT_EQ(heard.scores.size(), 40u);
  ASSERT_TRUE(engine->preempt(id));
  ASSERT_TRUE(engine->run());
  EXPECT_TRUE(test::same_bits(heard.scores, engine.model.logits(prompt)));
  EXPECT_EQ(heard.tokens, engine.model.continue_greedily(prompt, 4));
  EXPECT_EQ(heard.stats.preemptions, 1u);
}

TEST(EngineTest, RefusesWhatMakesNoSense) {
  FakeEngine engine(test::full_attention_fake(), 64, {});
  const auto code = [&](Request request) { return engine->submit(std::move(request)).error().code; };
  sample::SamplingParams impossible;
  impossible.top_p = -1;
  EXPECT_EQ(code({}), Code::invalid_argument);
  EXPECT_EQ(code({.prompt = {1, -1}}), Code::invalid_argument);
  EXPECT_EQ(code({.prompt = {50}}), Code::invalid_argument);
  EXPECT_EQ(code({.prompt = {1}, .stop = {"x"}}), Code::invalid_argument);  // no tokenizer
  EXPECT_EQ(code({.prompt = {1}, .sampling = impossible}), Code::invalid_argument);
  EXPECT_EQ(engine->cancel(RequestId{99}).error().code, Code::not_found);
  EXPECT_EQ(engine->fork(RequestId{99}, {}).error().code, Code::not_found);
  EXPECT_EQ(engine->preempt(RequestId{99}).error().code, Code::not_found);
  EXPECT_EQ(engine->counters().requests_refused, 6u);
  EXPECT_FALSE(expect_value(engine->step()));
}

TEST(EngineTest, RefusesAPromptThatCanNeverFitAndSaysWhy) {
  FakeEngine small_context(test::full_attention_fake(), 64, {});
  const Error context = small_context->submit({.prompt = random_tokens(65, 1)}).error();
  EXPECT_EQ(context.code, Code::limit);
  EXPECT_NE(context.message.find("65"), std::string::npos) << context.message;
  EXPECT_NE(context.message.find("64"), std::string::npos) << context.message;

  FakeEngine small_pool(test::full_attention_fake(), 512, {.kv_blocks = {3}});
  const Error pool = small_pool->submit({.prompt = random_tokens(97, 1)}).error();
  EXPECT_EQ(pool.code, Code::limit);
  EXPECT_NE(pool.message.find("97"), std::string::npos) << pool.message;
  EXPECT_TRUE(small_pool->submit({.prompt = random_tokens(96, 1), .max_new_tokens = 0}));
  EXPECT_TRUE(small_pool->run());
}

TEST(EngineTest, OptionsThatMakeNoSenseAreRefused) {
  const test::FakeModel model = test::full_attention_fake();
  const auto code = [&](EngineOptions options) {
    const auto engine =
        Engine::create(gguf::File{}, model.graph(), 64, std::move(options),
                       std::make_unique<test::FakeExecutor>(model, std::make_shared<test::FakeControls>()));
    return engine ? std::optional<Code>{} : engine.error().code;
  };
  EXPECT_EQ(code({.row_budget = 0}), Code::invalid_argument);
  EXPECT_EQ(code({.row_budget = 1u << 31}), Code::invalid_argument);
  EXPECT_EQ(code({.row_budget = 4, .max_sequences = 5}), Code::invalid_argument);
  EXPECT_EQ(code({.max_sequences = 0}), Code::invalid_argument);
  EXPECT_EQ(code({.kv_blocks = {1, 1}}), Code::invalid_argument);
  EXPECT_EQ(code({.kv_bytes = 10}), Code::out_of_memory);
  EXPECT_EQ(code({.passes_off = {"no such pass"}}), Code::invalid_argument);
  EXPECT_EQ(code({}), std::nullopt);
}

TEST(EngineTest, TheContextEndsAText) {
  FakeEngine engine(test::full_attention_fake(), 64, {});
  Heard heard, full;
  ASSERT_TRUE(engine->submit(listen({.prompt = random_tokens(60, 1), .sampling = greedy()}, heard)));
  ASSERT_TRUE(engine->submit(listen({.prompt = random_tokens(64, 2), .sampling = greedy()}, full)));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(heard.tokens.size(), 4u);
  EXPECT_EQ(heard.reason, FinishReason::context);
  EXPECT_EQ(full.tokens.size(), 0u);
  EXPECT_EQ(full.reason, FinishReason::context);
}

TEST(EngineTest, APoolSmallerThanTheContextEndsAText) {
  FakeEngine engine(test::full_attention_fake(), 512, {.kv_blocks = {3}});
  std::vector<Heard> heard(4);
  for (std::uint32_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(engine->submit(listen({.prompt = random_tokens(20, i), .sampling = greedy()}, heard[i])));
  }
  ASSERT_TRUE(engine->run());
  for (std::uint32_t i = 0; i < 4; ++i) {
    EXPECT_EQ(heard[i].reason, FinishReason::context);
    // The 96 positions of three blocks are computed; the token after them is known too. The same for everybody, though
    // all four ran at once.
    EXPECT_EQ(heard[i].tokens.size(), 77u);
    EXPECT_EQ(heard[i].tokens, engine.model.continue_greedily(random_tokens(20, i), 77));
  }
  EXPECT_GT(engine->counters().preemptions, 0u);
  EXPECT_EQ(engine.controls->broken_rule, std::nullopt);
}

TEST(EngineTest, QueuesAreBoundedByRequestsAndByTokens) {
  FakeEngine engine(test::full_attention_fake(), 512,
                    {.max_sequences = 1, .max_waiting_requests = 3, .max_waiting_tokens = 100});
  EXPECT_TRUE(engine->submit({.prompt = random_tokens(200, 1), .max_new_tokens = 1}));  // alone, any size
  EXPECT_EQ(engine->submit({.prompt = {1}}).error().code, Code::limit);
  ASSERT_TRUE(engine->run());
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(engine->submit({.prompt = {1}, .max_new_tokens = 1}));
  }
  EXPECT_EQ(engine->submit({.prompt = {1}}).error().code, Code::limit);
  ASSERT_TRUE(engine->run());
  EXPECT_TRUE(engine->submit({.prompt = {1}, .max_new_tokens = 1}));
}

TEST(EngineTest, CancelsWhereverARequestIs) {
  FakeEngine engine(test::full_attention_fake(), 256, {.max_sequences = 2});
  std::vector<Heard> heard(3);
  std::vector<RequestId> ids;
  for (Heard& each : heard) ids.push_back(expect_value(engine->submit(listen({.prompt = {1, 2, 3}}, each))));
  ASSERT_TRUE(engine->step());
  ASSERT_TRUE(engine->cancel(ids[2]));  // waiting
  EXPECT_EQ(heard[2].reason, FinishReason::cancelled);
  ASSERT_TRUE(engine->cancel(ids[1]));  // running, between steps
  EXPECT_EQ(heard[1].reason, FinishReason::cancelled);
  EXPECT_EQ(engine->cancel(ids[1]).error().code, Code::not_found);
  ASSERT_TRUE(expect_value(engine->begin_step()));
  ASSERT_TRUE(engine->cancel(ids[0]));  // in flight
  EXPECT_EQ(heard[0].finishes, 0);
  ASSERT_TRUE(engine->end_step());
  EXPECT_EQ(heard[0].reason, FinishReason::cancelled);
  EXPECT_EQ(heard[0].tokens.size(), 1u);  // the token of the cancelled step is not told
  EXPECT_FALSE(expect_value(engine->step()));
  EXPECT_EQ(engine->kv_use().groups[0].n_used, 0u);
  EXPECT_EQ(engine->counters().requests_cancelled, 3u);
}

TEST(EngineTest, CallbacksMayCancelAndSubmit) {
  FakeEngine engine(test::full_attention_fake(), 256, {});
  Heard other, chained, self;
  const RequestId other_id = expect_value(engine->submit(listen({.prompt = {4}}, other)));
  Request request = listen({.prompt = {1, 2}, .sampling = greedy()}, self);
  std::optional<RequestId> self_id;
  request.on_token = [&](const TokenEvent& event) {
    self.tokens.push_back(event.token);
    if (self.tokens.size() < 3) return;
    ASSERT_TRUE(engine->submit(listen({.prompt = {9}, .max_new_tokens = 2}, chained)));
    ASSERT_TRUE(engine->cancel(other_id));
    ASSERT_TRUE(engine->cancel(*self_id));
  };
  self_id = expect_value(engine->submit(std::move(request)));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(self.tokens.size(), 3u);
  EXPECT_EQ(self.reason, FinishReason::cancelled);
  EXPECT_EQ(other.reason, FinishReason::cancelled);
  EXPECT_EQ(other.finishes, 1);
  EXPECT_EQ(chained.tokens.size(), 2u);
  EXPECT_EQ(chained.reason, FinishReason::length);
}

TEST(EngineTest, AnErrorOfOneRequestLeavesTheOthers) {
  FakeEngine engine(test::full_attention_fake(), 256, {});
  engine.controls->nan_token = 7;
  Heard bad, good;
  const std::vector<TokenId> prompt = {1, 2, 3};
  sample::SamplingParams never_seven = greedy();
  never_seven.logit_bias = {{7, -1e9f}};
  ASSERT_TRUE(engine->submit(listen({.prompt = {1, 7}}, bad)));
  ASSERT_TRUE(engine->submit(listen({.prompt = prompt, .sampling = never_seven, .max_new_tokens = 20}, good)));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(bad.reason, FinishReason::error);
  EXPECT_FALSE(bad.error.message.empty());
  EXPECT_EQ(good.reason, FinishReason::length);
  EXPECT_EQ(good.tokens.size(), 20u);
  EXPECT_EQ(engine->counters().requests_failed, 1u);
}

TEST(EngineTest, AFailedStepEndsItsRequestsAndNoOthers) {
  FakeEngine engine(test::full_attention_fake(), 256, {.max_sequences = 2});
  engine.controls->fail_at_step = 1;
  std::vector<Heard> heard(3);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto first = static_cast<TokenId>(i);
    ASSERT_TRUE(engine->submit(listen({.prompt = {first, 1}, .sampling = greedy(), .max_new_tokens = 5}, heard[i])));
  }
  ASSERT_TRUE(engine->run());
  for (const std::size_t i : {0u, 1u}) {
    EXPECT_EQ(heard[i].reason, FinishReason::error);
    EXPECT_EQ(heard[i].error.code, Code::device);
    EXPECT_EQ(heard[i].tokens.size(), 1u);
  }
  EXPECT_EQ(heard[2].reason, FinishReason::length);  // was waiting
  EXPECT_EQ(heard[2].tokens, engine.model.continue_greedily({2, 1}, 5));
  EXPECT_EQ(engine->kv_use().groups[0].n_used, 0u);
}

TEST(EngineTest, APlanWithoutRoomIsAnErrorOfTheRequests) {
  FakeEngine engine(test::full_attention_fake(), 256, {});
  engine.controls->refuse_prepare = true;
  Heard heard;
  ASSERT_TRUE(engine->submit(listen({.prompt = {1}}, heard)));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(heard.error.code, Code::out_of_memory);
  engine.controls->refuse_prepare = false;
  Heard again;
  ASSERT_TRUE(engine->submit(listen({.prompt = {1}, .max_new_tokens = 1}, again)));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(again.reason, FinishReason::length);
}

TEST(EngineTest, PrefixesAreSharedWithinASaltOnly) {
  FakeEngine engine(test::mixed_fake(), 512, {});
  const std::vector<TokenId> prompt = random_tokens(100, 3);
  const auto cached = [&](std::uint64_t salt) {
    Heard heard;
    EXPECT_TRUE(
        engine->submit(listen({.prompt = prompt, .sampling = greedy(), .max_new_tokens = 4, .salt = salt}, heard)));
    EXPECT_TRUE(engine->run());
    EXPECT_EQ(heard.tokens, engine.model.continue_greedily(prompt, 4));
    return heard.stats.cached_tokens;
  };
  EXPECT_EQ(cached(1), 0u);
  EXPECT_EQ(cached(1), 96u);
  EXPECT_EQ(cached(2), 0u);
  EXPECT_EQ(engine->counters().cached_tokens, 96u);
  EXPECT_EQ(engine.controls->broken_rule, std::nullopt);
}

TEST(EngineTest, AWindowedTextOfAnyLengthTakesConstantBlocks) {
  constexpr std::uint32_t kWindow = 96, kSinks = 4;
  EngineOptions options{.max_sequences = 1};
  options.context.window = kWindow;
  options.context.sinks = kSinks;
  FakeEngine engine(test::windowed_fake(kWindow, kSinks), 128, options);
  Heard heard;
  std::uint32_t most_used = 0;
  Request request =
      listen({.prompt = random_tokens(50, 1), .sampling = greedy(), .max_new_tokens = 4 * kWindow}, heard);
  ASSERT_TRUE(engine->submit(std::move(request)));
  while (expect_value(engine->step())) most_used = std::max(most_used, engine->kv_use().groups[0].n_used);
  EXPECT_EQ(heard.tokens, engine.model.continue_greedily(random_tokens(50, 1), 4 * kWindow));
  // The window touches at most four blocks of 32, the sinks one.
  EXPECT_EQ(most_used, 5u);
  EXPECT_EQ(engine.controls->broken_rule, std::nullopt);
}

TEST(EngineTest, LongPromptsDoNotHoldUpGeneration) {
  // 1 us a row and a target of 40 us: some 40 prompt rows beside a running text, whatever the prompt's length.
  FakeEngine engine(test::full_attention_fake(), 2048, {.inter_token_target_ns = 40'000});
  engine.controls->ns_per_row = 1000;
  ASSERT_TRUE(engine->submit({.prompt = {1, 2}, .sampling = greedy(), .max_new_tokens = 100}));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(engine->step());
  }
  ASSERT_TRUE(engine->submit({.prompt = random_tokens(1500, 2), .sampling = greedy(), .max_new_tokens = 1}));
  ASSERT_TRUE(engine->run());
  const std::vector<std::uint32_t>& rows = engine.controls->rows_of_steps;
  const auto settled = rows.begin() + 10;
  EXPECT_LE(*std::max_element(settled, rows.end()), 50u);
  EXPECT_GE(*std::max_element(settled, rows.end()), 30u);
}

TEST(EngineTest, CountersAddUp) {
  FakeEngine engine(test::full_attention_fake(), 256, {});
  ASSERT_TRUE(engine->submit({.prompt = random_tokens(40, 1), .sampling = greedy(), .max_new_tokens = 5}));
  ASSERT_TRUE(engine->run());
  const Counters counters = engine->counters();
  EXPECT_EQ(counters.steps, 5u);
  EXPECT_EQ(counters.rows, 44u);
  EXPECT_EQ(counters.logit_rows, 5u);
  EXPECT_EQ(counters.prompt_tokens, 40u);
  EXPECT_EQ(counters.generated_tokens, 5u);
  EXPECT_EQ(counters.requests_finished, 1u);
  EXPECT_EQ(counters.execute_ns, 44'000u);
  EXPECT_EQ(counters.running + counters.waiting, 0u);
  std::uint64_t op_rows = 0;
  const std::vector<OpTime> times = engine->op_times();
  ASSERT_EQ(times.size(), engine->graph().ops.size());
  for (const OpTime& time : times) op_rows += time.counter.rows;
  EXPECT_EQ(op_rows, 44u * times.size());
  EXPECT_EQ(engine->memory().front().owner, "weights");

  ASSERT_TRUE(engine->submit({.prompt = {1}, .sampling = greedy(), .max_new_tokens = 3}));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(engine->counters().prompt_tokens, 41u);
  EXPECT_EQ(engine->counters().rows, 47u);
}

// Prompts and generation run plans of different buckets; a step of any of them is one call of each op.
TEST(EngineTest, OpsCountEachStepOnceOnEveryBackend) {
  for (const test::ExecutorKind& kind : test::executor_kinds()) {
    test::RandomModel model = test::random_model({});
    const auto engine = expect_value(Engine::create(std::move(model.file), {}, kind.make()));
    engine->set_profiling(true);
    ASSERT_TRUE(engine->submit({.prompt = {1, 2, 3, 4, 5}, .sampling = greedy(), .max_new_tokens = 4}));
    ASSERT_TRUE(engine->run());
    EXPECT_EQ(engine->counters().steps, 4u);
    for (const OpTime& time : engine->op_times()) {
      EXPECT_EQ(time.counter.calls, 4u) << kind.name << " " << time.name;
      EXPECT_EQ(time.counter.rows, 8u) << kind.name << " " << time.name;
    }
    std::uint64_t nanoseconds = 0;
    for (const OpTime& time : engine->op_times()) nanoseconds += time.counter.nanoseconds;
    EXPECT_GT(nanoseconds, 0u) << kind.name;
    EXPECT_LE(nanoseconds, engine->counters().execute_ns) << kind.name;
  }
}

TEST(EngineTest, ForksContinueWithTheParentsTokens) {
  FakeEngine engine(test::mixed_fake(), 512, {});
  const std::vector<TokenId> prompt = random_tokens(45, 6);
  Heard parent, child, longer;
  const RequestId id =
      expect_value(engine->submit(listen({.prompt = prompt, .sampling = greedy(), .max_new_tokens = 30}, parent)));
  for (int i = 0; i < 7; ++i) {
    ASSERT_TRUE(engine->step());
  }
  ASSERT_TRUE(engine->fork(id, listen({.sampling = greedy(), .max_new_tokens = 23}, child)));
  ASSERT_TRUE(engine->fork(id, listen({.prompt = {3, 4, 5}, .sampling = greedy(), .max_new_tokens = 9}, longer)));
  ASSERT_TRUE(engine->run());
  const std::vector<TokenId> expected = engine.model.continue_greedily(prompt, 30);
  EXPECT_EQ(parent.tokens, expected);
  EXPECT_EQ(child.tokens, std::vector<TokenId>(expected.begin() + 7, expected.end()));
  EXPECT_EQ(child.stats.cached_tokens, 45u + 6u);
  std::vector<TokenId> base = prompt;
  base.insert(base.end(), expected.begin(), expected.begin() + 7);
  base.insert(base.end(), {3, 4, 5});
  EXPECT_EQ(longer.tokens, engine.model.continue_greedily(base, 9));
  EXPECT_EQ(engine.controls->broken_rule, std::nullopt);
  EXPECT_GT(engine->kv_use().counters.n_copies, 0u);
}

}  // namespace
}  // namespace wisp::runtime
