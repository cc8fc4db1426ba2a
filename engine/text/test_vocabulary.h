// Vocabularies for tests, token by token.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "text/tokenizer.h"

namespace wisp::text::test {

using Ids = std::vector<TokenId>;

inline TokenId add_token(Vocabulary& vocabulary, std::string text, TokenKind kind = TokenKind::normal,
                         float score = 0) {
  vocabulary.tokens.push_back(std::move(text));
  vocabulary.kinds.push_back(kind);
  vocabulary.scores.push_back(score);
  return vocabulary.size() - 1;
}

inline std::unique_ptr<Tokenizer> make_tokenizer(Vocabulary vocabulary) {
  return Tokenizer::create(std::move(vocabulary)).value();
}

inline Ids encode(const Tokenizer& tokenizer, std::string_view text, EncodeOptions options = {}) {
  return tokenizer.encode(text, options).value();
}

}  // namespace wisp::text::test
