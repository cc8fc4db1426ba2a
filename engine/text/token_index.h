// From a token's bytes to its number: an open-addressing table over one arena of bytes, so that looking up a word costs
// one hash and, nearly always, one comparison.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace wisp::text {

// A symbol is a token (its id), or one of the intermediate pieces that only merges know (numbered behind the tokens).
using SymbolId = std::uint32_t;
inline constexpr SymbolId kNoSymbol = UINT32_MAX;

class TokenIndex {
 public:
  // Room for this many texts and bytes, so that filling does not move anything. All texts together stay below 4 GiB
  // (kMaxVocabularyBytes and as much again for merges).
  void reserve(std::size_t texts, std::size_t bytes);

  // Numbers the text with the next number, hidden from find() when it is empty, not `findable` or there already (the
  // first one keeps it).
  SymbolId add(std::string_view text, bool findable = true);
  [[nodiscard]] SymbolId find(std::string_view text) const;  // kNoSymbol when absent

  [[nodiscard]] std::string_view text(SymbolId id) const {
    return std::string_view(bytes_).substr(starts_[id], starts_[id + 1] - starts_[id]);
  }
  [[nodiscard]] std::size_t size() const { return starts_.size() - 1; }
  [[nodiscard]] std::size_t longest() const { return longest_; }  // bytes of the longest findable text

 private:
  struct Slot {
    std::uint32_t hash = 0;
    SymbolId id = kNoSymbol;
  };
  // The slot that holds the text, or the free one where it would go.
  [[nodiscard]] std::size_t slot_of(std::string_view text, std::uint32_t hash) const;
  void grow(std::size_t slots);

  std::string bytes_;                                // all texts, one after the other
  std::vector<std::uint32_t> starts_ = {0};          // into bytes_, one more than texts
  std::vector<Slot> slots_ = std::vector<Slot>(16);  // a power of two, at most half full
  std::size_t used_ = 0;
  std::size_t longest_ = 0;
};

}  // namespace wisp::text
