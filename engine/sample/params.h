// What a request may ask of the sampler. The defaults are the ones most GGUF programs use.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/token.h"
#include "sample/order.h"

namespace wisp::sample {

// Tokens of one of SamplingParams::dry_breakers, and of all of them together.
inline constexpr std::size_t kMostBreakerTokens = 64;
inline constexpr std::size_t kMostBreakersTokens = 1u << 20;

// The texts that DRY's repetitions do not reach across where nobody names others.
inline constexpr std::array<std::string_view, 4> kUsualBreakers = {"\n", ":", "\"", "*"};

struct SamplingParams {
  float temperature = 0.8f;          // zero or less: greedy, the most likely token of those that are left
  std::int32_t top_k = 40;           // keep the k most likely tokens; zero or less: all
  float top_p = 0.95f;               // keep the fewest most likely tokens that hold this much probability; 1: all
  float min_p = 0.05f;               // drop tokens less likely than this share of the most likely one; 0: none
  float repeat_penalty = 1.0f;       // divides positive logits of tokens seen, multiplies negative ones; 1: off
  float frequency_penalty = 0.0f;    // subtracted once for each time a token was seen
  float presence_penalty = 0.0f;     // subtracted once from each token seen
  std::int32_t penalty_last_n = 64;  // how many last tokens the penalties look at; 0: none, -1: all
  std::uint64_t seed = 0;            // with the position, decides the draw
  std::vector<std::pair<TokenId, float>> logit_bias =
      {};  // added to logits; -infinity bans a token; repeated ids add up

  float typical_p = 1.0f;          // keep the tokens of most typical surprise that hold this much probability; 1: all
  float top_n_sigma = 0.0f;        // keep logits so many standard deviations below the highest; zero or less: all
  float xtc_probability = 0.0f;    // how often XTC takes the top choices away; 0: never
  float xtc_threshold = 0.1f;      // from which probability on a token is a top choice
  float dynatemp_range = 0.0f;     // temperature moves so far either way with the entropy; 0: it stays
  float dynatemp_exponent = 1.0f;  // how it follows the entropy
  float dry_multiplier = 0.0f;     // DRY's penalty for a repetition of the allowed length; 0: off
  float dry_base = 1.75f;          // grows by this factor with each token more
  std::int32_t dry_allowed_length = 2;                  // repetitions shorter than this are free
  std::int32_t dry_penalty_last_n = -1;                 // how many last tokens DRY looks at; 0: none, -1: all
  std::vector<std::vector<TokenId>> dry_breakers = {};  // what no repetition reaches across (text/spellings.h)
  bool mirostat = false;                                // Mirostat 2 in place of all samplers that drop tokens
  float mirostat_tau = 5.0f;                            // bits of surprise that it aims at
  float mirostat_eta = 0.1f;                            // how fast it learns
  // Who runs, in this order; logit bias comes before all. Who is not named does nothing, but a temperature of zero is
  // greedy all the same.
  std::vector<SamplerKind> samplers = {kUsualOrder.begin(), kUsualOrder.end()};

  [[nodiscard]] bool greedy() const { return temperature <= 0.0f; }
  [[nodiscard]] bool penalizes() const {
    return penalty_last_n != 0 && (repeat_penalty != 1.0f || frequency_penalty != 0.0f || presence_penalty != 0.0f);
  }
  [[nodiscard]] bool uses_dry() const { return dry_multiplier > 0.0f && dry_penalty_last_n != 0; }
};

// Code::invalid_argument, naming the parameter, its value and its range, when a sampler could not do what is asked.
Status validate(const SamplingParams& params, std::size_t n_vocab);

}  // namespace wisp::sample
