// Finds the tokens whose text is taken literally (control, user-defined) inside a text: leftmost first, longest first.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "text/vocabulary.h"

namespace wisp::text {

class SpecialTokens {
 public:
  // Longer texts are not looked for, so that a hostile vocabulary cannot make the search slow. Real ones stay below
  // 100.
  static constexpr std::size_t kMaxBytes = 512;

  explicit SpecialTokens(const Vocabulary& vocabulary);

  struct Match {
    std::size_t start = 0, length = 0;  // bytes of the text
    TokenId id = -1;
  };
  // The first at or after `from`; control tokens only when `control`, and none that has one of `plain_ends` (ascending
  // offsets) behind one of its bytes. Nothing when there is none.
  [[nodiscard]] std::optional<Match> find(std::string_view text, std::size_t from, bool control,
                                          std::span<const std::size_t> plain_ends) const;

 private:
  struct Entry {
    std::string text;
    TokenId id;
    bool control;  // only found when control tokens are asked for
  };
  // Control tokens up to `control_bytes` long, others of any length.
  [[nodiscard]] std::optional<Match> longest_at(std::string_view text, std::size_t at, std::size_t control_bytes) const;

  std::vector<Entry> entries_;  // sorted by text, each once
  // Entries that start with a byte: [first, second) of entries_, and whether one of them is not a control token.
  std::array<std::pair<std::uint32_t, std::uint32_t>, 256> by_first_byte_{};
  std::array<bool, 256> starts_plain_{};
};

}  // namespace wisp::text
