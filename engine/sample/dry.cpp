#include "sample/dry.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace wisp::sample {
namespace {

std::span<const TokenId> window_of(const SamplingParams& params, std::span<const TokenId> history) {
  constexpr std::size_t kMost = std::numeric_limits<std::uint32_t>::max() - 1;  // lengths have 32 bits
  const auto last_n =
      params.dry_penalty_last_n < 0 ? history.size() : static_cast<std::size_t>(params.dry_penalty_last_n);
  return history.last(std::min({last_n, history.size(), kMost}));
}

// The Z-algorithm (Gusfield 1997) on the window read backwards: matches[j] is how many tokens the text without its last
// j shares with the whole text, counted from their ends.
void match_ends(std::span<const TokenId> window, std::vector<std::uint32_t>& matches) {
  const auto n = static_cast<std::uint32_t>(window.size());
  const auto at = [&](std::uint32_t i) { return window[n - 1 - i]; };
  matches.resize(n);
  matches[0] = n;
  std::uint32_t left = 0, right = 0;  // the match that reaches furthest: at(left .. right) is a start of the text
  for (std::uint32_t j = 1; j < n; ++j) {
    std::uint32_t length = j < right ? std::min(right - j, matches[j - left]) : 0;
    while (j + length < n && at(j + length) == at(length)) ++length;
    matches[j] = length;
    if (j + length > right) {
      left = j;
      right = j + length;
    }
  }
}

// Into `longest`, by token: one more than the length of the longest repetition that the token would lengthen, where it
// has the length that is allowed. Returns the tokens of which some are such; each was written at least once.
std::span<const TokenId> find_repetitions(const SamplingParams& params, const DryBreakers& breakers,
                                          std::span<const TokenId> history, std::span<std::uint32_t> longest,
                                          DryScratch& scratch) {
  const std::span<const TokenId> window = window_of(params, history);
  const auto allowed = static_cast<std::size_t>(params.dry_allowed_length);
  if (window.size() <= allowed) return {};
  const std::size_t since = breakers.tokens_since(window);
  if (since < allowed) return {};
  match_ends(window, scratch.matches);
  for (std::size_t j = 1; j <= window.size(); ++j) {
    const std::size_t length = j < window.size() ? std::min<std::size_t>(scratch.matches[j], since) : 0;
    const TokenId next = window[window.size() - j];  // what followed the earlier occurrence
    if (length < allowed || next < 0 || static_cast<std::size_t>(next) >= longest.size()) continue;
    std::uint32_t& most = longest[static_cast<std::size_t>(next)];
    most = std::max(most, static_cast<std::uint32_t>(length) + 1);
  }
  return window;
}

void penalize(const SamplingParams& params, std::uint32_t length, float& logit) {
  constexpr float kMost = std::numeric_limits<float>::max();
  if (!(logit > -std::numeric_limits<float>::infinity())) return;  // banned already, or NaN
  const double power = std::pow(static_cast<double>(params.dry_base),
                                static_cast<double>(length) - static_cast<double>(params.dry_allowed_length));
  const double penalty = static_cast<double>(params.dry_multiplier) * power;
  logit = static_cast<float>(std::max(static_cast<double>(finite(logit)) - penalty, -static_cast<double>(kMost)));
}

}  // namespace

DryBreakers::DryBreakers(std::vector<std::vector<TokenId>> sequences) : reversed_(std::move(sequences)) {
  for (std::vector<TokenId>& sequence : reversed_) std::ranges::reverse(sequence);
  std::erase_if(reversed_, [](const std::vector<TokenId>& sequence) { return sequence.empty(); });
  std::ranges::sort(reversed_);
  const auto twice = std::ranges::unique(reversed_);
  reversed_.erase(twice.begin(), twice.end());
}

// Walks into the window from its end, keeping the breakers that agree so far: neighbours, as they are sorted.
bool DryBreakers::ends(std::span<const TokenId> window) const {
  auto first = reversed_.begin(), last = reversed_.end();
  for (std::size_t depth = 0; depth < window.size() && first != last; ++depth) {
    const TokenId token = window[window.size() - 1 - depth];
    const auto by_token = [depth](const std::vector<TokenId>& sequence) { return sequence[depth]; };
    const auto agreeing = std::ranges::equal_range(first, last, token, {}, by_token);
    first = agreeing.begin();
    last = agreeing.end();
    if (first != last && first->size() == depth + 1) return true;  // the shortest of them stands first
  }
  return false;
}

std::size_t DryBreakers::tokens_since(std::span<const TokenId> window) const {
  if (reversed_.empty()) return window.size();
  for (std::size_t end = window.size(); end > 0; --end) {
    if (ends(window.first(end))) return window.size() - end;
  }
  return window.size();
}

void apply_dry(const SamplingParams& params, const DryBreakers& breakers, std::span<const TokenId> history,
               std::span<float> logits, std::span<std::uint32_t> longest, DryScratch& scratch) {
  for (const TokenId token : find_repetitions(params, breakers, history, longest, scratch)) {
    if (token < 0 || static_cast<std::size_t>(token) >= longest.size()) continue;
    const std::uint32_t length = std::exchange(longest[static_cast<std::size_t>(token)], 0);
    if (length > 0) penalize(params, length - 1, logits[static_cast<std::size_t>(token)]);
  }
}

void apply_dry(const SamplingParams& params, const DryBreakers& breakers, std::span<const TokenId> history,
               Candidates& candidates, std::span<std::uint32_t> longest, DryScratch& scratch) {
  const std::span<const TokenId> window = find_repetitions(params, breakers, history, longest, scratch);
  for (Candidate& candidate : candidates.list) {
    const std::uint32_t length = longest[static_cast<std::size_t>(candidate.id)];
    if (length > 0) penalize(params, length - 1, candidate.logit);
  }
  for (const TokenId token : window) {
    if (token >= 0 && static_cast<std::size_t>(token) < longest.size()) longest[static_cast<std::size_t>(token)] = 0;
  }
  candidates.update();
}

}  // namespace wisp::sample
