// Regular expressions: what ECMAScript and Python share of them, without lookaround, back references, word boundaries
// and flags, which a grammar cannot hold.
#pragma once

#include <functional>
#include <string_view>

#include "base/result.h"
#include "text/grammar/char_set.h"
#include "text/grammar/grammar.h"

namespace wisp::text::grammar {

struct RegexOptions {
  // A match anywhere in the text is enough, unless ^ and $ say otherwise (JSON schemas); else the whole text matches.
  bool search = false;
  // How one character of a set is spelled; UTF-8 where it is empty.
  std::function<NodeId(const CharSet&)> spell = {};
};

inline constexpr std::uint32_t kMaxRegexNesting = 100;
inline constexpr std::uint32_t kMaxRepetitions = 1'000'000;

// The place of an error is a byte of the pattern, from 1. Code::unsupported for what a grammar cannot hold,
// Code::invalid_argument for what is no expression.
Result<NodeId> parse_regex(std::string_view pattern, Grammar& grammar, CharClasses& classes,
                           const RegexOptions& options);

}  // namespace wisp::text::grammar
