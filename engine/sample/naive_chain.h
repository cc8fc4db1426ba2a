// The chain as its definitions read (docs/sampling.md), in double precision and without a thought for speed: what tests
// hold the sampler to.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "sample/sampler_testing.h"

namespace wisp::sample {

class NaiveChain {
 public:
  NaiveChain(const SamplingParams& params, const std::vector<float>& logits, const std::vector<TokenId>& history)
      : params_(params), history_(history) {
    for (std::size_t i = 0; i < logits.size(); ++i) {
      double logit = logits[i];
      for (const auto& [token, bias] : params.logit_bias) {
        if (token == static_cast<TokenId>(i)) logit += bias;
      }
      if (!std::isnan(logit) && logit > -std::numeric_limits<double>::infinity()) {
        tokens_.push_back({static_cast<TokenId>(i), logit});
      }
    }
  }

  // The tokens that may be drawn with their probabilities, in the order of ids. `xtc`: whether its dice fell so.
  std::vector<Share> run(bool xtc) {
    for (const SamplerKind kind : params_.samplers) {
      const bool drops = kind != SamplerKind::penalties && kind != SamplerKind::dry && kind != SamplerKind::temperature;
      if (params_.mirostat && drops) continue;
      apply(kind, xtc);
    }
    if (params_.mirostat) {
      sort_by_likelihood();
      const std::vector<double> p = probabilities();
      std::size_t n = 1;
      while (n < tokens_.size() && -std::log2(p[n]) <= 2.0 * double{params_.mirostat_tau}) ++n;
      tokens_.resize(n);
    }
    std::ranges::sort(tokens_, {}, &Token::id);
    const std::vector<double> p = probabilities();
    std::vector<Share> shares;
    for (std::size_t i = 0; i < tokens_.size(); ++i) shares.emplace_back(tokens_[i].id, p[i]);
    return shares;
  }

 private:
  struct Token {
    TokenId id;
    double logit;
  };

  std::vector<double> probabilities() const {
    double highest = -std::numeric_limits<double>::infinity(), total = 0.0;
    for (const Token& token : tokens_) highest = std::max(highest, token.logit);
    for (const Token& token : tokens_) total += std::exp(token.logit - highest);
    std::vector<double> p;
    for (const Token& token : tokens_) p.push_back(std::exp(token.logit - highest) / total);
    return p;
  }

  double entropy() const {
    double sum = 0.0;
    for (const double p : probabilities()) sum -= p > 0.0 ? p * std::log(p) : 0.0;
    return sum;
  }

  void sort_by_likelihood() {
    std::ranges::sort(tokens_, [](const Token& x, const Token& y) {
      return x.logit > y.logit || (x.logit == y.logit && x.id < y.id);
    });
  }

  // The first tokens that hold `share` of the probability.
  void keep_share(double share) {
    const std::vector<double> p = probabilities();
    double mass = 0.0;
    std::size_t n = 0;
    while (n < tokens_.size() && (n == 0 || mass < share)) mass += p[n++];
    tokens_.resize(n);
  }

  void apply(SamplerKind kind, bool xtc) {
    switch (kind) {
      case SamplerKind::penalties: return penalties();
      case SamplerKind::dry: return dry();
      case SamplerKind::top_n_sigma: return top_n_sigma();
      case SamplerKind::top_k:
        if (params_.top_k <= 0 || static_cast<std::size_t>(params_.top_k) >= tokens_.size()) return;
        sort_by_likelihood();
        return tokens_.resize(static_cast<std::size_t>(params_.top_k));
      case SamplerKind::typical_p: return typical();
      case SamplerKind::top_p:
        if (params_.top_p >= 1.0f) return;
        sort_by_likelihood();
        return keep_share(double{params_.top_p});
      case SamplerKind::min_p: {
        const std::vector<double> p = probabilities();
        const double least = double{params_.min_p} * *std::ranges::max_element(p);
        std::size_t kept = 0;
        for (std::size_t i = 0; i < p.size(); ++i) {
          if (p[i] >= least) tokens_[kept++] = tokens_[i];
        }
        return tokens_.resize(kept);
      }
      case SamplerKind::xtc: return xtc ? exclude() : void();
      case SamplerKind::temperature: return temperature();
    }
  }

