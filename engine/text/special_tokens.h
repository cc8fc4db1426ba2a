// Finds the tokens whose text is taken literally (control, user-defined) inside a text: of all that occur the longest
// is cut out first (of equally long ones that of the lowest id), everywhere from left to right, then the next in what
// is left. Some swallow the white space around them.
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
  // Ascending, not overlapping; a match covers the white space that its token swallows. Control tokens only when
  // `control`, and none that has one of `plain_ends` (ascending offsets) behind one of its bytes. At most kMaxBytes
  // passes over the places where a token occurs, whatever the text.
  [[nodiscard]] std::vector<Match> find_all(std::string_view text, bool control,
                                            std::span<const std::size_t> plain_ends) const;
  // The first place at or after `from` where a control token is spelled, the longest there.
  [[nodiscard]] std::optional<Match> find_control(std::string_view text, std::size_t from) const;

 private:
  struct Entry {
    std::string text;
    TokenId id;
    bool control;                    // only found when control tokens are asked for
    bool strip_before, strip_after;  // swallows white space there
  };
  // Where tokens start.
  struct Place {
    std::size_t start;
    std::size_t control_bytes;  // control tokens up to this length may start here
    std::size_t longest;        // bytes of the longest that does
  };
  [[nodiscard]] std::vector<Place> places(std::string_view text, bool control,
                                          std::span<const std::size_t> plain_ends) const;
  // Control tokens up to `control_bytes` long, and, where `plain`, others of any length; nullptr where there is none.
  [[nodiscard]] const Entry* longest_at(std::string_view text, std::size_t at, std::size_t control_bytes,
                                        bool plain) const;
  [[nodiscard]] const Entry* find(std::string_view text) const;

  std::vector<Entry> entries_;        // sorted by text, each once
  std::vector<std::size_t> lengths_;  // of their texts, descending, each once
  // Entries that start with a byte: [first, second) of entries_, and whether one of them is not a control token.
  std::array<std::pair<std::uint32_t, std::uint32_t>, 256> by_first_byte_{};
  std::array<bool, 256> starts_plain_{};
};

}  // namespace wisp::text
