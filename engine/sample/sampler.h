// Logits to one token. A Sampler is what a sequence asked for and never changes; the memory it works in is shared, and
// what it has to remember is the sequence's.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/token.h"
#include "sample/candidates.h"
#include "sample/dry.h"
#include "sample/logprobs.h"
#include "sample/mirostat.h"
#include "sample/params.h"

namespace wisp::sample {

// Working memory for vocabularies of up to `n_vocab` tokens, about 16 bytes a token. One serves all sequences of a
// thread; sampling never allocates, where there is room for the history.
class SamplerScratch {
 public:
  explicit SamplerScratch(std::size_t n_vocab);

  // Room for histories of so many tokens that DRY looks at.
  void reserve_history(std::size_t tokens) { dry_.matches.reserve(tokens); }
  void reserve_logprobs(const LogprobOptions& options);

 private:
  // A choice that left nothing to chance.
  TokenId keep_only(TokenId token);

  friend class Sampler;
  friend Logprobs model_logprobs(const LogprobOptions&, std::span<const float>, TokenId, SamplerScratch&);
  friend Logprobs sampled_logprobs(const LogprobOptions&, TokenId, SamplerScratch&);
  Candidates candidates_;              // after sample(): what was left, weighed
  double total_ = 0.0;                 // of their weights
  std::vector<std::uint32_t> n_seen_;  // [n_vocab], zero between calls
  DryScratch dry_;
  std::vector<TokenLogprob> logprobs_;
};

class Sampler {
 public:
  // Refuses what validate() refuses.
  static Result<Sampler> create(SamplingParams params, std::size_t n_vocab);

  // The next token: logit bias, the chain in the order of the parameters, draw. A pure function of the parameters,
  // `logits` [n_vocab], `history` (all tokens so far, prompt included, oldest first; penalties look at the last of
  // them), `position` (of the token being chosen; with the seed it decides what is random) and `state`, which only
  // Mirostat has and changes; without one it starts anew. Ties go to the lowest id. NaN and -infinity are never chosen;
  // Code::internal when nothing else is there. `logits` afterwards hold the biased values, penalised by what comes
  // before the first sampler that drops tokens. `mask`: a bit per token that may be chosen, 32 a word, ids past its end
  // may not; empty: all may.
  Result<TokenId> sample(std::span<float> logits, std::span<const TokenId> history, std::uint64_t position,
                         SamplerScratch& scratch, std::span<const std::uint32_t> mask = {},
                         SamplerState* state = nullptr) const;

  // Without what does nothing: a sampler that the order leaves out has the value that turns it off.
  [[nodiscard]] const SamplingParams& params() const { return params_; }
  [[nodiscard]] std::size_t n_vocab() const { return n_vocab_; }
  // Nothing but logit bias, penalties, top-k, top-p, min-p and temperature, in this order: what a device can do, too.
  [[nodiscard]] bool is_plain() const { return plain_; }

 private:
  Sampler(SamplingParams params, std::size_t n_vocab);
  void set_up_chain();
  [[nodiscard]] bool does_something(SamplerKind kind) const;
  void apply_bias(std::span<float> logits) const;
  // What one sampler does to the candidates.
  void apply(SamplerKind kind, std::span<const TokenId> history, std::uint64_t position, SamplerScratch& scratch) const;

  SamplingParams params_;
  std::size_t n_vocab_;
  std::vector<SamplerKind> chain_;  // those that do something
  DryBreakers breakers_;
  bool plain_ = false;
};

// The lowest id among the largest logits, NaN passed over; -1 when there is nothing but NaN and -infinity.
TokenId argmax(std::span<const float> logits);

}  // namespace wisp::sample
