// WordPiece, as BERT has it: text is normalised and cut at white space, punctuation and Chinese characters; a word is
// the longest tokens it starts with, one behind the other. Tokens that start a word are spelled with U+2581 in front.
#pragma once

#include "text/byte_trie.h"
#include "text/token_index.h"
#include "text/tokenizer.h"

namespace wisp::text {

class WpmTokenizer final : public Tokenizer {
 public:
  explicit WpmTokenizer(Vocabulary vocabulary);

 private:
  void encode_plain(std::string_view text, std::vector<TokenId>& out) const override;
  void append_plain(TokenId id, std::string& out) const override;
  // A word with U+2581 in front; one that tokens do not cover to its end is unknown as a whole.
  void encode_word(std::string_view word, std::vector<TokenId>& out) const;

  TokenIndex index_;  // nearly all words are one token: one look-up
  ByteTrie tokens_;
};

}  // namespace wisp::text
