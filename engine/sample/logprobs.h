// How likely a token was, and which others would have been: for callers who ask.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "base/token.h"

namespace wisp::sample {

class SamplerScratch;

struct LogprobOptions {
  std::uint32_t top = 0;  // how many of the most likely tokens are told beside the chosen one; at most all there are
  // No more of them than hold this much probability together: few where the model is sure, up to `top` where it is not.
  float mass = 1.0f;
  // Of the distribution that the token was drawn from, behind bias, penalties and the chain; else of the model's own.
  bool after_sampling = false;
};

// Code::invalid_argument where there is no such share of probability.
Status validate(const LogprobOptions& options);

struct TokenLogprob {
  TokenId id;
  float logprob;  // ln of the probability

  friend bool operator==(const TokenLogprob&, const TokenLogprob&) = default;
};

struct Logprobs {
  float chosen = 0.0f;  // of the chosen token
  std::span<const TokenLogprob>
      top;  // most likely first, the lowest id first on a tie; the chosen one may be among them
};

// Of softmax(logits), as the model computed them. NaN and -infinity have no probability. The result is valid until the
// scratch is used again.
Logprobs model_logprobs(const LogprobOptions& options, std::span<const float> logits, TokenId chosen,
                        SamplerScratch& scratch);
// Of what Sampler::sample() drew from, directly after it.
Logprobs sampled_logprobs(const LogprobOptions& options, TokenId chosen, SamplerScratch& scratch);

}  // namespace wisp::sample
