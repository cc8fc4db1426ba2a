// The bytes of all tokens of a vocabulary, as a tree in the order of a walk: a node is followed by all that lies below
// it, so that what cannot follow is skipped in one step. Control tokens are no text and not in it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace wisp::text::grammar {

class TokenTrie {
 public:
  struct Node {
    std::uint32_t end;          // the node behind all that lies below
    std::uint32_t first_token;  // of tokens(); those of this node end where the next node's begin
    std::uint16_t depth;        // from 1
    std::uint8_t byte;
  };

  explicit TokenTrie(const Tokenizer& tokenizer);

  // One more than there are nodes: the last one only ends the list of tokens.
  [[nodiscard]] const std::vector<Node>& nodes() const { return nodes_; }
  [[nodiscard]] std::uint32_t n_nodes() const { return static_cast<std::uint32_t>(nodes_.size() - 1); }
  [[nodiscard]] const std::vector<TokenId>& tokens() const { return tokens_; }
  // The bytes that a token stands for; none for control tokens.
  [[nodiscard]] std::string_view bytes_of(TokenId token) const { return texts_[static_cast<std::size_t>(token)]; }
  [[nodiscard]] std::size_t longest() const { return longest_; }  // bytes
  [[nodiscard]] std::size_t n_vocab() const { return n_vocab_; }
  [[nodiscard]] std::size_t mask_words() const { return (n_vocab_ + 31) / 32; }

 private:
  std::vector<Node> nodes_;
  std::vector<TokenId> tokens_;
  std::vector<std::string> texts_;  // [n_vocab]
  std::size_t longest_ = 0, n_vocab_ = 0;
};

}  // namespace wisp::text::grammar
