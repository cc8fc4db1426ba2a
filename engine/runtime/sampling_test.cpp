// What the engine makes of samplers: whose work they are, what they remember, and the logprobs that callers hear.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "tests/engine_harness.h"

namespace wisp::runtime {
namespace {

using sample::LogprobOptions;
using sample::SamplingParams;
using test::DeviceEngine;
using test::expect_value;
using test::FakeEngine;
using test::greedy;
using test::hear_tokens;
using test::Heard;
using test::listen;

struct Odds {
  float chosen;
  std::vector<sample::TokenLogprob> top;
};

Request listen_to_odds(Request request, Heard& heard, std::vector<Odds>& odds) {
  request = hear_tokens(std::move(request), heard);
  request.on_token = [&odds, tell = request.on_token](const TokenEvent& event) {
    odds.push_back({event.logprobs.chosen, {event.logprobs.top.begin(), event.logprobs.top.end()}});
    tell(event);
  };
  return request;
}

double logprob(const std::vector<float>& logits, TokenId id) {
  double total = 0.0;
  for (const float logit : logits) total += std::exp(double{logit});
  return double{logits[static_cast<std::size_t>(id)]} - std::log(total);
}

SamplingParams mirostat(std::uint64_t seed) {
  SamplingParams params;
  params.mirostat = true;
  params.mirostat_tau = 3.0f;
  params.mirostat_eta = 0.3f;
  params.seed = seed;
  return params;
}

TEST(EngineSamplingTest, NewerSamplersAreTheHosts) {
  const std::vector<std::function<void(SamplingParams&)>> changes = {
      [](SamplingParams& p) { p.typical_p = 0.8f; },
      [](SamplingParams& p) { p.top_n_sigma = 1.5f; },
      [](SamplingParams& p) { p.xtc_probability = 0.7f; },
      [](SamplingParams& p) { p.dry_multiplier = 1.0f; },
      [](SamplingParams& p) { p.dynatemp_range = 0.5f; },
      [](SamplingParams& p) { p.mirostat = true; },
      [](SamplingParams& p) { p.samplers = {sample::SamplerKind::temperature, sample::SamplerKind::top_k}; },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    DeviceEngine engine(test::full_attention_fake(), 512, {});
    SamplingParams params;
    params.seed = 5;
    changes[i](params);
    Heard heard;
    ASSERT_TRUE(engine->submit(hear_tokens({.prompt = {1, 2}, .sampling = params, .max_new_tokens = 20}, heard)));
    ASSERT_TRUE(engine->run());
    EXPECT_EQ(heard.tokens, engine.model.continue_text({1, 2}, 20, params)) << i;
    EXPECT_EQ(engine->counters().device_tokens, 0u) << i;
  }
}

TEST(EngineSamplingTest, MirostatRemembersThroughPreemptions) {
  FakeEngine engine(test::full_attention_fake(), 512, {});
  const SamplingParams params = mirostat(3);
  Heard heard;
  const RequestId id =
      expect_value(engine->submit(listen({.prompt = {1, 2}, .sampling = params, .max_new_tokens = 40}, heard)));
  for (int i = 0; i < 25; ++i) {
    ASSERT_TRUE(engine->step());
    if (i % 4 == 3) {
      ASSERT_TRUE(engine->preempt(id));
    }
  }
  ASSERT_TRUE(engine->run());
  const std::vector<TokenId> expected = engine.model.continue_text({1, 2}, 40, params);
  EXPECT_EQ(heard.tokens, expected);
  EXPECT_GT(heard.stats.preemptions, 0u);
  // Only a test where its memory matters.
  SamplingParams forgetful = params;
  forgetful.mirostat_eta = 0.0f;
  EXPECT_NE(engine.model.continue_text({1, 2}, 40, forgetful), expected);
}

TEST(EngineSamplingTest, AForkOfMirostatGoesOnFromItsParent) {
  FakeEngine engine(test::full_attention_fake(), 512, {});
  const SamplingParams params = mirostat(4);
  Heard parent, child;
  const RequestId id =
      expect_value(engine->submit(listen({.prompt = {1, 2}, .sampling = params, .max_new_tokens = 40}, parent)));
  while (parent.tokens.size() < 20) {
    ASSERT_TRUE(engine->step());
  }
  ASSERT_TRUE(engine->fork(id, listen({.sampling = params, .max_new_tokens = 20}, child)));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(child.tokens, (std::vector<TokenId>{parent.tokens.begin() + 20, parent.tokens.end()}));
}

template <class AnyEngine>
void expect_odds_of_the_model(AnyEngine& engine, const SamplingParams& params) {
  Heard heard;
  std::vector<Odds> odds;
  Request request{.prompt = {3, 4}, .sampling = params, .max_new_tokens = 12};
  request.logprobs = LogprobOptions{.top = 5};
  ASSERT_TRUE(engine->submit(listen_to_odds(std::move(request), heard, odds)));
  ASSERT_TRUE(engine->run());
  std::vector<TokenId> tokens = {3, 4};
  tokens.insert(tokens.end(), heard.tokens.begin(), heard.tokens.end());
  const std::vector<std::vector<float>> logits = engine.model.logits(tokens);
  ASSERT_EQ(odds.size(), 12u);
  for (std::size_t i = 0; i < odds.size(); ++i) {
    const std::vector<float>& row = logits[i + 1];
    EXPECT_NEAR(odds[i].chosen, logprob(row, heard.tokens[i]), 1e-4);
    ASSERT_EQ(odds[i].top.size(), 5u);
    EXPECT_EQ(odds[i].top[0].id, sample::argmax(row));
    for (const auto& [id, told] : odds[i].top) EXPECT_NEAR(told, logprob(row, id), 1e-4);
  }
}

TEST(EngineSamplingTest, LogprobsAreTheModelsWhoeverChooses) {
  SamplingParams params;
  params.temperature = 0.7f;
  params.seed = 2;
  params.logit_bias = {{7, 1.0f}};
  FakeEngine here(test::full_attention_fake(), 512, {});
  expect_odds_of_the_model(here, params);
  DeviceEngine there(test::full_attention_fake(), 512, {});
  expect_odds_of_the_model(there, params);
  EXPECT_EQ(there->counters().device_tokens, 12u);
  EXPECT_GT(there->counters().most_steps_in_flight, 1u);
}

TEST(EngineSamplingTest, LogprobsAfterSamplingAreOfTheChain) {
  DeviceEngine engine(test::full_attention_fake(), 512, {});
  SamplingParams params;
  params.top_k = 3;
  params.top_p = 1.0f;
  params.min_p = 0.0f;
  Heard heard;
  std::vector<Odds> odds;
  Request request{.prompt = {3, 4}, .sampling = params, .max_new_tokens = 12};
  request.logprobs = LogprobOptions{.top = 20, .after_sampling = true};
  ASSERT_TRUE(engine->submit(listen_to_odds(std::move(request), heard, odds)));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(heard.tokens, engine.model.continue_text({3, 4}, 12, params));
  EXPECT_EQ(engine->counters().device_tokens, 0u);
  for (std::size_t i = 0; i < odds.size(); ++i) {
    ASSERT_EQ(odds[i].top.size(), 3u);
    double sum = 0.0;
    bool has_chosen = false;
    for (const auto& [id, told] : odds[i].top) {
      sum += std::exp(double{told});
      has_chosen = has_chosen || (id == heard.tokens[i] && told == odds[i].chosen);
    }
    EXPECT_NEAR(sum, 1.0, 1e-5);
    EXPECT_TRUE(has_chosen);
  }
}

TEST(EngineSamplingTest, LogprobsAreToldOnlyToWhomAsks) {
  FakeEngine engine(test::full_attention_fake(), 512, {});
  Heard heard;
  std::vector<Odds> odds;
  ASSERT_TRUE(engine->submit(listen_to_odds({.prompt = {1}, .sampling = greedy(), .max_new_tokens = 3}, heard, odds)));
  Request wrong{.prompt = {1}};
  wrong.logprobs = LogprobOptions{.top = 1, .mass = 2.0f};
  EXPECT_EQ(engine->submit(std::move(wrong)).error().code, Code::invalid_argument);
  ASSERT_TRUE(engine->run());
  for (const Odds& one : odds) EXPECT_TRUE(one.top.empty());
}

}  // namespace
}  // namespace wisp::runtime
