#include "sample/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "sample/random.h"

namespace wisp::sample {
namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();

// Most likely first, the lower id first on a tie: a total order, so that no choice depends on a library's sort.
bool likelier(const Candidate& x, const Candidate& y) {
  return x.logit > y.logit || (x.logit == y.logit && x.id < y.id);
}

// An infinite logit would turn differences into NaN.
Candidate make_candidate(float logit, std::size_t id) {
  return {std::min(logit, std::numeric_limits<float>::max()), 0.0f, static_cast<TokenId>(id)};
}

void apply_mask(std::span<float> logits, std::span<const std::uint32_t> mask) {
  for (std::size_t id = 0; id < logits.size(); id += 32) {
    const std::span<float> here = logits.subspan(id, std::min<std::size_t>(32, logits.size() - id));
    std::uint32_t word = id / 32 < mask.size() ? mask[id / 32] : 0;
    if (word == ~0u) continue;
    for (float& logit : here) {
      if ((word & 1u) == 0) logit = kLowest;
      word >>= 1;
    }
  }
}

// All tokens that can be chosen, in id order.
void collect_all(std::span<const float> logits, std::vector<Candidate>& out) {
  for (std::size_t id = 0; id < logits.size(); ++id) {
    if (logits[id] > kLowest) out.push_back(make_candidate(logits[id], id));  // false for NaN
  }
}

// The k most likely tokens, sorted. Gathers what beats the k-th best seen so far and cuts back to k whenever the room
// (twice k) is full, so it costs one pass over the logits and a few selections among 2k.
void collect_top_k(std::span<const float> logits, std::size_t k, std::vector<Candidate>& out) {
  constexpr std::size_t kLeastRoom = 256;
  const std::size_t room = std::min(std::max(2 * k, kLeastRoom), logits.size());
  const auto cut = [&] {
    if (out.size() <= k) return;
    std::nth_element(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(k - 1), out.end(), likelier);
    out.resize(k);
  };
  float bar = kLowest;  // to be passed; an equal logit has a higher id than those it would have to beat
  for (std::size_t id = 0; id < logits.size(); ++id) {
    if (!(logits[id] > bar)) continue;
    out.push_back(make_candidate(logits[id], id));
    if (out.size() == room) {
      cut();
      if (out.size() == k) bar = out.back().logit;
    }
  }
  cut();
  std::sort(out.begin(), out.end(), likelier);
}

// Sets the weights to softmax(logits / temperature) times their sum, which is returned.
double weigh(std::span<Candidate> candidates, float highest, float temperature) {
  double total = 0.0;
  for (Candidate& candidate : candidates) {
    candidate.weight = std::exp((candidate.logit - highest) / temperature);
    total += static_cast<double>(candidate.weight);
  }
  return total;
}

// Keeps the fewest most likely candidates whose weights reach `enough`, sorted; all of them when they never do. Sorts
// no further than it must: mass sits in few tokens, and a whole vocabulary is slow to sort.
void keep_top_mass(double enough, std::vector<Candidate>& candidates) {
  constexpr std::size_t kFirstChunk = 64, kGrowth = 4;
  double mass = 0.0;
  std::size_t sorted = 0;
  for (std::size_t chunk = kFirstChunk; sorted < candidates.size(); chunk *= kGrowth) {
    const std::size_t end = std::min(sorted + chunk, candidates.size());
    const auto at = [&](std::size_t i) { return candidates.begin() + static_cast<std::ptrdiff_t>(i); };
    if (end < candidates.size()) std::nth_element(at(sorted), at(end - 1), candidates.end(), likelier);
    std::sort(at(sorted), at(end), likelier);
    for (; sorted < end; ++sorted) {
      mass += static_cast<double>(candidates[sorted].weight);
      if (mass < enough) continue;
      candidates.resize(sorted + 1);
      return;
    }
  }
}

// The candidate in whose share of the weights the fraction `at` of the total falls.
TokenId draw(std::span<const Candidate> candidates, double total, double at) {
  const double target = at * total;
  double reached = 0.0;
  TokenId chosen = -1;
  for (const Candidate& candidate : candidates) {
    if (!(candidate.weight > 0.0f)) continue;
    chosen = candidate.id;
    reached += static_cast<double>(candidate.weight);
    if (reached > target) break;  // may never be when `target` was rounded up to the total: the last one then
  }
  return chosen;
}

std::unexpected<Error> nothing_to_choose(std::span<const float> logits) {
  if (std::ranges::any_of(logits, [](float logit) { return std::isnan(logit); })) {
    return fail(Code::invalid_file, "the model computed no usable logit, only NaN: its file is damaged or unsuitable");
  }
  return fail(Code::invalid_argument, "all {} tokens are banned, by logit bias or by a constraint", logits.size());
}

}  // namespace

