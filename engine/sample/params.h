// What a request may ask of the sampler. The defaults are the ones most GGUF programs use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/token.h"

namespace wisp::sample {

struct SamplingParams {
  float temperature = 0.8f;          // zero or less: greedy, the most likely token always
  std::int32_t top_k = 40;           // keep the k most likely tokens; zero or less: all
  float top_p = 0.95f;               // keep the fewest most likely tokens that hold this much probability; 1: all
  float min_p = 0.05f;               // drop tokens less likely than this share of the most likely one; 0: none
  float repeat_penalty = 1.0f;       // divides positive logits of tokens seen, multiplies negative ones; 1: off
  float frequency_penalty = 0.0f;    // subtracted once for each time a token was seen
  float presence_penalty = 0.0f;     // subtracted once from each token seen
  std::int32_t penalty_last_n = 64;  // how many last tokens the penalties look at; 0: none, -1: all
  std::uint64_t seed = 0;            // with the position, decides the draw
  std::vector<std::pair<TokenId, float>> logit_bias;  // added to logits; -infinity bans a token; repeated ids add up

  [[nodiscard]] bool greedy() const { return temperature <= 0.0f; }
  [[nodiscard]] bool penalizes() const {
    return penalty_last_n != 0 && (repeat_penalty != 1.0f || frequency_penalty != 0.0f || presence_penalty != 0.0f);
  }
};

// Code::invalid_argument, naming the parameter, its value and its range, when a sampler could not do what is asked.
Status validate(const SamplingParams& params, std::size_t n_vocab);

}  // namespace wisp::sample
