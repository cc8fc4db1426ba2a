// The marks of a format as nodes of a grammar. What a vocabulary has a control token for is that token, since a control
// token never stands for text and text never for a control token.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/grammar/grammar.h"
#include "text/vocabulary.h"

namespace wisp::text {

class MarkSpeller {
 public:
  // Without a vocabulary all marks are text.
  MarkSpeller(grammar::Grammar& grammar, const Vocabulary* vocabulary);

  [[nodiscard]] grammar::NodeId node(std::string_view mark) const { return spell(mark, false); }
  // Also as text: for a mark whose text is known to have come, in whatever tokens.
  [[nodiscard]] grammar::NodeId either(std::string_view mark) const { return spell(mark, true); }
  // The text up to the first token that ends an answer.
  [[nodiscard]] std::string_view before_end(std::string_view text) const;

 private:
  [[nodiscard]] grammar::NodeId spell(std::string_view mark, bool text_too) const;

  grammar::Grammar& grammar_;
  std::vector<std::pair<std::string_view, TokenId>> control_;  // the longest first
  std::vector<std::string_view> ends_;
};

}  // namespace wisp::text
