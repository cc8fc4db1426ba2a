// The sequences of tokens in which a vocabulary spells a text, for those who look for the text among tokens: DRY's
// sequence breakers.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/tokenizer.h"

namespace wisp::text {

// Bytes of a text that spellings are looked for.
inline constexpr std::size_t kMaxSpelledBytes = 64;

// Sequences whose last token completes `text`: each token that holds all of it, and each token that ends in a start of
// it followed by the tokens of the rest, as the tokenizer cuts it and as the longest tokens that fit cover it. No
// sequence has more tokens than the text has bytes. Code::invalid_argument for an empty text, Code::limit for a long
// one.
Result<std::vector<std::vector<TokenId>>> spellings(const Tokenizer& tokenizer, std::string_view text);

}  // namespace wisp::text
