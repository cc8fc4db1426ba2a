// RWKV's world tokenizer: from left to right the longest token that the text goes on with. Tokens are bytes, spelled
// with escapes: \t \n \r \xHH, and any other character behind a backslash for itself.
#pragma once

#include "text/byte_trie.h"
#include "text/tokenizer.h"

namespace wisp::text {

class RwkvTokenizer final : public Tokenizer {
 public:
  explicit RwkvTokenizer(Vocabulary vocabulary);

 private:
  void encode_plain(std::string_view text, std::vector<TokenId>& out) const override;
  void append_plain(TokenId id, std::string& out) const override;

  std::vector<std::string> bytes_;  // by token
  ByteTrie tokens_;
};

}  // namespace wisp::text
