#include "text/grammar/token_trie.h"

#include <algorithm>
#include <utility>

namespace wisp::text::grammar {

TokenTrie::TokenTrie(const Tokenizer& tokenizer) : n_vocab_(tokenizer.vocabulary().tokens.size()) {
  constexpr std::size_t kLongest = 0xFFFF;  // what a depth can tell; longer tokens are never offered
  texts_.reserve(n_vocab_);
  for (TokenId id = 0; id < tokenizer.vocabulary().size(); ++id) texts_.push_back(tokenizer.token_bytes(id, false));
  std::vector<std::pair<std::string_view, TokenId>> texts;
  for (TokenId id = 0; id < tokenizer.vocabulary().size(); ++id) {
    const std::string_view bytes = bytes_of(id);
    if (!bytes.empty() && bytes.size() <= kLongest) texts.emplace_back(bytes, id);
  }
  std::ranges::sort(texts);

  std::vector<std::uint32_t> open;  // the nodes from the root to the last one
  const auto close = [&](std::size_t depth) {
    for (; open.size() > depth; open.pop_back()) nodes_[open.back()].end = static_cast<std::uint32_t>(nodes_.size());
  };
  std::string_view before;
  for (const auto& [bytes, id] : texts) {
    const auto differs = std::ranges::mismatch(before, bytes).in2;
    const auto shared = static_cast<std::size_t>(differs - bytes.begin());
    close(shared);
    for (std::size_t depth = shared; depth < bytes.size(); ++depth) {
      open.push_back(static_cast<std::uint32_t>(nodes_.size()));
      nodes_.push_back({.end = 0,
                        .first_token = static_cast<std::uint32_t>(tokens_.size()),
                        .depth = static_cast<std::uint16_t>(depth + 1),
                        .byte = static_cast<std::uint8_t>(bytes[depth])});
    }
    tokens_.push_back(id);
    longest_ = std::max(longest_, bytes.size());
    before = bytes;
  }
  close(0);
  nodes_.push_back({.end = 0, .first_token = static_cast<std::uint32_t>(tokens_.size()), .depth = 0, .byte = 0});
}

}  // namespace wisp::text::grammar
