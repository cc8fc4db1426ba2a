// Samplers that drop candidates. Each looks at the distribution that those before it in the chain left, and leaves at
// least one candidate where there was one. docs/sampling.md says what each is good for and where it comes from.
#pragma once

#include <cstddef>

#include "sample/candidates.h"

namespace wisp::sample {

// The k most likely.
void keep_top_k(Candidates& candidates, std::size_t k);

// The fewest most likely ones that hold `top_p` of the probability, and of those, where `min_p` is more than 0, what
// keep_min_p() leaves: both at once, since together they have less to sort.
void keep_top_p(Candidates& candidates, float top_p, float min_p);

// Those at least `min_p` times as likely as the most likely one.
void keep_min_p(Candidates& candidates, float min_p);

// Those whose surprise -ln p is closest to the entropy: the fewest that hold `typical_p` of the probability. May drop
// the most likely one.
void keep_typical(Candidates& candidates, float typical_p);

// Those whose logit is at most `n` standard deviations (of all logits that are there) below the highest.
void keep_top_n_sigma(Candidates& candidates, float n);

// Of the candidates that have a probability of `threshold` or more only the least likely one stays, with all that are
// below; nothing happens where there are fewer than two.
void exclude_top_choices(Candidates& candidates, float threshold);

}  // namespace wisp::sample
