// A grammar as a pushdown machine: instructions for reading a text byte by byte, several ways at once. A rule is called
// with the place to return to on a stack (none where the call is the last thing a rule does, so that lists written by
// recursion need no stack); a repetition with large bounds counts on the stack instead of being written out.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/token.h"
#include "text/grammar/byte_set.h"
#include "text/grammar/grammar.h"

namespace wisp::text::grammar {

enum class Op : std::uint8_t {
  byte,      // reads a byte of set `a`, goes on at `next`
  token,     // reads the token `a`, goes on at `next`
  split,     // goes on at each of targets [a, a + b)
  call,      // goes on at `a`, having put `next` on the stack
  jump,      // goes on at `next`
  back,      // takes a place from the stack and goes on there; with an empty stack the text may end
  loop,      // begins loop `a`
  loop_end,  // one round of the innermost loop is done
};

struct Instruction {
  Op op = Op::split;
  std::uint32_t a = 0, b = 0, next = 0;
};

// Between `min` and `max` rounds of `body`, none of which is the empty text; then `next`.
struct Loop {
  std::uint32_t body, min, max, next;
};

struct Machine {
  std::vector<Instruction> code;
  std::vector<std::uint32_t> targets;
  std::vector<ByteSet> sets;
  std::vector<Loop> loops;
  std::uint32_t start = 0;
};

inline constexpr std::size_t kMaxInstructions = 1u << 21;

// Code::limit for a grammar that is too large, Code::invalid_argument for one that no text can match, or that calls a
// rule before it reads anything (left recursion), naming the rules.
Result<Machine> compile(Grammar grammar);

// Of each node, whether there is a text that it matches.
std::vector<bool> can_match(const Grammar& grammar, std::span<const NodeId> nodes);

}  // namespace wisp::text::grammar
