// Texts that start a grammar when they appear: finds the first of them to be complete, however its bytes are cut into
// tokens (the automaton of Aho and Corasick).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace wisp::text::grammar {

class TriggerSearch {
 public:
  using Place = std::uint16_t;  // how much of which text has been seen; 0: nothing
  static constexpr std::size_t kMostBytes = 1024;

  // Code::invalid_argument for an empty text, Code::limit for more than kMostBytes of them.
  static Result<TriggerSearch> create(const std::vector<std::string>& texts);

  [[nodiscard]] Place next(Place place, std::uint8_t byte) const { return next_[std::size_t{place} * 256 + byte]; }
  // The text that is complete here; of several the longest.
  [[nodiscard]] std::optional<std::uint32_t> complete(Place place) const {
    return complete_[place] < 0 ? std::nullopt : std::optional(static_cast<std::uint32_t>(complete_[place]));
  }

 private:
  std::vector<Place> next_;             // [places, 256]
  std::vector<std::int32_t> complete_;  // [places], -1 where none is
};

}  // namespace wisp::text::grammar
