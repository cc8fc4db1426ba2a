// The tokens that may still be chosen, and what all samplers need to know of them.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/token.h"

namespace wisp::sample {

struct Candidate {
  float logit;
  float weight;  // unnormalised probability, 1 for the most likely; as of the last weigh()
  TokenId id;
};

// Most likely first, the lower id first on a tie: a total order, so that no choice depends on a library's sort.
inline bool likelier(const Candidate& x, const Candidate& y) {
  return x.logit > y.logit || (x.logit == y.logit && x.id < y.id);
}

struct Candidates {
  std::vector<Candidate> list;  // reserved for a whole vocabulary, so that nothing here allocates
  float highest = 0.0f;         // the largest logit of `list`
  bool sorted = false;          // most likely first
  float base = 0.0f;            // what all logits here count from

  // All tokens that can be chosen, in the order of ids: neither NaN nor -infinity.
  void collect(std::span<const float> logits);
  // The k most likely of them, sorted.
  void collect_top(std::span<const float> logits, std::size_t k);
  // After logits of `list` have changed.
  void update();
};

// A logit in the range in which differences are finite.
float finite(float logit);

// Sets the weights to softmax(logits / temperature) times their sum, which is returned.
double weigh(Candidates& candidates, float temperature = 1.0f);

// -sum(p ln p) after weigh() at temperature 1, which gave `total`.
double entropy(const Candidates& candidates, double total);

// The candidate in whose share of the weights the fraction `at` of `total` falls. nullptr: there is none.
const Candidate* draw(std::span<const Candidate> candidates, double total, double at);

}  // namespace wisp::sample
