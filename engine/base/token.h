// The one thing about tokens that everything below the tokenizer needs to know.
#pragma once

#include <cstdint>

namespace wisp {

// A row of the vocabulary. The same type as text::TokenId; negative is never a token.
using TokenId = std::int32_t;

}  // namespace wisp
