#include "sample/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "sample/penalties.h"
#include "sample/random.h"
#include "sample/temperature.h"
#include "sample/truncation.h"

namespace wisp::sample {
namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();

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

std::unexpected<Error> nothing_to_choose(std::span<const float> logits) {
  if (std::ranges::any_of(logits, [](float logit) { return std::isnan(logit); })) {
    return fail(Code::invalid_file, "the model computed no usable logit, only NaN: its file is damaged or unsuitable");
  }
  return fail(Code::invalid_argument, "all {} tokens are banned, by logit bias or by a constraint", logits.size());
}

// Works on the logits of the whole vocabulary as long as nothing was dropped.
bool is_penalty(SamplerKind kind) { return kind == SamplerKind::penalties || kind == SamplerKind::dry; }

// Leaves the most likely token where it is.
bool keeps_the_best(SamplerKind kind) {
  return !is_penalty(kind) && kind != SamplerKind::typical_p && kind != SamplerKind::xtc;
}

}  // namespace

SamplerScratch::SamplerScratch(std::size_t n_vocab) : n_seen_(n_vocab, 0) { candidates_.list.reserve(n_vocab); }

TokenId SamplerScratch::keep_only(TokenId token) {
  candidates_.list.assign(1, {0.0f, 1.0f, token});
  candidates_.highest = 0.0f;
  total_ = 1.0;
  return token;
}

// ---- setting up ----

Sampler::Sampler(SamplingParams params, std::size_t n_vocab) : params_(std::move(params)), n_vocab_(n_vocab) {
  set_up_chain();
}

Result<Sampler> Sampler::create(SamplingParams params, std::size_t n_vocab) {
  WISP_CHECK(validate(params, n_vocab));
  return Sampler(std::move(params), n_vocab);
}

bool Sampler::does_something(SamplerKind kind) const {
  switch (kind) {
    case SamplerKind::penalties: return params_.penalizes();
    case SamplerKind::dry: return params_.uses_dry();
    case SamplerKind::top_n_sigma: return params_.top_n_sigma > 0.0f;
    case SamplerKind::top_k: return params_.top_k > 0 && static_cast<std::size_t>(params_.top_k) < n_vocab_;
    case SamplerKind::typical_p: return params_.typical_p < 1.0f;
    case SamplerKind::top_p: return params_.top_p < 1.0f;
    case SamplerKind::min_p: return params_.min_p > 0.0f;
    case SamplerKind::xtc: return params_.xtc_probability > 0.0f;
    case SamplerKind::temperature: return params_.temperature != 1.0f || params_.dynatemp_range > 0.0f;
  }
  return false;
}

void Sampler::set_up_chain() {
  const auto is_named = [&](SamplerKind kind) {
    return std::ranges::find(params_.samplers, kind) != params_.samplers.end();
  };
  const SamplingParams off{.temperature = 1.0f, .top_k = 0, .top_p = 1.0f, .min_p = 0.0f};
  const auto turn_off = [&](SamplerKind kind, auto... fields) {
    if (!is_named(kind)) ((params_.*fields = off.*fields), ...);
  };
  using P = SamplingParams;
  turn_off(SamplerKind::penalties, &P::repeat_penalty, &P::frequency_penalty, &P::presence_penalty);
  turn_off(SamplerKind::dry, &P::dry_multiplier);
  turn_off(SamplerKind::top_n_sigma, &P::top_n_sigma);
  turn_off(SamplerKind::top_k, &P::top_k);
  turn_off(SamplerKind::typical_p, &P::typical_p);
  turn_off(SamplerKind::top_p, &P::top_p);
  turn_off(SamplerKind::min_p, &P::min_p);
  turn_off(SamplerKind::xtc, &P::xtc_probability);
  if (params_.greedy()) {
    params_.mirostat = false;
    params_.dynatemp_range = 0.0f;
  } else {
    turn_off(SamplerKind::temperature, &P::temperature, &P::dynatemp_range);
  }

  for (const SamplerKind kind : params_.samplers) {
    const bool replaced = params_.mirostat && !is_penalty(kind) && kind != SamplerKind::temperature;
    if (does_something(kind) && !replaced) chain_.push_back(kind);
  }
  if (params_.greedy()) {
    std::erase(chain_, SamplerKind::temperature);
    while (!chain_.empty() && keeps_the_best(chain_.back())) chain_.pop_back();
  }
  if (params_.uses_dry()) breakers_ = DryBreakers(std::exchange(params_.dry_breakers, {}));

  using enum SamplerKind;
  constexpr std::array kPlain = {penalties, top_k, top_p, min_p, temperature};
  const auto place = [&](SamplerKind kind) { return std::ranges::find(kPlain, kind) - kPlain.begin(); };
  plain_ =
      std::ranges::all_of(chain_, [&](SamplerKind kind) { return std::ranges::find(kPlain, kind) != kPlain.end(); }) &&
      std::ranges::is_sorted(chain_, {}, place) && params_.dynatemp_range == 0.0f && !params_.mirostat;
}

