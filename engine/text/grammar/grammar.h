// What every front end (GBNF, regular expressions, JSON schemas) makes and the machine (machine.h) is compiled from: a
// context-free grammar over bytes. Expressions are nodes, built bottom up and shared where they are equal; rules are
// names for nodes and may refer to each other in circles.
//
//   Grammar grammar;
//   const RuleId digits = grammar.declare("digits");
//   grammar.define(digits, grammar.plus(grammar.chars({{U'0', U'9'}})));
//   grammar.set_root(grammar.sequence({grammar.literal("v"), grammar.rule(digits)}));
//
// Building never fails: what would pass the limits becomes `never`, and too_large() then says so.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/token.h"
#include "text/grammar/byte_set.h"
#include "text/grammar/char_set.h"

namespace wisp::text::grammar {

enum class NodeId : std::uint32_t {};
enum class RuleId : std::uint32_t {};

inline constexpr std::uint32_t kUnbounded = std::numeric_limits<std::uint32_t>::max();
inline constexpr std::size_t kMaxNodes = 1u << 20, kMaxRules = 1u << 16, kMaxParts = 1u << 22;
// Expressions inside each other; rules start anew.
inline constexpr std::uint32_t kMaxNodeDepth = 400;

enum class NodeKind : std::uint8_t {
  never,     // no text at all
  empty,     // the empty text
  literal,   // the bytes literals [first, first + count)
  byte,      // one byte out of set `first`
  token,     // the token `first`, whatever its text
  sequence,  // parts [first, first + count), one after the other
  choice,    // one of parts [first, first + count)
  repeat,    // node `first`, min to max times
  rule,      // rule `first`
};

struct Node {
  NodeKind kind = NodeKind::never;
  std::uint32_t first = 0, count = 0, min = 0, max = 0;
  std::uint32_t depth = 0;  // of nodes below
};

struct Rule {
  std::string name;  // for messages
  NodeId body{};     // `never` until it is defined
};

class Grammar {
 public:
  Grammar();

  [[nodiscard]] NodeId never() const { return NodeId{0}; }
  [[nodiscard]] NodeId empty() const { return NodeId{1}; }
  NodeId literal(std::string_view bytes);
  NodeId byte(const ByteSet& set);
  // One character of the set, in UTF-8.
  NodeId chars(const CharSet& set);
  NodeId token(TokenId id);
  NodeId sequence(std::span<const NodeId> parts);
  NodeId sequence(std::initializer_list<NodeId> parts) { return sequence(std::span(parts.begin(), parts.size())); }
  NodeId choice(std::span<const NodeId> parts);
  NodeId choice(std::initializer_list<NodeId> parts) { return choice(std::span(parts.begin(), parts.size())); }
  // min <= max, or kUnbounded.
  NodeId repeat(NodeId node, std::uint32_t min, std::uint32_t max);
  NodeId optional(NodeId node) { return repeat(node, 0, 1); }
  NodeId star(NodeId node) { return repeat(node, 0, kUnbounded); }
  NodeId plus(NodeId node) { return repeat(node, 1, kUnbounded); }
  NodeId rule(RuleId id);

  RuleId declare(std::string_view name);
  void define(RuleId id, NodeId body) { rules_[static_cast<std::size_t>(id)].body = body; }
  void set_root(NodeId root) { root_ = root; }

  [[nodiscard]] NodeId root() const { return root_; }
  [[nodiscard]] const Node& node(NodeId id) const { return nodes_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] std::size_t n_nodes() const { return nodes_.size(); }
  [[nodiscard]] const Rule& rule_of(RuleId id) const { return rules_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] std::size_t n_rules() const { return rules_.size(); }
  [[nodiscard]] std::string_view bytes_of(const Node& node) const {
    return std::string_view(literals_).substr(node.first, node.count);
  }
  [[nodiscard]] const ByteSet& set_of(const Node& node) const { return sets_[node.first]; }
  [[nodiscard]] std::span<const NodeId> parts_of(const Node& node) const {
    return std::span(parts_).subspan(node.first, node.count);
  }
  [[nodiscard]] bool too_large() const { return too_large_; }

 private:
  NodeId refuse();
  NodeId add(Node node, std::string_view key);
  NodeId add_parts(NodeKind kind, std::span<const NodeId> parts);
  // What follows a lead byte: `ranges` are numbers of k continuation bytes, 6 bits each.
  NodeId continuations(std::span<const CharRange> ranges, unsigned k);

  std::vector<Node> nodes_;
  std::vector<NodeId> parts_;
  std::vector<ByteSet> sets_;
  std::string literals_;
  std::vector<Rule> rules_;
  std::unordered_map<std::string, NodeId> known_;  // by what they are made of
  NodeId root_{0};
  bool too_large_ = false;
};

}  // namespace wisp::text::grammar
