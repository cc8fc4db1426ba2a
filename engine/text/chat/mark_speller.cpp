#include "text/chat/mark_speller.h"

#include <algorithm>

namespace wisp::text {

using grammar::NodeId;

MarkSpeller::MarkSpeller(grammar::Grammar& grammar, const Vocabulary* vocabulary) : grammar_(grammar) {
  if (vocabulary == nullptr) return;
  for (TokenId id = 0; id < vocabulary->size(); ++id) {
    const std::string& text = vocabulary->tokens[static_cast<std::size_t>(id)];
    if (vocabulary->kinds[static_cast<std::size_t>(id)] == TokenKind::control && !text.empty()) {
      control_.emplace_back(text, id);
    }
  }
  std::ranges::sort(control_, [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
  for (const TokenId id : vocabulary->end_of_generation) {
    ends_.emplace_back(vocabulary->tokens[static_cast<std::size_t>(id)]);
  }
}

std::string_view MarkSpeller::before_end(std::string_view text) const {
  for (const std::string_view end : ends_) {
    if (!end.empty()) text = text.substr(0, text.find(end));
  }
  return text;
}

NodeId MarkSpeller::spell(std::string_view mark, bool text_too) const {
  std::vector<NodeId> parts;
  while (!mark.empty()) {
    // The control token that comes first; of several at one place the longest.
    std::size_t at = mark.size();
    const std::pair<std::string_view, TokenId>* next = nullptr;
    for (const auto& token : control_) {
      const std::size_t found = mark.find(token.first);
      if (found < at) {
        at = found;
        next = &token;
      }
    }
    parts.push_back(grammar_.literal(mark.substr(0, at)));
    if (next == nullptr) break;
    const NodeId token = grammar_.token(next->second);
    parts.push_back(text_too ? grammar_.choice({token, grammar_.literal(next->first)}) : token);
    mark.remove_prefix(at + next->first.size());
  }
  return grammar_.sequence(parts);
}

}  // namespace wisp::text
