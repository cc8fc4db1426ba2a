#include "sample/temperature.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace wisp::sample {

void apply_temperature(Candidates& candidates, float temperature) {
  constexpr float kMost = std::numeric_limits<float>::max();  // a quotient may pass it
  for (Candidate& candidate : candidates.list) {
    candidate.logit = std::max((candidate.logit - candidates.highest) / temperature, -kMost);
  }
  candidates.base = std::clamp(candidates.highest / temperature, -kMost, kMost);
  candidates.highest = 0.0f;
}

float dynamic_temperature(Candidates& candidates, float temperature, float range, float exponent) {
  if (candidates.list.size() < 2) return temperature;
  const double total = weigh(candidates);
  const double most_entropy = std::log(static_cast<double>(candidates.list.size()));
  const double undecided = std::clamp(entropy(candidates, total) / most_entropy, 0.0, 1.0);
  const double least = std::max(static_cast<double>(temperature) - static_cast<double>(range), 0.0);
  const double most = static_cast<double>(temperature) + static_cast<double>(range);
  const double chosen = least + (most - least) * std::pow(undecided, static_cast<double>(exponent));
  // What is divided by it needs more than 0.
  return static_cast<float>(std::clamp(chosen, static_cast<double>(std::numeric_limits<float>::min()),
                                       static_cast<double>(std::numeric_limits<float>::max())));
}

}  // namespace wisp::sample
