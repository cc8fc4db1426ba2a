// What a sequence that guesses ahead keeps: who guesses, how much, and what was guessed for the step at hand.
#pragma once

#include <optional>
#include <vector>

#include "base/token.h"
#include "runtime/speculation/draft_length.h"
#include "runtime/speculation/ngram_drafter.h"

namespace wisp::runtime {

struct Speculator {
  // `tokens`: the longest text there will be, as far as it is known.
  Speculator(bool by_ngrams, std::uint32_t most, std::size_t tokens) : length(most) {
    if (by_ngrams) ngrams.emplace(tokens);
    draft.reserve(most);
  }

  std::optional<NgramDrafter> ngrams;  // else the engine's draft model
  DraftLength length;
  std::vector<TokenId>
      draft;  // the tokens that may come behind the next one; checked in the step that has them as rows
};

}  // namespace wisp::runtime
