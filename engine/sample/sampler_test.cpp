#include "sample/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "sample/random.h"
#include "sample/sampler_testing.h"

namespace wisp::sample {
namespace {

SamplingParams greedy() {
  SamplingParams params = plain();
  params.temperature = 0.0f;
  return params;
}

// --- The twin: the same definition, written naively in double precision. ---

void normalize(std::vector<Share>& shares) {
  double total = 0.0;
  for (const Share& share : shares) total += share.second;
  for (Share& share : shares) share.second /= total;
}

void soften(std::vector<Share>& shares, const std::vector<float>& logits, double temperature) {
  double highest = -std::numeric_limits<double>::infinity();
  for (const Share& share : shares) highest = std::max<double>(highest, logits[static_cast<std::size_t>(share.first)]);
  for (Share& share : shares) {
    share.second = std::exp((double{logits[static_cast<std::size_t>(share.first)]} - highest) / temperature);
  }
  normalize(shares);
}

// The tokens that may be drawn, most likely first, and their probabilities.
std::vector<Share> naive_distribution(const std::vector<float>& logits, const SamplingParams& params) {
  std::vector<Share> shares;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (!std::isnan(logits[i]) && logits[i] != -kInfinity) shares.emplace_back(static_cast<TokenId>(i), 0.0);
  }
  std::ranges::sort(shares, {}, [&](const Share& share) {
    return std::pair(-logits[static_cast<std::size_t>(share.first)], share.first);
  });
  if (params.top_k > 0 && static_cast<std::size_t>(params.top_k) < shares.size()) {
    shares.resize(static_cast<std::size_t>(params.top_k));
  }
  soften(shares, logits, 1.0);
  if (params.top_p < 1.0f) {
    double mass = 0.0;
    std::size_t n = 0;
    do mass += shares[n++].second;
    while (n < shares.size() && mass < double{params.top_p});
    shares.resize(n);
  }
  const double least = double{params.min_p} * shares[0].second;
  std::erase_if(shares, [&](const Share& share) { return share.second < least; });
  soften(shares, logits, double{params.temperature});
  return shares;
}

std::vector<float> naive_penalties(std::vector<float> logits, const std::vector<TokenId>& history,
                                   const SamplingParams& params) {
  std::size_t first = 0;
  if (params.penalty_last_n >= 0 && history.size() > static_cast<std::size_t>(params.penalty_last_n)) {
    first = history.size() - static_cast<std::size_t>(params.penalty_last_n);
  }
  for (std::size_t id = 0; id < logits.size(); ++id) {
    for (const auto& [token, bias] : params.logit_bias) {
      if (static_cast<std::size_t>(token) == id) logits[id] += bias;
    }
    const auto times =
        std::count(history.begin() + static_cast<std::ptrdiff_t>(first), history.end(), static_cast<TokenId>(id));
    if (times == 0) continue;
    if (logits[id] > 0)
      logits[id] /= params.repeat_penalty;
    else
      logits[id] *= params.repeat_penalty;
    logits[id] -= static_cast<float>(times) * params.frequency_penalty + params.presence_penalty;
  }
  return logits;
}

// --- Frequencies ---

void expect_frequencies(const SamplingParams& params, std::uint32_t seed, const std::vector<TokenId>& history = {}) {
  const std::vector<float> logits = random_logits(48, seed, 1.5f);
  const std::vector<Share> expected = naive_distribution(naive_penalties(logits, history, params), params);
  expect_chance(measure(make(params, logits.size()), logits, history, expected));
}

TEST(SamplerFrequencies, Plain) { expect_frequencies(plain(), 1); }

TEST(SamplerFrequencies, Temperature) {
  for (const float temperature : {0.3f, 0.8f, 2.5f}) {
    SamplingParams params = plain();
    params.temperature = temperature;
    expect_frequencies(params, 2);
  }
}

TEST(SamplerFrequencies, TopK) {
  for (const std::int32_t k : {2, 7, 40, 48, 1000}) {
    SamplingParams params = plain();
    params.top_k = k;
    params.seed = 11;
    expect_frequencies(params, 3);
  }
}

TEST(SamplerFrequencies, TopP) {
  for (const float p : {0.4f, 0.8f, 0.99f}) {
    SamplingParams params = plain();
    params.top_p = p;
    params.seed = 12;
    expect_frequencies(params, 4);
  }
}

TEST(SamplerFrequencies, MinP) {
  for (const float p : {0.02f, 0.2f}) {
    SamplingParams params = plain();
    params.min_p = p;
    params.seed = 13;
    expect_frequencies(params, 5);
  }
}

TEST(SamplerFrequencies, Penalties) {
  SamplingParams params = plain();
  params.repeat_penalty = 1.3f;
  params.frequency_penalty = 0.4f;
  params.presence_penalty = 0.2f;
  params.penalty_last_n = 6;
  params.logit_bias = {{4, 1.5f}, {9, -kInfinity}};
  expect_frequencies(params, 6, {1, 1, 1, 40, 3, 3, 5, 3, 7, 40});
}

TEST(SamplerFrequencies, WholeChain) {
  SamplingParams params;  // the defaults, which use every filter
  params.temperature = 1.4f;
  params.top_k = 30;
  params.min_p = 0.02f;
  params.seed = 0xDEADBEEFCAFEull;
  expect_frequencies(params, 7);
}

// The measure itself must be able to say no: a temperature 3 % off, and a top-k one too large.
TEST(SamplerFrequencies, NoticeASmallError) {
  const std::vector<float> logits = random_logits(48, 8, 1.5f);
  SamplingParams wrong = plain();
  wrong.temperature = 1.03f;
  const Frequencies warm = measure(make(wrong, 48), logits, {}, naive_distribution(logits, plain()));
  EXPECT_GT(warm.chi_square, chi_square_bound(warm.degrees));
  SamplingParams right = plain();
  right.top_k = 10;
  wrong = plain();
  wrong.top_k = 11;
  EXPECT_GT(measure(make(wrong, 48), logits, {}, naive_distribution(logits, right)).impossible, 0);
}

// --- The same token as the twin, over many shapes: partial selections, ties, NaN, infinities, long vocabularies ---

TEST(Sampler, DrawsWhatTheNaiveTwinDraws) {
  std::mt19937 random(2024);
  const auto below = [&](std::uint32_t n) { return static_cast<std::int32_t>(random() % n); };
  int drawn = 0;
  for (int round = 0; round < 2000; ++round) {
    const std::size_t n = 1 + static_cast<std::size_t>(below(round % 10 == 0 ? 5000 : 300));
    std::vector<float> logits = random_logits(n, random(), round % 3 == 0 ? 0.3f : 3.0f);
    if (round % 4 == 0) {
      for (float& logit : logits) logit = std::round(logit);  // ties everywhere
    }
    for (int i = below(4); i > 0; --i) logits[static_cast<std::size_t>(below(static_cast<std::uint32_t>(n)))] = kNan;
    for (int i = below(4); i > 0; --i) {
      logits[static_cast<std::size_t>(below(static_cast<std::uint32_t>(n)))] = -kInfinity;
    }
    if (std::ranges::none_of(logits, [](float logit) { return logit > -kInfinity; })) continue;
    SamplingParams params = plain();
    params.temperature = 0.2f + 0.1f * static_cast<float>(below(20));
    if (below(2) == 0) params.top_k = 1 + below(static_cast<std::uint32_t>(n + 10));
    // Off the sums that ties make likely, where rounding decides.
    if (below(2) == 0) params.top_p = 0.0317f + 0.0971f * static_cast<float>(below(10));
    if (below(2) == 0) params.min_p = 0.0213f * static_cast<float>(below(30));
    params.seed = random();
    std::vector<Share> shares = naive_distribution(logits, params);
    const bool sorted = params.top_p < 1.0f || (params.top_k > 0 && static_cast<std::size_t>(params.top_k) < n);
    if (!sorted) std::ranges::sort(shares);  // with all tokens kept, the draw walks in id order
    const auto position = static_cast<std::uint64_t>(round);
    double rest = uniform(params.seed, position);
    TokenId expected = shares.back().first;
    for (const auto& [token, probability] : shares) {
      if (rest < probability) {
        expected = token;
        break;
      }
      rest -= probability;
    }
    SamplerScratch scratch(n);
    const Result<TokenId> token = make(params, n).sample(logits, {}, position, scratch);
    ASSERT_TRUE(token.has_value());
    EXPECT_EQ(*token, expected) << "round " << round << ", vocabulary " << n << ", top_k " << params.top_k << ", top_p "
                                << params.top_p << ", min_p " << params.min_p;
    ++drawn;
  }
  EXPECT_GT(drawn, 1900);
}

// --- Greedy ---

TEST(Sampler, GreedyTakesTheLowestIdOnATie) {
  for (const std::size_t n : {2, 31, 32, 33, 64, 100, 1000}) {
    for (std::size_t first = 0; first + 1 < n; first += 1 + n / 13) {
      std::vector<float> logits(n, -5.0f);
      logits[first] = logits[n - 1] = 2.0f;
      EXPECT_EQ(argmax(logits), static_cast<TokenId>(first));
    }
  }
  EXPECT_EQ(argmax(std::vector<float>{-0.0f, 0.0f}), 0);
}

TEST(Sampler, GreedyIsAnyTemperatureOfZeroOrLess) {
  SamplerScratch scratch(3);
  for (const float temperature : {0.0f, -0.0f, -1.0f}) {
    SamplingParams params = plain();
    params.temperature = temperature;
    for (std::uint64_t position = 0; position < 50; ++position) {
      std::vector<float> logits = {1.0f, 1.01f, 1.0f};
      EXPECT_EQ(make(params, 3).sample(logits, {}, position, scratch), 1);
    }
  }
}

TEST(Sampler, NanNeverWins) {
  for (std::size_t at = 0; at < 70; ++at) {
    std::vector<float> logits(70, kNan);
    logits[at] = -1e30f;
    EXPECT_EQ(argmax(logits), static_cast<TokenId>(at));
    SamplerScratch scratch(70);
    EXPECT_EQ(make(plain(), 70).sample(logits, {}, at, scratch), static_cast<TokenId>(at));
  }
}

TEST(Sampler, InfiniteLogitsShareTheDraw) {
  SamplerScratch scratch(4);
  std::map<TokenId, int> counts;
  for (std::uint64_t position = 0; position < 1000; ++position) {
    std::vector<float> logits = {0.0f, kInfinity, kNan, kInfinity};
    ++counts[make(plain(), 4).sample(logits, {}, position, scratch).value()];
  }
  EXPECT_EQ(counts.size(), 2u);
  EXPECT_NEAR(counts[1], 500, 80);
  EXPECT_NEAR(counts[3], 500, 80);
}

TEST(Sampler, NothingToChooseIsAnError) {
  SamplerScratch scratch(3);
  for (const SamplingParams& params : {plain(), greedy(), SamplingParams{}}) {
    std::vector<float> nan(3, kNan);
    EXPECT_EQ(make(params, 3).sample(nan, {}, 0, scratch).error().code, Code::invalid_file);
    std::vector<float> banned(3, -kInfinity);
    EXPECT_EQ(make(params, 3).sample(banned, {}, 0, scratch).error().code, Code::invalid_argument);
  }
  std::vector<float> two(2, 0.0f);
  EXPECT_EQ(make(plain(), 3).sample(two, {}, 0, scratch).error().code, Code::internal);
  SamplerScratch small(2);
  std::vector<float> three(3, 0.0f);
  EXPECT_EQ(make(plain(), 3).sample(three, {}, 0, small).error().code, Code::internal);
}

// --- Penalties, reproducibility, memory, hostile parameters ---

TEST(Sampler, PenaltiesEqualTheNaiveOnes) {
  std::mt19937 random(5);
  SamplerScratch scratch(30);
  for (int round = 0; round < 300; ++round) {
    SamplingParams params = greedy();
    params.repeat_penalty = 0.5f + 0.1f * static_cast<float>(random() % 15);
    params.frequency_penalty = 0.1f * static_cast<float>(random() % 10) - 0.4f;
    params.presence_penalty = 0.1f * static_cast<float>(random() % 10) - 0.4f;
    params.penalty_last_n = static_cast<std::int32_t>(random() % 30) - 1;
    if (round % 3 == 0) params.logit_bias = {{3, 1.0f}, {3, 0.5f}, {29, -2.0f}};
    std::vector<TokenId> history(random() % 40);
    for (TokenId& token : history) token = static_cast<TokenId>(random() % 34) - 2;  // some are no tokens at all
    std::vector<float> logits = random_logits(30, random(), 2.0f);
    const std::vector<float> expected = naive_penalties(logits, history, params);
    ASSERT_TRUE(make(params, 30).sample(logits, history, 0, scratch).has_value());
    EXPECT_EQ(logits, expected) << "round " << round;
  }
}

TEST(Sampler, IsAFunctionOfSeedAndPosition) {
  const std::vector<float> logits = random_logits(1000, 9, 1.0f);
  SamplerScratch scratch(1000);
  const auto draw_at = [&](std::uint64_t seed, std::uint64_t position) {
    SamplingParams params = plain();
    params.seed = seed;
    std::vector<float> work = logits;
    return make(params, 1000).sample(work, {}, position, scratch).value();
  };
  std::vector<TokenId> forward, backward;
  for (std::uint64_t i = 0; i < 64; ++i) forward.push_back(draw_at(3, i));
  for (std::uint64_t i = 64; i-- > 0;) backward.push_back(draw_at(3, i));
  std::ranges::reverse(backward);
  EXPECT_EQ(forward, backward);
  int same = 0;
  for (std::uint64_t i = 0; i < 64; ++i) same += draw_at(4, i) == forward[static_cast<std::size_t>(i)] ? 1 : 0;
  EXPECT_LT(same, 10);
}

TEST(Sampler, SurvivesExtremeButValidParameters) {
  const float most = std::numeric_limits<float>::max(), least = std::numeric_limits<float>::denorm_min();
  SamplerScratch scratch(64);
  for (const float temperature : {least, 1e-20f, 1.0f, most}) {
    for (const float penalty : {least, 1.0f, most}) {
      for (const std::int32_t top_k :
           {std::numeric_limits<std::int32_t>::min(), 1, std::numeric_limits<std::int32_t>::max()}) {
        for (const float share : {0.0f, 0.5f, 1.0f}) {
          SamplingParams params;
          params.temperature = temperature;
          params.repeat_penalty = params.frequency_penalty = penalty;
          params.presence_penalty = -penalty;
          params.top_k = top_k;
          params.top_p = share;
          params.min_p = share;
          std::vector<float> logits = random_logits(64, 10, 5.0f);
          logits[0] = most;
          logits[1] = -most;
          const Result<TokenId> token = make(params, 64).sample(logits, std::vector<TokenId>{0, 1, 2, 2}, 1, scratch);
          ASSERT_TRUE(token.has_value()) << token.error().message;
          EXPECT_TRUE(*token >= 0 && *token < 64);
        }
      }
    }
  }
}

TEST(SamplingParams, RefusesWhatMakesNoSense) {
  const auto refused = [](auto&& change) {
    SamplingParams params;
    change(params);
    const Status status = validate(params, 100);
    return !status && status.error().code == Code::invalid_argument ? status.error().message : std::string();
  };
  EXPECT_TRUE(validate(SamplingParams{}, 100).has_value());
  EXPECT_EQ(refused([](SamplingParams& p) { p.temperature = kNan; }), "temperature is nan, expected a finite number");
  EXPECT_NE(refused([](SamplingParams& p) { p.temperature = kInfinity; }), "");
  EXPECT_EQ(refused([](SamplingParams& p) { p.top_p = 1.5f; }), "top_p is 1.5, expected 0 to 1");
  EXPECT_NE(refused([](SamplingParams& p) { p.top_p = kNan; }), "");
  EXPECT_NE(refused([](SamplingParams& p) { p.min_p = -0.1f; }), "");
  EXPECT_NE(refused([](SamplingParams& p) { p.repeat_penalty = 0.0f; }), "");
  EXPECT_NE(refused([](SamplingParams& p) { p.repeat_penalty = kNan; }), "");
  EXPECT_NE(refused([](SamplingParams& p) { p.frequency_penalty = kInfinity; }), "");
  EXPECT_NE(refused([](SamplingParams& p) { p.presence_penalty = -kInfinity; }), "");
  EXPECT_NE(refused([](SamplingParams& p) { p.penalty_last_n = -2; }), "");
  EXPECT_NE(refused([](SamplingParams& p) { p.logit_bias = {{0, 0.0f}, {-1, 0.0f}}; }), "");
  EXPECT_EQ(refused([](SamplingParams& p) { p.logit_bias = {{100, 0.0f}}; }),
            "logit_bias names token 100, but tokens are 0 to 99");
  EXPECT_NE(refused([](SamplingParams& p) { p.logit_bias = {{5, kInfinity}}; }), "");
  EXPECT_NE(refused([](SamplingParams& p) { p.logit_bias = {{5, kNan}}; }), "");
  EXPECT_EQ(refused([](SamplingParams& p) { p.logit_bias = {{5, -kInfinity}}; }), "");
  EXPECT_FALSE(validate(SamplingParams{}, 0).has_value());
  EXPECT_FALSE(validate(SamplingParams{}, std::size_t{1} << 31).has_value());
}

}  // namespace
}  // namespace wisp::sample
