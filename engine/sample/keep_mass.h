// The start of an order that holds enough of the probability: what top-p and typical-p have in common.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "sample/candidates.h"

namespace wisp::sample {

// Keeps the candidates that come first in the total order `before`, the fewest whose weights reach `enough`, in that
// order; all of them when they never do. Sorts no further than it must: mass sits in few tokens, and a whole vocabulary
// is slow to sort.
template <class Before>
void keep_mass(std::vector<Candidate>& list, double enough, const Before& before) {
  constexpr std::size_t kFirstChunk = 64, kGrowth = 4;
  double mass = 0.0;
  std::size_t sorted = 0;
  for (std::size_t chunk = kFirstChunk; sorted < list.size(); chunk *= kGrowth) {
    const std::size_t end = std::min(sorted + chunk, list.size());
    const auto at = [&](std::size_t i) { return list.begin() + static_cast<std::ptrdiff_t>(i); };
    if (end < list.size()) std::nth_element(at(sorted), at(end - 1), list.end(), before);
    std::sort(at(sorted), at(end), before);
    for (; sorted < end; ++sorted) {
      mass += static_cast<double>(list[sorted].weight);
      if (mass < enough) continue;
      list.resize(sorted + 1);
      return;
    }
  }
}

}  // namespace wisp::sample
