// Texts in which certain marks do not appear: what stands between marks, up to the next of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "text/grammar/char_set.h"
#include "text/grammar/grammar.h"

namespace wisp::text::grammar {

// All texts of `allowed` characters, the empty one too, in which none of the marks appears; nor does one where any of
// them is put behind the text, but at its end. `marks` are UTF-8 and not empty. The nodes of equal arguments are made
// once: keep the object.
class FreeText {
 public:
  FreeText(Grammar& grammar, const std::vector<std::string>& marks, CharSet allowed = CharSet::all());

  [[nodiscard]] NodeId any() const { return any_; }
  // Those that are not empty and begin with a character of `first`.
  NodeId beginning_with(const CharSet& first);

 private:
  // How much of which mark has been seen, as in TriggerSearch, but by characters.
  struct Place {
    std::u32string seen;
    RuleId rule{};
    bool may_end = false;
  };
  [[nodiscard]] std::size_t behind(std::u32string seen) const;
  [[nodiscard]] bool holds_mark(const std::u32string& text) const;
  NodeId next(std::size_t place, const CharSet& allowed);

  Grammar& grammar_;
  CharSet allowed_;
  std::vector<std::u32string> marks_;
  std::vector<Place> places_;
  NodeId any_{};
};

}  // namespace wisp::text::grammar
