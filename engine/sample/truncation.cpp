#include "sample/truncation.h"

#include <algorithm>
#include <cmath>

#include "sample/keep_mass.h"

namespace wisp::sample {

void keep_top_k(Candidates& candidates, std::size_t k) {
  std::vector<Candidate>& list = candidates.list;
  if (list.size() <= k) return;
  if (!candidates.sorted) {
    std::nth_element(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(k - 1), list.end(), likelier);
    std::sort(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(k), likelier);
    candidates.sorted = true;
  }
  list.resize(k);
}

// Both keep a start of the sorted candidates, so their order is free once the mass that top-p speaks of is known.
void keep_top_p(Candidates& candidates, float top_p, float min_p) {
  const double mass = weigh(candidates);
  if (min_p > 0.0f) keep_min_p(candidates, min_p);
  keep_mass(candidates.list, static_cast<double>(top_p) * mass, likelier);
  candidates.sorted = true;
}

void keep_min_p(Candidates& candidates, float min_p) {
  const float least = candidates.highest + std::log(min_p);
  std::erase_if(candidates.list, [least](const Candidate& candidate) { return candidate.logit < least; });
}

void keep_typical(Candidates& candidates, float typical_p) {
  const double total = weigh(candidates);
  // ln p = logit - highest - ln(total), so -ln p - H vanishes at this logit.
  const double typical = static_cast<double>(candidates.highest) + std::log(total) - entropy(candidates, total);
  const auto distance = [typical](const Candidate& candidate) {
    return std::abs(static_cast<double>(candidate.logit) - typical);
  };
  keep_mass(candidates.list, static_cast<double>(typical_p) * total, [&](const Candidate& x, const Candidate& y) {
    const double dx = distance(x), dy = distance(y);
    return dx < dy || (dx == dy && likelier(x, y));
  });
  candidates.update();
}

void keep_top_n_sigma(Candidates& candidates, float n) {
  const auto count = static_cast<double>(candidates.list.size());
  double sum = 0.0, squares = 0.0;
  for (const Candidate& candidate : candidates.list) sum += static_cast<double>(candidate.logit);
  const double mean = sum / count;
  for (const Candidate& candidate : candidates.list) {
    const double distance = static_cast<double>(candidate.logit) - mean;
    squares += distance * distance;
  }
  const double least = static_cast<double>(candidates.highest) - static_cast<double>(n) * std::sqrt(squares / count);
  std::erase_if(candidates.list,
                [least](const Candidate& candidate) { return static_cast<double>(candidate.logit) < least; });
}

void exclude_top_choices(Candidates& candidates, float threshold) {
  const double bar = static_cast<double>(threshold) * weigh(candidates);
  const auto passes = [bar](const Candidate& candidate) { return static_cast<double>(candidate.weight) >= bar; };
  const Candidate* least = nullptr;
  std::size_t n = 0;
  for (const Candidate& candidate : candidates.list) {
    if (!passes(candidate)) continue;
    ++n;
    if (least == nullptr || likelier(*least, candidate)) least = &candidate;
  }
  if (n < 2) return;
  const TokenId kept = least->id;
  candidates.highest = least->logit;
  std::erase_if(candidates.list, [&](const Candidate& candidate) { return passes(candidate) && candidate.id != kept; });
}

}  // namespace wisp::sample
