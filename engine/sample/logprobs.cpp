#include "sample/logprobs.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sample/sampler.h"

namespace wisp::sample {
namespace {

// The most likely of sorted candidates with their share of exp(log_total).
std::span<const TokenLogprob> tell(const LogprobOptions& options, const Candidates& candidates, double log_total,
                                   std::vector<TokenLogprob>& out) {
  out.clear();
  double mass = 0.0;
  for (const Candidate& candidate : candidates.list) {
    if (out.size() >= options.top || (options.mass < 1.0f && mass >= static_cast<double>(options.mass))) break;
    const double logprob = static_cast<double>(candidate.logit) - static_cast<double>(candidates.highest) - log_total;
    out.push_back({candidate.id, static_cast<float>(logprob)});
    mass += std::exp(logprob);
  }
  return out;
}

}  // namespace

Status validate(const LogprobOptions& options) {
  if (options.mass >= 0.0f && options.mass <= 1.0f) return {};
  return fail(Code::invalid_argument, "logprobs mass is {}, expected 0 to 1", options.mass);
}

void SamplerScratch::reserve_logprobs(const LogprobOptions& options) {
  logprobs_.reserve(std::min<std::size_t>(options.top, n_seen_.size()));
}

Logprobs model_logprobs(const LogprobOptions& options, std::span<const float> logits, TokenId chosen,
                        SamplerScratch& scratch) {
  const TokenId best = argmax(logits);
  const auto index = static_cast<std::size_t>(chosen);
  if (best < 0 || chosen < 0 || index >= logits.size()) return {-std::numeric_limits<float>::infinity(), {}};
  const float highest = finite(logits[static_cast<std::size_t>(best)]);
  double total = 0.0;
  for (const float logit : logits) {
    if (logit > -std::numeric_limits<float>::infinity())
      total += static_cast<double>(std::exp(finite(logit) - highest));
  }
  const double log_total = std::log(total);
  Logprobs result;
  result.chosen =
      static_cast<float>(static_cast<double>(finite(logits[index])) - static_cast<double>(highest) - log_total);
  if (options.top == 0) return result;
  scratch.candidates_.collect_top(logits, std::min<std::size_t>(options.top, logits.size()));
  result.top = tell(options, scratch.candidates_, log_total, scratch.logprobs_);
  return result;
}

Logprobs sampled_logprobs(const LogprobOptions& options, TokenId chosen, SamplerScratch& scratch) {
  Candidates& candidates = scratch.candidates_;
  const double log_total = std::log(scratch.total_);
  Logprobs result{-std::numeric_limits<float>::infinity(), {}};
  for (const Candidate& candidate : candidates.list) {
    if (candidate.id != chosen) continue;
    result.chosen =
        static_cast<float>(static_cast<double>(candidate.logit) - static_cast<double>(candidates.highest) - log_total);
  }
  if (options.top == 0) return result;
  if (!candidates.sorted) {
    const auto n = static_cast<std::ptrdiff_t>(std::min<std::size_t>(options.top, candidates.list.size()));
    std::partial_sort(candidates.list.begin(), candidates.list.begin() + n, candidates.list.end(), likelier);
  }
  result.top = tell(options, candidates, log_total, scratch.logprobs_);
  return result;
}

}  // namespace wisp::sample
