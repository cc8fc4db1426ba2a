// Mirostat 2 (Basu et al., "Mirostat: a neural text decoding algorithm that directly controls perplexity", ICLR 2021):
// drops what would surprise more than a bound, and moves the bound so that the text is as surprising as was asked.
#pragma once

#include <optional>

#include "sample/candidates.h"
#include "sample/params.h"

namespace wisp::sample {

// What a sampler has to remember from one token of a sequence to the next. It belongs to the sequence, goes with it
// through preemption and into what is saved of it, and a fork starts from a copy.
struct SamplerState {
  std::optional<float> mirostat_mu;  // the bound, in bits; none before the first token

  friend bool operator==(const SamplerState&, const SamplerState&) = default;
};

// Keeps the candidates whose surprise -log2 p is at most the bound, and in any case the most likely one.
void keep_unsurprising(const SamplingParams& params, const SamplerState& state, Candidates& candidates);

// After `chosen` was drawn from candidates whose weights sum to `total`.
void observe(const SamplingParams& params, const Candidate& chosen, double total, SamplerState& state);

}  // namespace wisp::sample
