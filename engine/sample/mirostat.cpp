#include "sample/mirostat.h"

#include <algorithm>
#include <cmath>

namespace wisp::sample {
namespace {

// Far beyond any surprise; rates that make no sense shall not lead to infinity.
constexpr float kMostMu = 1e6f;

float mu_of(const SamplingParams& params, const SamplerState& state) {
  return std::clamp(state.mirostat_mu.value_or(2.0f * params.mirostat_tau), -kMostMu, kMostMu);
}

}  // namespace

void keep_unsurprising(const SamplingParams& params, const SamplerState& state, Candidates& candidates) {
  const double least = std::exp2(-static_cast<double>(mu_of(params, state))) * weigh(candidates);
  const auto best = std::ranges::min_element(candidates.list, likelier);
  if (best == candidates.list.end()) return;
  const TokenId best_id = best->id;
  std::erase_if(candidates.list, [&](const Candidate& candidate) {
    return static_cast<double>(candidate.weight) < least && candidate.id != best_id;
  });
}

void observe(const SamplingParams& params, const Candidate& chosen, double total, SamplerState& state) {
  const double surprise = std::log2(total) - std::log2(static_cast<double>(chosen.weight));
  const double error = surprise - static_cast<double>(params.mirostat_tau);
  const double mu = static_cast<double>(mu_of(params, state)) - static_cast<double>(params.mirostat_eta) * error;
  state.mirostat_mu = static_cast<float>(std::clamp(mu, -static_cast<double>(kMostMu), static_cast<double>(kMostMu)));
}

}  // namespace wisp::sample
