// Logits to one token. A Sampler is what a sequence asked for and never changes; the memory it works in is shared.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/token.h"
#include "sample/params.h"

namespace wisp::sample {

struct Candidate {
  float logit;
  float weight;  // unnormalised probability, 1 for the most likely
  TokenId id;
};

// Working memory for vocabularies of up to `n_vocab` tokens, about 16 bytes a token. One serves all sequences of a
// thread; sampling never allocates.
class SamplerScratch {
 public:
  explicit SamplerScratch(std::size_t n_vocab);

 private:
  friend class Sampler;
  std::vector<Candidate> candidates_;  // capacity n_vocab
  std::vector<std::uint32_t> n_seen_;  // [n_vocab], zero between calls
};

class Sampler {
 public:
  // Refuses what validate() refuses.
  static Result<Sampler> create(SamplingParams params, std::size_t n_vocab);

  // The next token: logit bias, penalties, top-k, top-p, min-p, temperature, draw, in this order. A pure function of
  // the parameters, `logits` [n_vocab], `history` (all tokens so far, prompt included, oldest first; the penalties look
  // at the last of them) and `position` (of the token being chosen; with the seed it decides the draw). Ties go to the
  // lowest id. NaN and -infinity are never chosen; Code::internal when nothing else is there. `logits` afterwards hold
  // the biased and penalised values. `mask`: a bit per token that may be chosen, 32 a word, ids past its end may not;
  // empty: all may.
  Result<TokenId> sample(std::span<float> logits, std::span<const TokenId> history, std::uint64_t position,
                         SamplerScratch& scratch, std::span<const std::uint32_t> mask = {}) const;

  [[nodiscard]] const SamplingParams& params() const { return params_; }
  [[nodiscard]] std::size_t n_vocab() const { return n_vocab_; }

 private:
  Sampler(SamplingParams params, std::size_t n_vocab);
  void apply_bias(std::span<float> logits) const;
  void apply_penalties(std::span<float> logits, std::span<const TokenId> history,
                       std::span<std::uint32_t> n_seen) const;

  SamplingParams params_;
  std::size_t n_vocab_;
};

// The lowest id among the largest logits, NaN passed over; -1 when there is nothing but NaN and -infinity.
TokenId argmax(std::span<const float> logits);

}  // namespace wisp::sample
