// Remembers which tokens come out whole when their own text is merged. Nearly all words of a text are such tokens, and
// for them encoding is then one look-up. Learned as words come by: no cost at load, and the same answer in every order.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "text/token_index.h"

namespace wisp::text {

class WholeWords {
 public:
  enum State : std::uint8_t { unknown, whole, splits };

  explicit WholeWords(std::size_t tokens) : states_(tokens) {}
  // Any thread; a race only means that a state is computed twice.
  [[nodiscard]] State state(SymbolId token) const { return states_[token].load(std::memory_order_relaxed); }
  void learn(SymbolId token, bool is_whole) const {
    states_[token].store(is_whole ? whole : splits, std::memory_order_relaxed);
  }

 private:
  mutable std::vector<std::atomic<State>> states_;
};

}  // namespace wisp::text
