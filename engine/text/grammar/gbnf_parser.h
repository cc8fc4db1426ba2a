// GBNF, the grammar notation of llama.cpp:
//
//   root   ::= "yes" | "no" detail{0,3}   # alternatives, repetitions
//   detail ::= (", " [a-z]+) | <think>    # groups, character classes, tokens by their text or <[id]>
//
// A rule ends where the next `name ::=` begins, so alternatives may go on in the next line. Text begins with `root`.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "text/grammar/grammar.h"

namespace wisp::text::grammar {

// The id of the token with this text; nothing where there is none. Or, where the text is "[id]", of that id.
using FindToken = std::function<std::optional<TokenId>(std::string_view text)>;

inline constexpr std::uint32_t kMaxGbnfNesting = 100;

// Errors name line and column, from 1, columns in bytes.
Status parse_gbnf(std::string_view source, const FindToken& find_token, Grammar& grammar);

}  // namespace wisp::text::grammar
