// Guesses that a text goes on as it did the last time that its latest words occurred: prompt lookup
// (github.com/apoorvumang/prompt-lookup-decoding). No model, no memory to speak of; right where a text quotes, edits or
// repeats.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/token.h"

namespace wisp::runtime {

class NgramDrafter {
 public:
  // Runs of so many tokens are looked up, the longest first: shorter ones guess too often.
  static constexpr std::array<std::uint32_t, 3> kLengths = {5, 4, 3};

  // Room for a text of `tokens`, after which nothing is allocated. Of longer ones the beginning is looked at only.
  explicit NgramDrafter(std::size_t tokens);

  // Up to `most` tokens that may follow `text`, which is the text of the call before with more behind it, or another;
  // into `out`. Time: constant but for what is new.
  void propose(std::span<const TokenId> text, std::uint32_t most, std::vector<TokenId>& out);

 private:
  // Where each run ended last, and the time before: the last run of a text is the one that is looked for.
  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t last = 0, before = 0;  // positions behind the run; 0: never
  };
  void learn(std::span<const TokenId> text);
  [[nodiscard]] Slot& slot(std::uint64_t hash) { return slots_[hash & (slots_.size() - 1)]; }

  std::vector<Slot> slots_;  // a power of two; a collision forgets the older run
  std::size_t most_ = 0;     // tokens that are learned
  std::size_t learned_ = 0;
  TokenId last_learned_ = -1;
};

}  // namespace wisp::runtime
