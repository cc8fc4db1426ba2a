#include "sample/penalties.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace wisp::sample {
namespace {

std::span<const TokenId> window_of(const SamplingParams& params, std::span<const TokenId> history) {
  const auto last_n = params.penalty_last_n < 0 ? history.size() : static_cast<std::size_t>(params.penalty_last_n);
  return history.last(std::min(last_n, history.size()));
}

// Histories may hold what is no token of this vocabulary.
std::uint32_t* place_of(TokenId token, std::span<std::uint32_t> n_seen) {
  const bool known = token >= 0 && static_cast<std::size_t>(token) < n_seen.size();
  return known ? &n_seen[static_cast<std::size_t>(token)] : nullptr;
}

void count(std::span<const TokenId> window, std::span<std::uint32_t> n_seen) {
  for (const TokenId token : window) {
    if (std::uint32_t* const times = place_of(token, n_seen)) ++*times;
  }
}

void penalize(const SamplingParams& params, std::uint32_t times, float& logit) {
  logit = logit > 0.0f ? logit / params.repeat_penalty : logit * params.repeat_penalty;
  logit -= static_cast<float>(times) * params.frequency_penalty + params.presence_penalty;
}

}  // namespace

void apply_penalties(const SamplingParams& params, std::span<const TokenId> history, std::span<float> logits,
                     std::span<std::uint32_t> n_seen) {
  const std::span<const TokenId> window = window_of(params, history);
  count(window, n_seen);
  for (const TokenId token : window) {
    std::uint32_t* const place = place_of(token, n_seen);
    if (place == nullptr) continue;
    const std::uint32_t times = std::exchange(*place, 0);
    if (times == 0) continue;  // a repetition: done, and cleared for the next call
    penalize(params, times, logits[static_cast<std::size_t>(token)]);
  }
}

void apply_penalties(const SamplingParams& params, std::span<const TokenId> history, Candidates& candidates,
                     std::span<std::uint32_t> n_seen) {
  const std::span<const TokenId> window = window_of(params, history);
  count(window, n_seen);
  for (Candidate& candidate : candidates.list) {
    const std::uint32_t times = n_seen[static_cast<std::size_t>(candidate.id)];
    if (times == 0) continue;
    constexpr float kMost = std::numeric_limits<float>::max();
    float logit = std::clamp(candidate.logit + candidates.base, -kMost, kMost);  // the sign matters
    penalize(params, times, logit);
    candidate.logit = std::clamp(std::clamp(logit, -kMost, kMost) - candidates.base, -kMost, kMost);
  }
  for (const TokenId token : window) {
    if (std::uint32_t* const times = place_of(token, n_seen)) *times = 0;
  }
  candidates.update();
}

}  // namespace wisp::sample
