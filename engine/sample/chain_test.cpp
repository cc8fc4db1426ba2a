// Each sampler, alone and in chains of any order, against its definition.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "sample/naive_chain.h"
#include "sample/random.h"
#include "sample/sampler.h"
#include "sample/sampler_testing.h"
#include "tests/counting_new.h"

namespace wisp::sample {
namespace {

// A text that repeats itself.
const std::vector<TokenId> kHistory = {5, 1, 2, 3, 9, 7, 1, 2, 3, 4, 8, 2, 3, 4, 6, 1, 2, 3};

std::vector<Share> naive(const SamplingParams& params, const std::vector<float>& logits, bool xtc = false) {
  return NaiveChain(params, logits, kHistory).run(xtc);
}

// 100,000 draws from random logits have the frequencies of the definition.
void expect_frequencies(const SamplingParams& params, std::uint32_t seed) {
  const std::vector<float> logits = random_logits(48, seed, 1.5f);
  std::vector<Share> expected = naive(params, logits);
  if (params.xtc_probability > 0.0f) {  // a mixture of both cases
    const double often = double{params.xtc_probability};
    std::map<TokenId, double> mixed;
    for (const auto& [id, probability] : expected) mixed[id] += (1.0 - often) * probability;
    for (const auto& [id, probability] : naive(params, logits, true)) mixed[id] += often * probability;
    ASSERT_NE(expected, naive(params, logits, true));
    expected.assign(mixed.begin(), mixed.end());
    std::erase_if(expected, [](const Share& share) { return share.second == 0.0; });
  }
  expect_chance(measure(make(params, logits.size()), logits, kHistory, expected));
}

TEST(SamplerChainFrequencies, TypicalP) {
  for (const float p : {0.2f, 0.6f, 0.95f}) {
    SamplingParams params = plain();
    params.typical_p = p;
    expect_frequencies(params, 21);
  }
}

TEST(SamplerChainFrequencies, TopNSigma) {
  for (const float n : {0.5f, 1.0f, 2.0f}) {
    SamplingParams params = plain();
    params.top_n_sigma = n;
    expect_frequencies(params, 22);
  }
}

TEST(SamplerChainFrequencies, Xtc) {
  for (const float probability : {0.3f, 1.0f}) {
    SamplingParams params = plain();
    params.xtc_probability = probability;
    params.xtc_threshold = 0.05f;
    expect_frequencies(params, 23);
  }
}

TEST(SamplerChainFrequencies, Dry) {
  SamplingParams params = plain();
  params.dry_multiplier = 0.8f;
  expect_frequencies(params, 24);
  params.dry_breakers = {{1}, {9, 7}};
  params.dry_base = 2.5f;
  params.dry_allowed_length = 1;
  params.dry_penalty_last_n = 15;
  expect_frequencies(params, 24);
}

TEST(SamplerChainFrequencies, DynamicTemperature) {
  for (const float exponent : {0.5f, 1.0f, 3.0f}) {
    SamplingParams params = plain();
    params.temperature = 0.9f;
    params.dynatemp_range = 0.7f;
    params.dynatemp_exponent = exponent;
    expect_frequencies(params, 25);
  }
}

TEST(SamplerChainFrequencies, Mirostat) {
  for (const float tau : {1.5f, 2.5f, 9.0f}) {
    SamplingParams params;
    params.mirostat = true;
    params.mirostat_tau = tau;
    expect_frequencies(params, 26);
  }
}

TEST(SamplerChainFrequencies, WholeChain) {
  SamplingParams params;
  params.temperature = 1.2f;
  params.typical_p = 0.9f;
  params.top_n_sigma = 2.5f;
  params.xtc_probability = 0.4f;
  params.xtc_threshold = 0.06f;
  params.dry_multiplier = 0.5f;
  params.dynatemp_range = 0.3f;
  params.repeat_penalty = 1.1f;
  expect_frequencies(params, 27);
  std::ranges::reverse(params.samplers);
  params.xtc_threshold = 0.03f;
  expect_frequencies(params, 28);
}

// What the measure says of samplers that are slightly wrong.
TEST(SamplerChainFrequencies, NoticeASmallError) {
  const std::vector<float> logits = random_logits(48, 29, 1.5f);
  const auto differs = [&](const std::function<void(SamplingParams&)>& change, SamplingParams params) {
    SamplingParams wrong = params;
    change(wrong);
    const Frequencies found = measure(make(wrong, 48), logits, kHistory, naive(params, logits));
    return found.impossible > 0 || found.chi_square > chi_square_bound(found.degrees);
  };
  SamplingParams params = plain();
  params.typical_p = 0.6f;
  EXPECT_TRUE(differs([](SamplingParams& p) { p.typical_p = 0.8f; }, params));
  params = plain();
  params.top_n_sigma = 1.0f;
  EXPECT_TRUE(differs([](SamplingParams& p) { p.top_n_sigma = 1.2f; }, params));
  params = plain();
  EXPECT_TRUE(differs([](SamplingParams& p) { p.xtc_probability = 0.05f, p.xtc_threshold = 0.05f; }, params));
  params.dry_multiplier = 0.8f;
  EXPECT_TRUE(differs([](SamplingParams& p) { p.dry_allowed_length = 3; }, params));
  EXPECT_TRUE(differs([](SamplingParams& p) { p.dry_breakers = {{2}}; }, params));
  params = plain();
  params.dynatemp_range = 0.5f;
  EXPECT_TRUE(differs([](SamplingParams& p) { p.dynatemp_exponent = 2.0f; }, params));
  params = plain();
  params.mirostat = true;
  params.mirostat_tau = 2.0f;
  EXPECT_TRUE(differs([](SamplingParams& p) { p.mirostat_tau = 1.9f; }, params));
}

// ---- whole distributions, of many shapes and orders ----

class RandomChains {
 public:
  explicit RandomChains(std::uint32_t seed) : random_(seed) {}
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }
  float share() { return 0.02f + 0.96f * static_cast<float>(below(10'000)) / 10'000.0f; }

  SamplingParams params(std::uint32_t n_vocab) {
    SamplingParams params = plain();
    params.seed = random_();
    params.temperature = 0.3f + 2.0f * share();
    if (below(3) == 0) params.top_k = 1 + static_cast<std::int32_t>(below(n_vocab));
    if (below(3) == 0) params.top_p = share();
    if (below(3) == 0) params.min_p = 0.3f * share();
    if (below(3) == 0) params.typical_p = share();
    if (below(3) == 0) params.top_n_sigma = 3.0f * share();
    if (below(3) == 0) params.xtc_probability = below(2) == 0 ? 1.0f : 0.5f;
    params.xtc_threshold = 0.3f * share();
    if (below(3) == 0) params.dynatemp_range = 2.0f * share();
    params.dynatemp_exponent = 0.2f + 2.0f * share();
    if (below(3) == 0) params.dry_multiplier = 1.5f * share();
    params.dry_base = 1.0f + share();
    params.dry_allowed_length = static_cast<std::int32_t>(below(4));
    params.dry_penalty_last_n = static_cast<std::int32_t>(below(30)) - 1;
    for (std::uint32_t i = below(4); i > 0; --i) params.dry_breakers.push_back(text(1 + below(3), 4));
    if (below(3) == 0) params.repeat_penalty = 0.7f + share();
    if (below(3) == 0) params.presence_penalty = share() - 0.5f;
    params.penalty_last_n = static_cast<std::int32_t>(below(30)) - 1;
    params.mirostat = below(6) == 0;
    params.mirostat_tau = 4.0f * share();
    if (below(2) == 0) std::ranges::shuffle(params.samplers, random_);
    if (below(5) == 0) params.samplers.resize(below(10));
    return params;
  }
  std::vector<TokenId> text(std::uint32_t length, std::uint32_t alphabet) {
    std::vector<TokenId> tokens(length);
    for (TokenId& token : tokens) token = static_cast<TokenId>(below(alphabet));
    return tokens;
  }
  std::vector<float> logits(std::uint32_t n) {
    std::vector<float> made = random_logits(n, random_(), below(2) == 0 ? 0.5f : 3.0f);
    for (std::uint32_t i = below(4); i > 0; --i) made[below(n)] = below(2) == 0 ? kNan : -kInfinity;
    return made;
  }

 private:
  std::mt19937 random_;
};

std::vector<TokenId> ids_of(const std::vector<Share>& shares) {
  std::vector<TokenId> ids;
  for (const auto& [id, probability] : shares) ids.push_back(id);
  return ids;
}

TEST(SamplerChain, LeavesWhatTheDefinitionsLeaveInAnyOrder) {
  RandomChains random(11);
  int compared = 0;
  for (int round = 0; round < 3000; ++round) {
    const std::uint32_t n = 1 + random.below(round % 10 == 0 ? 3000 : 60);
    const SamplingParams params = random.params(n);
    const std::vector<float> logits = random.logits(n);
    if (argmax(logits) < 0) continue;
    const std::vector<TokenId> history = random.text(random.below(60), 1 + random.below(5));
    const auto position = static_cast<std::uint64_t>(round);
    const bool xtc = uniform(params.seed, position, RandomStream::xtc) < double{params.xtc_probability};
    const std::vector<Share> expected = NaiveChain(params, logits, history).run(xtc);

    SamplerScratch scratch(n);
    const LogprobOptions all{.top = n, .after_sampling = true};
    scratch.reserve_logprobs(all);
    std::vector<float> work = logits;
    const Result<TokenId> token = make(params, n).sample(work, history, position, scratch);
    ASSERT_TRUE(token.has_value()) << token.error().message;
    const Logprobs found = sampled_logprobs(all, *token, scratch);
    std::vector<Share> left;
    for (const TokenLogprob& one : found.top) left.emplace_back(one.id, std::exp(double{one.logprob}));
    std::ranges::sort(left);
    ASSERT_EQ(ids_of(left), ids_of(expected)) << "round " << round;
    for (std::size_t i = 0; i < left.size(); ++i) {
      ASSERT_NEAR(left[i].second, expected[i].second, 1e-4) << "round " << round << ", token " << left[i].first;
      if (left[i].first == *token) {
        EXPECT_NEAR(std::exp(double{found.chosen}), expected[i].second, 1e-4);
      }
    }
    ASSERT_TRUE(std::ranges::find(left, *token, &Share::first) != left.end()) << "round " << round;
    ++compared;
  }
  EXPECT_GT(compared, 2900);
}

// ---- DRY ----

float penalty_of(TokenId token, const SamplingParams& params, const std::vector<TokenId>& history) {
  std::vector<float> logits(20, 0.0f);
  SamplerScratch scratch(20);
  EXPECT_TRUE(make(params, 20).sample(logits, history, 0, scratch));
  return -logits[static_cast<std::size_t>(token)];
}

TEST(SamplerDry, GrowsWithTheRepetitionThatATokenWouldLengthen) {
  SamplingParams params = plain();
  params.dry_multiplier = 0.8f;
  params.dry_base = 1.75f;
  const auto penalty = [&](const std::vector<TokenId>& history) { return penalty_of(5, params, history); };
  EXPECT_FLOAT_EQ(penalty({4, 5, 9, 4}), 0.0f);        // one token is free
  EXPECT_FLOAT_EQ(penalty({3, 4, 5, 9, 3, 4}), 0.8f);  // two are not
  EXPECT_FLOAT_EQ(penalty({2, 3, 4, 5, 9, 2, 3, 4}), 0.8f * 1.75f);
  EXPECT_FLOAT_EQ(penalty({3, 4, 5, 2, 3, 4, 5, 9, 2, 3, 4}), 0.8f * 1.75f);  // the longest of several
  EXPECT_FLOAT_EQ(penalty({5, 5, 5, 5}), 0.8f * 1.75f);                       // repetitions may overlap
  params.dry_breakers = {{3}};
  EXPECT_FLOAT_EQ(penalty({2, 3, 4, 5, 9, 2, 3, 4}), 0.0f);  // only 4 lies behind the breaker
  params.dry_breakers = {{9, 2}};
  EXPECT_FLOAT_EQ(penalty({2, 3, 4, 5, 9, 2, 3, 4}), 0.8f);
  params.dry_breakers = {{4}};
  EXPECT_FLOAT_EQ(penalty({2, 3, 4, 5, 9, 2, 3, 4}), 0.0f);
  params.dry_breakers = {};
  params.dry_penalty_last_n = 6;  // 4 5 9 2 3 4
  EXPECT_FLOAT_EQ(penalty({2, 3, 4, 5, 9, 2, 3, 4}), 0.0f);
  params.dry_penalty_last_n = 7;
  EXPECT_FLOAT_EQ(penalty({2, 3, 4, 5, 9, 2, 3, 4}), 0.8f);
}

// A text of one token repeats all of itself at every place: work that is not linear in its length never ends here.
TEST(SamplerDry, TakesLongTextsAndHostileBreakers) {
  SamplingParams params = plain();
  params.dry_multiplier = 3e38f;
  params.dry_base = 3e38f;
  for (TokenId i = 1; i < 1000; ++i) params.dry_breakers.emplace_back(kMostBreakerTokens, 0).front() = i;
  const std::vector<TokenId> history(1u << 18, 0);
  std::vector<float> logits(1000, 0.0f);
  SamplerScratch scratch(1000);
  const Result<TokenId> token = make(params, 1000).sample(logits, history, 0, scratch);
  ASSERT_TRUE(token.has_value());
  EXPECT_NE(*token, 0);
  EXPECT_EQ(logits[0], -std::numeric_limits<float>::max());  // last in line, but not banned
}

// ---- Mirostat ----

TEST(SamplerMirostat, LearnsFromTheSurpriseOfEachToken) {
  SamplingParams params = plain();
  params.mirostat = true;
  params.mirostat_tau = 3.0f;
  params.mirostat_eta = 0.2f;
  const Sampler sampler = make(params, 200);
  SamplerScratch scratch(200);
  SamplerState state;
  double surprise = 0.0, mu = 6.0;
  constexpr int kTokens = 3000;
  for (std::uint32_t i = 0; i < kTokens; ++i) {
    const std::vector<float> logits = random_logits(200, i, 2.0f);
    std::vector<float> work = logits;
    const Result<TokenId> token = sampler.sample(work, {}, i, scratch, {}, &state);
    ASSERT_TRUE(token.has_value());
    // By hand: the tokens of at most mu bits, and what the chosen one says among them.
    double total = 0.0, kept = 0.0, chosen = 0.0;
    for (const float logit : logits) total += std::exp(double{logit});
    for (std::size_t id = 0; id < logits.size(); ++id) {
      const double p = std::exp(double{logits[id]}) / total;
      const bool is_best = static_cast<TokenId>(id) == argmax(logits);
      if (-std::log2(p) <= mu || is_best) kept += p;
      if (static_cast<TokenId>(id) == *token) {
        chosen = p;
        EXPECT_TRUE(-std::log2(p) <= mu + 1e-4 || is_best);
      }
    }
    const double bits = -std::log2(chosen / kept);
    surprise += bits;
    mu -= 0.2 * (bits - 3.0);
    ASSERT_NEAR(state.mirostat_mu.value(), mu, 1e-3) << "token " << i;
    mu = double{*state.mirostat_mu};
  }
  EXPECT_NEAR(surprise / kTokens, 3.0, 0.1);
}

TEST(SamplerMirostat, StartsAnewWithoutAState) {
  SamplingParams params = plain();
  params.mirostat = true;
  const Sampler sampler = make(params, 50);
  SamplerScratch scratch(50);
  const auto draw_at = [&](std::uint64_t position, SamplerState* state) {
    std::vector<float> logits = random_logits(50, 3, 2.0f);
    return sampler.sample(logits, {}, position, scratch, {}, state).value();
  };
  SamplerState state;
  EXPECT_EQ(draw_at(7, &state), draw_at(7, nullptr));
  EXPECT_TRUE(state.mirostat_mu.has_value());
  SamplerState copy = state;
  EXPECT_EQ(draw_at(8, &state), draw_at(8, &copy));
  EXPECT_EQ(state, copy);
}

// ---- XTC ----

TEST(SamplerXtc, HasDiceOfItsOwn) {
  // The same probability for both would make the draw follow from XTC's dice.
  int both = 0, first = 0, second = 0;
  constexpr int kTries = 20'000;
  for (std::uint64_t position = 0; position < kTries; ++position) {
    const bool a = uniform(9, position, RandomStream::token) < 0.5, b = uniform(9, position, RandomStream::xtc) < 0.5;
    both += a && b ? 1 : 0;
    first += a ? 1 : 0;
    second += b ? 1 : 0;
  }
  EXPECT_NEAR(first, kTries / 2, 400);
  EXPECT_NEAR(second, kTries / 2, 400);
  EXPECT_NEAR(both, kTries / 4, 400);
}

TEST(SamplerXtc, KeepsTheLastOfEqualTopChoices) {
  SamplingParams params = plain();
  params.xtc_probability = 1.0f;
  params.xtc_threshold = 0.2f;
  SamplerScratch scratch(5);
  for (std::uint64_t position = 0; position < 200; ++position) {
    std::vector<float> logits = {2.0f, 2.0f, -9.0f, 2.0f, -9.0f};
    const TokenId token = make(params, 5).sample(logits, {}, position, scratch).value();
    EXPECT_TRUE(token != 0 && token != 1);
  }
  std::vector<float> single = {2.0f, -9.0f, -9.0f, -9.0f, -9.0f};  // one top choice stays
  EXPECT_EQ(make(params, 5).sample(single, {}, 0, scratch), 0);
}

// ---- temperature of zero, orders, edges ----

TEST(SamplerChain, GreedyTakesTheBestOfWhatIsLeft) {
  SamplerScratch scratch(6);
  const std::vector<float> logits = {1.0f, 5.0f, 4.9f, 4.8f, 0.0f, -1.0f};
  const auto choose = [&](const std::function<void(SamplingParams&)>& change) {
    SamplingParams params;
    params.temperature = 0.0f;
    change(params);
    std::vector<float> work = logits;
    return make(params, 6).sample(work, std::vector<TokenId>{1, 1, 2}, 3, scratch).value();
  };
  EXPECT_EQ(choose([](SamplingParams&) {}), 1);
  EXPECT_EQ(choose([](SamplingParams& p) { p.samplers = {}; }), 1);
  EXPECT_EQ(choose([](SamplingParams& p) { p.mirostat = true; }), 1);
  EXPECT_EQ(choose([](SamplingParams& p) { p.repeat_penalty = 1.3f; }), 3);
  EXPECT_EQ(choose([](SamplingParams& p) {
              p.xtc_probability = 1.0f;
              p.min_p = 0.0f;
            }),
            3);
  // Penalties behind top-k see only what it left.
  EXPECT_EQ(choose([](SamplingParams& p) {
              p.repeat_penalty = 100.0f;
              p.top_k = 2;
              p.samplers = {SamplerKind::top_k, SamplerKind::penalties, SamplerKind::temperature};
            }),
            1);
}

TEST(SamplerChain, KnowsWhatADeviceCanDo) {
  const auto is_plain = [](const std::function<void(SamplingParams&)>& change) {
    SamplingParams params;
    change(params);
    return make(params, 100).is_plain();
  };
  using enum SamplerKind;
  EXPECT_TRUE(is_plain([](SamplingParams&) {}));
  EXPECT_TRUE(is_plain([](SamplingParams& p) { p.repeat_penalty = 1.1f, p.temperature = 0.0f; }));
  EXPECT_TRUE(is_plain([](SamplingParams& p) { p.mirostat = true, p.temperature = 0.0f; }));
  EXPECT_TRUE(is_plain([](SamplingParams& p) { p.samplers = {top_k, temperature}; }));
  EXPECT_TRUE(is_plain([](SamplingParams& p) { p.samplers = {temperature, top_k}, p.temperature = 1.0f; }));
  EXPECT_TRUE(is_plain([](SamplingParams& p) { p.dry_multiplier = 1.0f, p.samplers = {top_k}; }));
  EXPECT_FALSE(is_plain([](SamplingParams& p) { p.samplers = {temperature, top_k}; }));
  EXPECT_FALSE(is_plain([](SamplingParams& p) { p.repeat_penalty = 1.1f, p.samplers = {top_k, penalties}; }));
  EXPECT_FALSE(is_plain([](SamplingParams& p) { p.typical_p = 0.9f; }));
  EXPECT_FALSE(is_plain([](SamplingParams& p) { p.top_n_sigma = 1.0f; }));
  EXPECT_FALSE(is_plain([](SamplingParams& p) { p.xtc_probability = 0.1f; }));
  EXPECT_FALSE(is_plain([](SamplingParams& p) { p.dry_multiplier = 1.0f; }));
  EXPECT_FALSE(is_plain([](SamplingParams& p) { p.dry_multiplier = 1.0f, p.temperature = 0.0f; }));
  EXPECT_FALSE(is_plain([](SamplingParams& p) { p.dynatemp_range = 0.1f; }));
  EXPECT_FALSE(is_plain([](SamplingParams& p) { p.mirostat = true; }));
  // Whoever is left out is off, so a device may be asked for the parameters as they are.
  SamplingParams params;
  params.samplers = {min_p};
  const Sampler sampler = make(params, 100);
  EXPECT_EQ(sampler.params().top_k, 0);
  EXPECT_EQ(sampler.params().top_p, 1.0f);
  EXPECT_EQ(sampler.params().min_p, 0.05f);
  EXPECT_EQ(sampler.params().temperature, 1.0f);
}

std::vector<SamplingParams> one_of_each() {
  std::vector<SamplingParams> all(7, plain());
  all[0].typical_p = 0.5f;
  all[1].top_n_sigma = 1.0f;
  all[2].xtc_probability = 1.0f;
  all[3].dry_multiplier = 1.0f;
  all[4].dynatemp_range = 2.0f;
  all[5].mirostat = true;
  all[6] = SamplingParams{};
  all[6].typical_p = 0.5f;
  all[6].top_n_sigma = 1.0f;
  all[6].xtc_probability = 1.0f;
  all[6].dry_multiplier = 1.0f;
  all[6].dynatemp_range = 2.0f;
  return all;
}

TEST(SamplerChain, SurvivesOddLogits) {
  constexpr float most = std::numeric_limits<float>::max();
  const std::vector<std::vector<float>> odd = {{1.0f},
                                               {-kInfinity, 3.0f, kNan},
                                               {2.0f, 2.0f, 2.0f, 2.0f},
                                               {kInfinity, kInfinity, 0.0f},
                                               {most, -most, 0.0f, kNan},
                                               {-most, -most},
                                               {0.0f, -1000.0f, -1000.0f, -1e30f}};
  const std::vector<TokenId> history = {0, 1, 0, 1, -5, 99, 0, 1, 0};
  for (const std::vector<float>& logits : odd) {
    for (SamplingParams params : one_of_each()) {
      for (const float temperature : {0.0f, std::numeric_limits<float>::denorm_min(), 1.0f, most}) {
        params.temperature = temperature;
        SamplerScratch scratch(logits.size());
        std::vector<float> work = logits;
        const Result<TokenId> token = make(params, logits.size()).sample(work, history, 1, scratch);
        ASSERT_TRUE(token.has_value()) << token.error().message;
        ASSERT_TRUE(*token >= 0 && static_cast<std::size_t>(*token) < logits.size());
        EXPECT_GT(logits[static_cast<std::size_t>(*token)], -kInfinity);
      }
    }
  }
}

TEST(SamplerChain, NothingToChooseIsAnError) {
  SamplerScratch scratch(3);
  for (const SamplingParams& params : one_of_each()) {
    std::vector<float> nan(3, kNan), banned(3, -kInfinity);
    EXPECT_EQ(make(params, 3).sample(nan, {}, 0, scratch).error().code, Code::invalid_file);
    EXPECT_EQ(make(params, 3).sample(banned, {}, 0, scratch).error().code, Code::invalid_argument);
  }
}

TEST(SamplerChain, AllocatesNothing) {
  if (!test::kCountsAllocations) GTEST_SKIP() << "sanitizers bring their own allocator";
  const std::vector<float> logits = random_logits(3000, 1, 2.0f);
  std::vector<float> work = logits;
  std::vector<TokenId> history(400);
  for (std::size_t i = 0; i < history.size(); ++i) history[i] = static_cast<TokenId>(i % 7);
  SamplerScratch scratch(3000);
  scratch.reserve_history(400);
  const LogprobOptions asked{.top = 20, .after_sampling = true}, of_model{.top = 20};
  scratch.reserve_logprobs(asked);
  std::vector<Sampler> samplers;
  for (const SamplingParams& params : one_of_each()) samplers.push_back(make(params, 3000));
  SamplerState state;
  const std::uint64_t before = test::allocations();
  for (const Sampler& sampler : samplers) {
    work = logits;
    const Result<TokenId> token = sampler.sample(work, history, 3, scratch, {}, &state);
    sampled_logprobs(asked, *token, scratch);
    model_logprobs(of_model, logits, *token, scratch);
  }
  EXPECT_EQ(test::allocations() - before, 0u);
}

// ---- parameters ----

TEST(SamplingParams, RefusesWhatMakesNoSenseToTheNewerSamplers) {
  const auto refusal = [](const std::function<void(SamplingParams&)>& change) {
    SamplingParams params;
    change(params);
    const Status status = validate(params, 100);
    return status ? std::string() : status.error().message;
  };
  EXPECT_EQ(refusal([](SamplingParams& p) { p.typical_p = 1.5f; }), "typical_p is 1.5, expected 0 to 1");
  EXPECT_EQ(refusal([](SamplingParams& p) { p.top_n_sigma = kNan; }), "top_n_sigma is nan, expected a finite number");
  EXPECT_EQ(refusal([](SamplingParams& p) { p.xtc_probability = -1.0f; }), "xtc_probability is -1, expected 0 to 1");
  EXPECT_EQ(refusal([](SamplingParams& p) { p.xtc_threshold = kNan; }), "xtc_threshold is nan, expected 0 to 1");
  EXPECT_EQ(refusal([](SamplingParams& p) { p.dynatemp_range = -0.5f; }), "dynatemp_range is -0.5, expected 0 or more");
  EXPECT_NE(refusal([](SamplingParams& p) { p.dynatemp_exponent = -1.0f; }), "");
  EXPECT_NE(refusal([](SamplingParams& p) { p.dry_multiplier = kInfinity; }), "");
  EXPECT_EQ(refusal([](SamplingParams& p) { p.dry_base = 0.5f; }), "dry_base is 0.5, expected 1 or more");
  EXPECT_EQ(refusal([](SamplingParams& p) { p.dry_allowed_length = -1; }),
            "dry_allowed_length is -1, expected 0 or more");
  EXPECT_EQ(refusal([](SamplingParams& p) { p.dry_penalty_last_n = -2; }),
            "dry_penalty_last_n is -2, expected a number of tokens, or -1 for all");
  EXPECT_EQ(refusal([](SamplingParams& p) { p.dry_breakers = {{1}, {}}; }),
            "a sequence in dry_breakers has 0 tokens, expected 1 to 64");
  EXPECT_NE(refusal([](SamplingParams& p) { p.dry_breakers = {std::vector<TokenId>(65, 1)}; }), "");
  EXPECT_NE(refusal([](SamplingParams& p) { p.dry_breakers.assign((1u << 14) + 1, std::vector<TokenId>(64, 1)); }), "");
  EXPECT_NE(refusal([](SamplingParams& p) { p.mirostat_tau = -1.0f; }), "");
  EXPECT_NE(refusal([](SamplingParams& p) { p.mirostat_eta = kInfinity; }), "");
  EXPECT_EQ(refusal([](SamplingParams& p) { p.samplers = {SamplerKind::top_k, SamplerKind::top_k}; }),
            "samplers names top_k twice");
  EXPECT_EQ(refusal([](SamplingParams& p) { p.samplers = {static_cast<SamplerKind>(77)}; }),
            "samplers names number 77, which is none");
}

TEST(SamplerOrder, IsReadByName) {
  EXPECT_EQ(parse_sampler_order("penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature").value(),
            std::vector(kUsualOrder.begin(), kUsualOrder.end()));
  EXPECT_EQ(parse_sampler_order("temp;top-k;typical_p").value(),
            (std::vector{SamplerKind::temperature, SamplerKind::top_k, SamplerKind::typical_p}));
  EXPECT_TRUE(parse_sampler_order("")->empty());
  EXPECT_EQ(parse_sampler_order("top_k;topp").error().message,
            "'topp' is no sampler; there are penalties, dry, top_n_sigma, top_k, typ_p, top_p, min_p, xtc, "
            "temperature");
  EXPECT_EQ(parse_sampler_order("top_k;min_p;top-k").error().message, "'top_k' is there twice");
  EXPECT_FALSE(parse_sampler_order(";"));
  EXPECT_FALSE(parse_sampler_order(std::string(100'000, 'x')));
  EXPECT_EQ(SamplingParams{}.samplers, std::vector(kUsualOrder.begin(), kUsualOrder.end()));
}

}  // namespace
}  // namespace wisp::sample