// ---- one token ----

void Sampler::apply_bias(std::span<float> logits) const {
  for (const auto& [token, bias] : params_.logit_bias) logits[static_cast<std::size_t>(token)] += bias;
}

void Sampler::apply(SamplerKind kind, std::span<const TokenId> history, std::uint64_t position,
                    SamplerScratch& scratch) const {
  Candidates& candidates = scratch.candidates_;
  const std::span<std::uint32_t> by_token = std::span(scratch.n_seen_).first(n_vocab_);
  switch (kind) {
    case SamplerKind::penalties: return apply_penalties(params_, history, candidates, by_token);
    case SamplerKind::dry: return apply_dry(params_, breakers_, history, candidates, by_token, scratch.dry_);
    case SamplerKind::top_n_sigma: return keep_top_n_sigma(candidates, params_.top_n_sigma);
    case SamplerKind::top_k: return keep_top_k(candidates, static_cast<std::size_t>(params_.top_k));
    case SamplerKind::typical_p: return keep_typical(candidates, params_.typical_p);
    case SamplerKind::top_p: return keep_top_p(candidates, params_.top_p, 0.0f);
    case SamplerKind::min_p: return keep_min_p(candidates, params_.min_p);
    case SamplerKind::xtc:
      if (uniform(params_.seed, position, RandomStream::xtc) < static_cast<double>(params_.xtc_probability)) {
        exclude_top_choices(candidates, params_.xtc_threshold);
      }
      return;
    case SamplerKind::temperature: {
      const float range = params_.dynatemp_range;
      return apply_temperature(candidates, range > 0.0f ? dynamic_temperature(candidates, params_.temperature, range,
                                                                              params_.dynatemp_exponent)
                                                        : params_.temperature);
    }
  }
}

Result<TokenId> Sampler::sample(std::span<float> logits, std::span<const TokenId> history, std::uint64_t position,
                                SamplerScratch& scratch, std::span<const std::uint32_t> mask,
                                SamplerState* state) const {
  if (logits.size() != n_vocab_ || scratch.n_seen_.size() < n_vocab_) {
    return fail(Code::internal, "{} logits and room for {} given to a sampler of {} tokens", logits.size(),
                scratch.n_seen_.size(), n_vocab_);
  }
  if (!mask.empty()) apply_mask(logits, mask);
  apply_bias(logits);
  const std::span<std::uint32_t> by_token = std::span(scratch.n_seen_).first(n_vocab_);
  auto next = chain_.begin();
  for (; next != chain_.end() && is_penalty(*next); ++next) {
    if (*next == SamplerKind::penalties) {
      apply_penalties(params_, history, logits, by_token);
    } else {
      apply_dry(params_, breakers_, history, logits, by_token, scratch.dry_);
    }
  }

  Candidates& candidates = scratch.candidates_;
  if (next == chain_.end() && params_.greedy()) {
    const TokenId best = argmax(logits);
    if (best < 0) return nothing_to_choose(logits);
    return scratch.keep_only(best);
  }
  if (next != chain_.end() && *next == SamplerKind::top_k) {
    candidates.collect_top(logits, static_cast<std::size_t>(params_.top_k));
    ++next;
  } else {
    candidates.collect(logits);
  }
  if (candidates.list.empty()) return nothing_to_choose(logits);
  for (; next != chain_.end(); ++next) {
    if (*next == SamplerKind::top_p && next + 1 != chain_.end() && *(next + 1) == SamplerKind::min_p) {
      keep_top_p(candidates, params_.top_p, params_.min_p);
      ++next;
    } else {
      apply(*next, history, position, scratch);
    }
  }

  if (params_.greedy()) {
    return scratch.keep_only(std::ranges::min_element(candidates.list, likelier)->id);
  }
  SamplerState anew;
  SamplerState& remembered = state != nullptr ? *state : anew;
  if (params_.mirostat) keep_unsurprising(params_, remembered, candidates);
  scratch.total_ = weigh(candidates);
  const Candidate* const chosen = draw(candidates.list, scratch.total_, uniform(params_.seed, position));
  if (chosen == nullptr) return nothing_to_choose(logits);
  if (params_.mirostat) observe(params_, *chosen, scratch.total_, remembered);
  return chosen->id;
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