SamplerScratch::SamplerScratch(std::size_t n_vocab) : n_seen_(n_vocab, 0) { candidates_.reserve(n_vocab); }

Sampler::Sampler(SamplingParams params, std::size_t n_vocab) : params_(std::move(params)), n_vocab_(n_vocab) {}

Result<Sampler> Sampler::create(SamplingParams params, std::size_t n_vocab) {
  WISP_CHECK(validate(params, n_vocab));
  return Sampler(std::move(params), n_vocab);
}

void Sampler::apply_bias(std::span<float> logits) const {
  for (const auto& [token, bias] : params_.logit_bias) logits[static_cast<std::size_t>(token)] += bias;
}

void Sampler::apply_penalties(std::span<float> logits, std::span<const TokenId> history,
                              std::span<std::uint32_t> n_seen) const {
  const auto last_n = params_.penalty_last_n < 0 ? history.size() : static_cast<std::size_t>(params_.penalty_last_n);
  const std::span<const TokenId> window = history.last(std::min(last_n, history.size()));
  const auto known = [&](TokenId token) { return token >= 0 && static_cast<std::size_t>(token) < logits.size(); };
  for (const TokenId token : window) {
    if (known(token)) ++n_seen[static_cast<std::size_t>(token)];
  }
  for (const TokenId token : window) {
    if (!known(token)) continue;
    const std::uint32_t times = std::exchange(n_seen[static_cast<std::size_t>(token)], 0);
    if (times == 0) continue;  // a repetition: done, and cleared for the next call
    float& logit = logits[static_cast<std::size_t>(token)];
    logit = logit > 0.0f ? logit / params_.repeat_penalty : logit * params_.repeat_penalty;
    logit -= static_cast<float>(times) * params_.frequency_penalty + params_.presence_penalty;
  }
}

Result<TokenId> Sampler::sample(std::span<float> logits, std::span<const TokenId> history, std::uint64_t position,
                                SamplerScratch& scratch, std::span<const std::uint32_t> mask) const {
  if (logits.size() != n_vocab_ || scratch.n_seen_.size() < n_vocab_) {
    return fail(Code::internal, "{} logits and room for {} given to a sampler of {} tokens", logits.size(),
                scratch.n_seen_.size(), n_vocab_);
  }
  if (!mask.empty()) apply_mask(logits, mask);
  apply_bias(logits);
  if (params_.penalizes()) apply_penalties(logits, history, scratch.n_seen_);

  const TokenId best = argmax(logits);
  if (best < 0) return nothing_to_choose(logits);
  if (params_.greedy()) return best;

  std::vector<Candidate>& candidates = scratch.candidates_;
  candidates.clear();
  const float highest = make_candidate(logits[static_cast<std::size_t>(best)], 0).logit;
  const auto top_k = static_cast<std::size_t>(std::max(params_.top_k, 0));
  if (top_k > 0 && top_k < n_vocab_) {
    collect_top_k(logits, top_k, candidates);
  } else {
    collect_all(logits, candidates);
  }
  // Top-p and min-p each keep a start of the sorted candidates, so their order is free once the mass that top-p speaks
  // of is known; min-p first leaves less to sort.
  const bool use_top_p = params_.top_p < 1.0f;
  const double mass = use_top_p ? weigh(candidates, highest, 1.0f) : 0.0;
  if (params_.min_p > 0.0f) {
    const float least = highest + std::log(params_.min_p);
    std::erase_if(candidates, [least](const Candidate& candidate) { return candidate.logit < least; });
  }
  if (use_top_p) keep_top_mass(static_cast<double>(params_.top_p) * mass, candidates);
  const double total = weigh(candidates, highest, params_.temperature);
  return draw(candidates, total, uniform(params_.seed, position));
}

TokenId argmax(std::span<const float> logits) {
  // Independent lanes let the compiler use vectors; a comparison with NaN is false, so NaN never enters a lane.
  constexpr std::size_t kLanes = 32;
  std::array<float, kLanes> highest;
  highest.fill(kLowest);
  std::size_t i = 0;
  for (; i + kLanes <= logits.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float logit = logits[i + lane];
      highest[lane] = logit > highest[lane] ? logit : highest[lane];
    }
  }
  float best = *std::ranges::max_element(highest);
  for (; i < logits.size(); ++i) best = logits[i] > best ? logits[i] : best;
  if (best == kLowest) return -1;
  return static_cast<TokenId>(std::ranges::find(logits, best) - logits.begin());
}

}  // namespace wisp::sample
