// What tests of samplers share: parameters that do nothing, random logits, and whether drawn tokens have the
// frequencies that they should.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "sample/sampler.h"

namespace wisp::sample {

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();
inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

inline SamplingParams plain() {
  SamplingParams params;
  params.temperature = 1.0f;
  params.top_k = 0;
  params.top_p = 1.0f;
  params.min_p = 0.0f;
  return params;
}

inline Sampler make(const SamplingParams& params, std::size_t n_vocab) {
  Result<Sampler> sampler = Sampler::create(params, n_vocab);
  EXPECT_TRUE(sampler.has_value());
  return std::move(*sampler);
}

using Share = std::pair<TokenId, double>;  // token, probability

// Upper bound that chi-square with `df` degrees of freedom passes once in 10,000 tries (Wilson and Hilferty 1931).
inline double chi_square_bound(double df) {
  const double z = 3.719;
  const double root = 1.0 - 2.0 / (9.0 * df) + z * std::sqrt(2.0 / (9.0 * df));
  return df * root * root * root;
}

struct Frequencies {
  double chi_square = 0.0;
  double degrees = 0.0;
  int impossible = 0;  // draws of tokens that have no probability
};

// Differences that chance explains.
inline void expect_chance(const Frequencies& found) {
  EXPECT_EQ(found.impossible, 0);
  ASSERT_GE(found.degrees, 1.0);
  EXPECT_LT(found.chi_square, chi_square_bound(found.degrees)) << found.degrees << " degrees of freedom";
}

// 100,000 draws at positions 0, 1, 2, ... held against `expected`; cells that expect fewer than 5 are pooled.
inline Frequencies measure(const Sampler& sampler, const std::vector<float>& logits,
                           const std::vector<TokenId>& history, const std::vector<Share>& expected) {
  constexpr int kDraws = 100'000;
  SamplerScratch scratch(logits.size());
  std::map<TokenId, int> counts;
  std::vector<float> work;
  for (std::uint64_t position = 0; position < kDraws; ++position) {
    work = logits;
    const Result<TokenId> token = sampler.sample(work, history, position, scratch);
    ++counts[token.value_or(-1)];
  }
  Frequencies result;
  double rare_expected = 0.0, rare_count = 0.0;
  int possible = 0;
  const auto cell = [&](double count, double mean) {
    result.chi_square += (count - mean) * (count - mean) / mean;
    result.degrees += 1.0;
  };
  for (const auto& [token, probability] : expected) {
    const double mean = probability * kDraws;
    possible += counts[token];
    if (mean >= 5.0) {
      cell(counts[token], mean);
    } else {
      rare_expected += mean;
      rare_count += counts[token];
    }
  }
  if (rare_expected > 0.5) cell(rare_count, rare_expected);
  result.degrees -= 1.0;
  result.impossible = kDraws - possible;
  return result;
}

inline std::vector<float> random_logits(std::size_t n, std::mt19937::result_type seed, float spread) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, spread);
  std::vector<float> logits(n);
  for (float& logit : logits) logit = normal(random);
  return logits;
}

}  // namespace wisp::sample
