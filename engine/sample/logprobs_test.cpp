#include "sample/logprobs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "sample/sampler_testing.h"

namespace wisp::sample {
namespace {

std::vector<double> naive_logprobs(const std::vector<float>& logits) {
  double total = 0.0;
  for (const float logit : logits) total += logit > -kInfinity ? std::exp(double{logit}) : 0.0;
  std::vector<double> all;
  for (const float logit : logits) all.push_back(double{logit} - std::log(total));
  return all;
}

TEST(Logprobs, AreTheModelsOwn) {
  for (std::uint32_t round = 0; round < 200; ++round) {
    const std::size_t n = 1 + round * 7;
    std::vector<float> logits = random_logits(n, round, 3.0f);
    if (round % 3 == 0) {
      for (float& logit : logits) logit = std::round(logit);  // ties
    }
    if (n > 5) logits[2] = kNan, logits[4] = -kInfinity;
    const std::vector<double> expected = naive_logprobs(logits);
    std::vector<TokenId> order(n);
    std::iota(order.begin(), order.end(), 0);
    std::erase_if(order, [&](TokenId id) { return !(logits[static_cast<std::size_t>(id)] > -kInfinity); });
    std::ranges::sort(order, {}, [&](TokenId id) { return std::pair(-logits[static_cast<std::size_t>(id)], id); });
    SamplerScratch scratch(n);
    const LogprobOptions options{.top = 1 + round % 30};
    const TokenId chosen = order[order.size() / 2];
    const Logprobs found = model_logprobs(options, logits, chosen, scratch);
    EXPECT_NEAR(found.chosen, expected[static_cast<std::size_t>(chosen)], 1e-5);
    ASSERT_EQ(found.top.size(), std::min<std::size_t>(options.top, order.size()));
    for (std::size_t i = 0; i < found.top.size(); ++i) {
      EXPECT_EQ(found.top[i].id, order[i]);
      EXPECT_NEAR(found.top[i].logprob, expected[static_cast<std::size_t>(order[i])], 1e-5);
    }
  }
}

TEST(Logprobs, TellAsManyAsHoldTheMass) {
  const std::vector<float> logits = {std::log(0.5f), std::log(0.05f), std::log(0.2f), std::log(0.25f)};
  SamplerScratch scratch(4);
  const auto told = [&](float mass, std::uint32_t top) {
    return model_logprobs({.top = top, .mass = mass}, logits, 0, scratch).top.size();
  };
  EXPECT_EQ(told(0.4f, 4), 1u);
  EXPECT_EQ(told(0.7f, 4), 2u);
  EXPECT_EQ(told(0.9f, 4), 3u);
  EXPECT_EQ(told(0.99f, 4), 4u);
  EXPECT_EQ(told(0.99f, 2), 2u);
  EXPECT_EQ(told(0.0f, 4), 0u);
  EXPECT_EQ(told(1.0f, 0), 0u);
  // All that was asked for, even where rounding makes the first ones sum to 1.
  const std::vector<float> sure = {100.0f, 0.0f, 0.0f, 0.0f};
  EXPECT_EQ(model_logprobs({.top = 4}, sure, 0, scratch).top.size(), 4u);
}

TEST(Logprobs, AfterSamplingAreOfWhatWasLeft) {
  SamplingParams params = plain();
  params.top_k = 2;
  params.temperature = 0.5f;
  std::vector<float> logits = {1.0f, 3.0f, 2.0f};
  SamplerScratch scratch(3);
  const LogprobOptions options{.top = 3, .after_sampling = true};
  const TokenId token = make(params, 3).sample(logits, {}, 0, scratch).value();
  const Logprobs found = sampled_logprobs(options, token, scratch);
  const double second = std::exp(-2.0) / (1.0 + std::exp(-2.0));  // a logit apart, at half the temperature
  ASSERT_EQ(found.top.size(), 2u);
  EXPECT_EQ(found.top[0].id, 1);
  EXPECT_NEAR(std::exp(found.top[0].logprob), 1.0 - second, 1e-6);
  EXPECT_EQ(found.top[1].id, 2);
  EXPECT_NEAR(std::exp(found.top[1].logprob), second, 1e-6);
  EXPECT_EQ(found.chosen, token == 1 ? found.top[0].logprob : found.top[1].logprob);

  params.temperature = 0.0f;
  const Logprobs sure = sampled_logprobs(options, make(params, 3).sample(logits, {}, 0, scratch).value(), scratch);
  EXPECT_EQ(sure.chosen, 0.0f);
  ASSERT_EQ(sure.top.size(), 1u);
  EXPECT_EQ(sure.top[0], (TokenLogprob{1, 0.0f}));
}

TEST(Logprobs, SurviveOddLogits) {
  SamplerScratch scratch(4);
  const std::vector<float> odd = {kInfinity, kNan, std::numeric_limits<float>::lowest(), kInfinity};
  const Logprobs found = model_logprobs({.top = 4}, odd, 0, scratch);
  EXPECT_NEAR(found.chosen, std::log(0.5), 1e-6);
  EXPECT_EQ(found.top.size(), 3u);
  for (const TokenLogprob& one : found.top) EXPECT_FALSE(std::isnan(one.logprob));
  const std::vector<float> none(4, kNan);
  EXPECT_EQ(model_logprobs({.top = 4}, none, 0, scratch).chosen, -kInfinity);
  EXPECT_EQ(model_logprobs({.top = 4}, odd, 17, scratch).chosen, -kInfinity);
  EXPECT_FALSE(validate(LogprobOptions{.mass = 1.5f}));
  EXPECT_FALSE(validate(LogprobOptions{.mass = kNan}));
  EXPECT_TRUE(validate(LogprobOptions{.top = 4'000'000'000u}));
}

}  // namespace
}  // namespace wisp::sample
