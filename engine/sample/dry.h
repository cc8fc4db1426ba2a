// DRY ("don't repeat yourself", p-e-w 2024): penalises the tokens that would lengthen a repetition of what the text
// ends in, the more the longer the repetition is already.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/token.h"
#include "sample/candidates.h"
#include "sample/params.h"

namespace wisp::sample {

// What no repetition reaches across, as sequences of tokens, ready to be looked for at the end of a text.
class DryBreakers {
 public:
  explicit DryBreakers(std::vector<std::vector<TokenId>> sequences = {});

  // Tokens behind the last breaker in `window`; all of them where there is none.
  [[nodiscard]] std::size_t tokens_since(std::span<const TokenId> window) const;

 private:
  // Whether a breaker ends with the last token of `window`.
  [[nodiscard]] bool ends(std::span<const TokenId> window) const;

  std::vector<std::vector<TokenId>> reversed_;  // last token first; ascending, none twice, none empty
};

// Working memory. Allocates only for windows longer than any before and than was reserved.
struct DryScratch {
  std::vector<std::uint32_t> matches;  // [window]
};

// Subtracts multiplier * base^(n - allowed_length) from each token that would make a repetition of n >= allowed_length
// tokens one longer; of several repetitions the longest counts. Takes time linear in the window. `longest` [vocabulary]
// is zero before and after.
void apply_dry(const SamplingParams& params, const DryBreakers& breakers, std::span<const TokenId> history,
               std::span<float> logits, std::span<std::uint32_t> longest, DryScratch& scratch);
// The same for what a chain has left already.
void apply_dry(const SamplingParams& params, const DryBreakers& breakers, std::span<const TokenId> history,
               Candidates& candidates, std::span<std::uint32_t> longest, DryScratch& scratch);

}  // namespace wisp::sample
