// Penalties for tokens that were seen: repeat, frequency, presence.
#pragma once

#include <cstdint>
#include <span>

#include "base/token.h"
#include "sample/candidates.h"
#include "sample/params.h"

namespace wisp::sample {

// Changes `logits` [vocabulary] by the penalties for the end of `history` that they look at. `n_seen` [vocabulary] is
// zero before and after.
void apply_penalties(const SamplingParams& params, std::span<const TokenId> history, std::span<float> logits,
                     std::span<std::uint32_t> n_seen);
// The same for what a chain has left already.
void apply_penalties(const SamplingParams& params, std::span<const TokenId> history, Candidates& candidates,
                     std::span<std::uint32_t> n_seen);

}  // namespace wisp::sample
