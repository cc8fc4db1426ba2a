// Regular expressions: what ECMAScript and Python share of them, without lookaround, back references, word boundaries
// and flags, which a grammar cannot hold.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
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

// What an expression matches: its node, and how many characters that can be. Where it is one character again and again
// (`[a-z]{2,5}`), `unit` is that character.
struct Pattern {
  NodeId node{};
  std::uint32_t shortest = 0, longest = 0;  // longest: kUnbounded where there is no bound
  std::optional<NodeId> unit = {};
};

// The place of an error is a byte of the pattern, from 1. Code::unsupported for what a grammar cannot hold,
// Code::invalid_argument for what is no expression.
Result<Pattern> parse_regex(std::string_view pattern, Grammar& grammar, CharClasses& classes,
                            const RegexOptions& options);

}  // namespace wisp::text::grammar
