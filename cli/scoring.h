// Logits of every position of a token sequence, row by row: what `logits` and `perplexity` are made of.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "runtime/engine.h"

namespace wisp::cli {

// `logits` [vocabulary] predict the token after `position`. In order of positions; may refuse.
using TakeLogits = std::function<Status(std::uint32_t position, std::span<const float> logits)>;

// Computes `ids` and hands over the logits of positions from `first` on. Ctrl-C gives Code::cancelled.
Status score(runtime::Engine& engine, std::vector<TokenId> ids, std::uint32_t first, const TakeLogits& take);

}  // namespace wisp::cli
