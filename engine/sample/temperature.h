// Samplers that make a distribution steeper or flatter.
#pragma once

#include "sample/candidates.h"

namespace wisp::sample {

// Divides all logits by `temperature`, more than 0. They then count from the highest, so that none loses its last bits.
void apply_temperature(Candidates& candidates, float temperature);

// The temperature between max(temperature - range, 0) and temperature + range for how undecided the model is:
// least + (most - least) * (entropy / the entropy of as many equally likely tokens) ^ exponent.
float dynamic_temperature(Candidates& candidates, float temperature, float range, float exponent);

}  // namespace wisp::sample