  void penalties() {
    for (Token& token : tokens_) {
      int times = 0;
      for (std::size_t i = 0; i < history_.size(); ++i) {
        const bool inside =
            params_.penalty_last_n < 0 || i + static_cast<std::size_t>(params_.penalty_last_n) >= history_.size();
        if (inside && history_[i] == token.id) ++times;
      }
      if (times == 0) continue;
      token.logit =
          token.logit > 0 ? token.logit / double{params_.repeat_penalty} : token.logit * double{params_.repeat_penalty};
      token.logit -= times * double{params_.frequency_penalty} + double{params_.presence_penalty};
    }
  }

  // A breaker ends at this many tokens of `text`.
  bool breaks(const std::vector<TokenId>& text, std::size_t end) const {
    return std::ranges::any_of(params_.dry_breakers, [&](const std::vector<TokenId>& breaker) {
      return breaker.size() <= end && std::equal(breaker.begin(), breaker.end(),
                                                 text.begin() + static_cast<std::ptrdiff_t>(end - breaker.size()));
    });
  }

  void dry() {
    if (params_.dry_multiplier == 0.0f) return;
    std::vector<TokenId> text = history_;
    if (params_.dry_penalty_last_n >= 0 && text.size() > static_cast<std::size_t>(params_.dry_penalty_last_n)) {
      text.erase(text.begin(), text.end() - params_.dry_penalty_last_n);
    }
    for (Token& token : tokens_) {
      int longest = -1;
      for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != token.id) continue;
        // How many tokens before `at` are the last tokens of the text, none of them the end of a breaker.
        std::size_t n = 0;
        while (n < at && text[at - 1 - n] == text[text.size() - 1 - n] && !breaks(text, text.size() - n)) ++n;
        longest = std::max(longest, static_cast<int>(n));
      }
      if (longest < 0 || longest < params_.dry_allowed_length) continue;
      token.logit -=
          double{params_.dry_multiplier} * std::pow(double{params_.dry_base}, longest - params_.dry_allowed_length);
    }
  }

  void top_n_sigma() {
    if (params_.top_n_sigma <= 0.0f) return;
    double mean = 0.0, variance = 0.0, highest = -std::numeric_limits<double>::infinity();
    for (const Token& token : tokens_) mean += token.logit / static_cast<double>(tokens_.size());
    for (const Token& token : tokens_) {
      variance += (token.logit - mean) * (token.logit - mean) / static_cast<double>(tokens_.size());
      highest = std::max(highest, token.logit);
    }
    const double least = highest - double{params_.top_n_sigma} * std::sqrt(variance);
    std::erase_if(tokens_, [&](const Token& token) { return token.logit < least; });
  }

  void typical() {
    if (params_.typical_p >= 1.0f) return;
    const double h = entropy();
    const std::vector<double> p = probabilities();
    std::vector<std::size_t> order(p.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, {}, [&](std::size_t i) { return std::pair(std::abs(-std::log(p[i]) - h), i); });
    std::vector<Token> kept;
    double mass = 0.0;
    for (const std::size_t i : order) {
      kept.push_back(tokens_[i]);
      mass += p[i];
      if (mass >= double{params_.typical_p}) break;
    }
    tokens_ = kept;
  }

  void exclude() {
    sort_by_likelihood();
    const std::vector<double> p = probabilities();
    std::size_t n = 0;
    while (n < p.size() && p[n] >= double{params_.xtc_threshold}) ++n;
    if (n >= 2) tokens_.erase(tokens_.begin(), tokens_.begin() + static_cast<std::ptrdiff_t>(n) - 1);
  }

  void temperature() {
    double t = params_.temperature;
    if (params_.dynatemp_range > 0.0f && tokens_.size() > 1) {
      const double least = std::max(0.0, t - double{params_.dynatemp_range}), most = t + double{params_.dynatemp_range};
      const double share = entropy() / std::log(static_cast<double>(tokens_.size()));
      t = least + (most - least) * std::pow(share, double{params_.dynatemp_exponent});
    }
    for (Token& token : tokens_) token.logit /= t;
  }

  const SamplingParams& params_;
  const std::vector<TokenId>& history_;
  std::vector<Token> tokens_;
};

}  // namespace wisp::sample
