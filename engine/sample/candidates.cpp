#include "sample/candidates.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace wisp::sample {
namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();

Candidate make_candidate(float logit, std::size_t id) { return {finite(logit), 0.0f, static_cast<TokenId>(id)}; }

}  // namespace

float finite(float logit) { return std::min(logit, std::numeric_limits<float>::max()); }

void Candidates::collect(std::span<const float> logits) {
  list.clear();
  base = 0.0f;
  for (std::size_t id = 0; id < logits.size(); ++id) {
    if (logits[id] > kLowest) list.push_back(make_candidate(logits[id], id));  // false for NaN
  }
  update();
}

// Gathers what beats the k-th best seen so far and cuts back to k whenever the room (twice k) is full, so it costs one
// pass over the logits and a few selections among 2k.
void Candidates::collect_top(std::span<const float> logits, std::size_t k) {
  constexpr std::size_t kLeastRoom = 256;
  const std::size_t room = std::min(std::max(2 * k, kLeastRoom), logits.size());
  const auto cut = [&] {
    if (list.size() <= k) return;
    std::nth_element(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(k - 1), list.end(), likelier);
    list.resize(k);
  };
  list.clear();
  base = 0.0f;
  float bar = kLowest;  // to be passed; an equal logit has a higher id than those it would have to beat
  for (std::size_t id = 0; id < logits.size(); ++id) {
    if (!(logits[id] > bar)) continue;
    list.push_back(make_candidate(logits[id], id));
    if (list.size() == room) {
      cut();
      if (list.size() == k) bar = list.back().logit;
    }
  }
  cut();
  std::sort(list.begin(), list.end(), likelier);
  sorted = true;
  if (!list.empty()) highest = list.front().logit;
}

void Candidates::update() {
  sorted = false;
  highest = kLowest;
  for (const Candidate& candidate : list) highest = std::max(highest, candidate.logit);
}

double weigh(Candidates& candidates, float temperature) {
  double total = 0.0;
  for (Candidate& candidate : candidates.list) {
    candidate.weight = std::exp((candidate.logit - candidates.highest) / temperature);
    total += static_cast<double>(candidate.weight);
  }
  return total;
}

double entropy(const Candidates& candidates, double total) {
  double sum = 0.0;  // of weight * ln weight
  for (const Candidate& candidate : candidates.list) {
    const auto weight = static_cast<double>(candidate.weight);
    // Where the weight is 0 the difference may be infinite.
    if (weight > 0.0) sum += weight * (static_cast<double>(candidate.logit) - static_cast<double>(candidates.highest));
  }
  return std::log(total) - sum / total;
}

const Candidate* draw(std::span<const Candidate> candidates, double total, double at) {
  const double target = at * total;
  double reached = 0.0;
  const Candidate* chosen = nullptr;
  for (const Candidate& candidate : candidates) {
    if (!(candidate.weight > 0.0f)) continue;
    chosen = &candidate;
    reached += static_cast<double>(candidate.weight);
    if (reached > target) break;  // may never be when `target` was rounded up to the total: the last one then
  }
  return chosen;
}

}  // namespace wisp::sample
