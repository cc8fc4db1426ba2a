#include "text/grammar/machine.h"

#include <algorithm>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>

namespace wisp::text::grammar {
namespace {

// Repetitions of up to this many instructions are written out; larger ones count.
constexpr std::uint64_t kMostWrittenOut = 48;

// What is known of each rule: whether it matches any text, and the empty one.
class RuleFacts {
 public:
  explicit RuleFacts(const Grammar& grammar)
      : grammar_(grammar), productive_(grammar.n_rules(), 0), nullable_(grammar.n_rules(), 0) {
    settle(productive_, [this](NodeId id) { return productive(id); });
    settle(nullable_, [this](NodeId id) { return nullable(id); });
  }

  [[nodiscard]] bool productive(NodeId id) const {
    const Node& node = grammar_.node(id);
    const auto is = [this](NodeId part) { return productive(part); };
    switch (node.kind) {
      case NodeKind::never: return false;
      case NodeKind::empty:
      case NodeKind::literal:
      case NodeKind::byte:
      case NodeKind::token: return true;
      case NodeKind::sequence: return std::ranges::all_of(grammar_.parts_of(node), is);
      case NodeKind::choice: return std::ranges::any_of(grammar_.parts_of(node), is);
      case NodeKind::repeat: return node.min == 0 || productive(NodeId{node.first});
      case NodeKind::rule: return productive_[node.first] != 0;
    }
    return false;
  }
  [[nodiscard]] bool nullable(NodeId id) const {
    const Node& node = grammar_.node(id);
    const auto is = [this](NodeId part) { return nullable(part); };
    switch (node.kind) {
      case NodeKind::empty: return true;
      case NodeKind::never:
      case NodeKind::literal:
      case NodeKind::byte:
      case NodeKind::token: return false;
      case NodeKind::sequence: return std::ranges::all_of(grammar_.parts_of(node), is);
      case NodeKind::choice: return std::ranges::any_of(grammar_.parts_of(node), is);
      case NodeKind::repeat: return node.min == 0 || nullable(NodeId{node.first});
      case NodeKind::rule: return node.first < nullable_.size() && nullable_[node.first] != 0;
    }
    return false;
  }

 private:
  // A rule's answer can only change from no to yes, and then matters to the rules that use it: each is asked again
  // when one of them changed.
  template <class Ask>
  void settle(std::vector<char>& known, Ask ask) {
    std::vector<std::vector<std::uint32_t>> users(grammar_.n_rules());
    std::deque<std::uint32_t> waiting;
    std::vector<char> waits(grammar_.n_rules(), 1);
    for (std::uint32_t rule = 0; rule < grammar_.n_rules(); ++rule) {
      waiting.push_back(rule);
      note_uses(grammar_.rule_of(RuleId{rule}).body, rule, users);
    }
    while (!waiting.empty()) {
      const std::uint32_t rule = waiting.front();
      waiting.pop_front();
      waits[rule] = 0;
      if (known[rule] != 0 || !ask(grammar_.rule_of(RuleId{rule}).body)) continue;
      known[rule] = 1;
      for (const std::uint32_t user : users[rule]) {
        if (std::exchange(waits[user], 1) == 0) waiting.push_back(user);
      }
    }
  }
  void note_uses(NodeId id, std::uint32_t user, std::vector<std::vector<std::uint32_t>>& users) const {
    const Node& node = grammar_.node(id);
    switch (node.kind) {
      case NodeKind::sequence:
      case NodeKind::choice:
        for (const NodeId part : grammar_.parts_of(node)) note_uses(part, user, users);
        return;
      case NodeKind::repeat: return note_uses(NodeId{node.first}, user, users);
      case NodeKind::rule:
        if (users[node.first].empty() || users[node.first].back() != user) users[node.first].push_back(user);
        return;
      default: return;
    }
  }

  const Grammar& grammar_;
  std::vector<char> productive_, nullable_;
};

// Finds a rule that leads back to itself before anything is read.
class LeftRecursion {
 public:
  LeftRecursion(const Grammar& grammar, const RuleFacts& facts)
      : grammar_(grammar), facts_(facts), colour_(grammar.n_rules(), Colour::white) {}

  // "a -> b -> a", or nothing.
  std::string find() {
    for (std::uint32_t rule = 0; rule < grammar_.n_rules(); ++rule) {
      if (colour_[rule] == Colour::white && visit(rule)) return describe();
    }
    return {};
  }

 private:
  enum class Colour : std::uint8_t { white, grey, black };
  struct Visit {
    std::uint32_t rule;
    std::vector<std::uint32_t> leads_to;
    std::size_t next = 0;
  };

  void collect(NodeId id, std::vector<std::uint32_t>& rules) const {
    if (!facts_.productive(id)) return;
    const Node& node = grammar_.node(id);
    switch (node.kind) {
      case NodeKind::sequence:
        for (const NodeId part : grammar_.parts_of(node)) {
          collect(part, rules);
          if (!facts_.nullable(part)) return;
        }
        return;
      case NodeKind::choice:
        for (const NodeId part : grammar_.parts_of(node)) collect(part, rules);
        return;
      case NodeKind::repeat: return collect(NodeId{node.first}, rules);
      case NodeKind::rule: rules.push_back(node.first); return;
      default: return;
    }
  }
  Visit begin(std::uint32_t rule) {
    colour_[rule] = Colour::grey;
    Visit visit{rule, {}};
    collect(grammar_.rule_of(RuleId{rule}).body, visit.leads_to);
    return visit;
  }
  bool visit(std::uint32_t first) {
    path_.clear();
    path_.push_back(begin(first));
    while (!path_.empty()) {
      Visit& top = path_.back();
      if (top.next == top.leads_to.size()) {
        colour_[top.rule] = Colour::black;
        path_.pop_back();
        continue;
      }
      const std::uint32_t rule = top.leads_to[top.next++];
      if (colour_[rule] == Colour::grey) {
        back_to_ = rule;
        return true;
      }
      if (colour_[rule] == Colour::white) path_.push_back(begin(rule));
    }
    return false;
  }
  [[nodiscard]] std::string describe() const {
    constexpr std::size_t kMostNames = 8;
    auto from = std::ranges::find(path_, back_to_, &Visit::rule);
    std::string names;
    for (std::size_t n = 0; from != path_.end() && n < kMostNames; ++from, ++n) {
      names += printable(grammar_.rule_of(RuleId{from->rule}).name);
      names += " -> ";
    }
    if (from != path_.end()) names += "... -> ";
    names += printable(grammar_.rule_of(RuleId{back_to_}).name);
    return names;
  }

  const Grammar& grammar_;
  const RuleFacts& facts_;
  std::vector<Colour> colour_;
  std::vector<Visit> path_;
  std::uint32_t back_to_ = 0;
};

// Writes the instructions from the end of each rule to its start: a node becomes code that goes on at `next`.
class Compiler {
 public:
  Compiler(Grammar& grammar, const RuleFacts& facts) : grammar_(grammar), facts_(facts) {}

  Result<Machine> compile() {
    emit({.op = Op::split});  // kDead: nowhere to go on
    emit({.op = Op::back});   // kBack
    machine_.start = build(grammar_.root(), kBack);
    while (!waiting_.empty() && !too_large_) {
      const auto [rule, entry] = waiting_.back();
      waiting_.pop_back();
      const std::uint32_t body = build(grammar_.rule_of(RuleId{rule}).body, kBack);
      machine_.code[entry].next = body;
    }
    if (too_large_ || grammar_.too_large()) {
      return fail(Code::limit, "the grammar is too large: more than {} instructions", kMaxInstructions);
    }
    return std::move(machine_);
  }

 private:
  static constexpr std::uint32_t kDead = 0, kBack = 1;

  std::uint32_t emit(Instruction instruction) {
    if (machine_.code.size() >= kMaxInstructions) {
      too_large_ = true;
      return kDead;
    }
    machine_.code.push_back(instruction);
    return static_cast<std::uint32_t>(machine_.code.size() - 1);
  }
  // Equal bytes before an equal end are one instruction.
  std::uint32_t emit_byte(const ByteSet& set, std::uint32_t next) {
    const auto [known_set, new_set] =
        set_ids_.try_emplace(set_key(set), static_cast<std::uint32_t>(machine_.sets.size()));
    if (new_set) machine_.sets.push_back(set);
    const std::uint64_t key = std::uint64_t{known_set->second} << 32 | next;
    const auto known = bytes_.find(key);
    if (known != bytes_.end()) return known->second;
    return bytes_[key] = emit({.op = Op::byte, .a = known_set->second, .next = next});
  }
  static std::string set_key(const ByteSet& set) {
    std::string key;
    for (const std::uint64_t word : set.words) {
      for (unsigned shift = 0; shift < 64; shift += 8) key.push_back(static_cast<char>(word >> shift & 0xFFu));
    }
    return key;
  }
  std::uint32_t emit_split(const std::vector<std::uint32_t>& targets) {
    const auto first = static_cast<std::uint32_t>(machine_.targets.size());
    machine_.targets.insert(machine_.targets.end(), targets.begin(), targets.end());
    return emit({.op = Op::split, .a = first, .b = static_cast<std::uint32_t>(targets.size())});
  }

  std::uint32_t build(NodeId id, std::uint32_t next) {
    if (too_large_ || !facts_.productive(id)) return kDead;
    const Node node = grammar_.node(id);  // a copy: nodes are added below
    switch (node.kind) {
      case NodeKind::never: return kDead;
      case NodeKind::empty: return next;
      case NodeKind::literal: return build_literal(grammar_.bytes_of(node), next);
      case NodeKind::byte: return emit_byte(grammar_.set_of(node), next);
      case NodeKind::token: return emit({.op = Op::token, .a = node.first, .next = next});
      case NodeKind::sequence:
        for (std::uint32_t i = node.count; i-- > 0;) next = build(grammar_.parts_of(node)[i], next);
        return next;
      case NodeKind::choice: {
        std::vector<std::uint32_t> targets;
        for (std::uint32_t i = 0; i < node.count; ++i) {
          const std::uint32_t target = build(grammar_.parts_of(node)[i], next);
          if (target != kDead) targets.push_back(target);
        }
        return targets.size() == 1 ? targets.front() : emit_split(targets);
      }
      case NodeKind::repeat: return build_repeat(node, next);
      case NodeKind::rule: {
        const std::uint32_t entry = entry_of(node.first);
        if (next == kBack) return entry;  // the last thing that this rule does
        return emit({.op = Op::call, .a = entry, .next = next});
      }
    }
    return kDead;
  }

  std::uint32_t build_literal(std::string_view bytes, std::uint32_t next) {
    for (std::size_t i = bytes.size(); i-- > 0;) {
      ByteSet set;
      set.add(static_cast<std::uint8_t>(bytes[i]));
      next = emit_byte(set, next);
    }
    return next;
  }

  std::uint32_t entry_of(std::uint32_t rule) {
    const auto known = entries_.find(rule);
    if (known != entries_.end()) return known->second;
    const std::uint32_t entry = emit({.op = Op::jump, .next = kDead});
    entries_[rule] = entry;
    if (!too_large_) waiting_.emplace_back(rule, entry);
    return entry;
  }

  std::uint32_t build_star(NodeId body, std::uint32_t next) {
    const auto first = static_cast<std::uint32_t>(machine_.targets.size());
    machine_.targets.insert(machine_.targets.end(), {kDead, next});
    const std::uint32_t split = emit({.op = Op::split, .a = first, .b = 2});
    const std::uint32_t target = build(body, split);
    machine_.targets[first] = target;
    return split;
  }

  std::uint32_t build_repeat(Node node, std::uint32_t next) {
    NodeId body{node.first};
    if (!facts_.productive(body)) return next;  // min is 0
    if (node.min == 0 && node.max == 1) {
      const std::uint32_t once = build(body, next);
      return emit_split({once, next});
    }
    if (node.min == 0 && node.max == kUnbounded) return build_star(body, next);
    // Empty rounds would let a count rise without end; where there are some, fewer full ones do as well.
    if (facts_.nullable(body)) {
      body = filled(body, 0);
      node.min = 0;
      if (!facts_.productive(body)) return next;
      if (node.max == kUnbounded) return build_star(body, next);
    }
    flatten(body, node);
    const std::uint64_t rounds = node.max == kUnbounded ? std::uint64_t{node.min} + 1 : node.max;
    if (rounds * size_of(body) <= kMostWrittenOut) return write_out(body, node, next);
    const auto loop = static_cast<std::uint32_t>(machine_.loops.size());
    machine_.loops.push_back({kDead, node.min, node.max, next});
    const std::uint32_t end = emit({.op = Op::loop_end});
    const std::uint32_t target = build(body, end);
    machine_.loops[loop].body = target;
    return emit({.op = Op::loop, .a = loop});
  }

  // (x{1,3}){2,5} is x{2,15}: counts inside each other would multiply the ways to read a text.
  void flatten(NodeId& body, Node& node) const {
    while (grammar_.node(body).kind == NodeKind::repeat && grammar_.node(body).min == 1) {
      const Node& inner = grammar_.node(body);
      const bool bounded = node.max != kUnbounded && inner.max != kUnbounded;
      const std::uint64_t most = std::uint64_t{node.max} * inner.max;
      node.max = bounded && most < kUnbounded ? static_cast<std::uint32_t>(most) : kUnbounded;
      body = NodeId{inner.first};
    }
  }

  std::uint32_t write_out(NodeId body, const Node& node, std::uint32_t next) {
    std::uint32_t entry = next;
    if (node.max == kUnbounded) {
      entry = build_star(body, next);
    } else {
      for (std::uint32_t i = node.min; i < node.max; ++i) {
        const std::uint32_t once = build(body, entry);
        entry = emit_split({once, next});
      }
    }
    for (std::uint32_t i = 0; i < node.min; ++i) entry = build(body, entry);
    return entry;
  }

  // An estimate of the instructions, a call counting as one.
  std::uint64_t size_of(NodeId id) const {
    const Node& node = grammar_.node(id);
    switch (node.kind) {
      case NodeKind::never:
      case NodeKind::empty: return 0;
      case NodeKind::literal: return node.count;
      case NodeKind::byte:
      case NodeKind::token:
      case NodeKind::rule: return 1;
      case NodeKind::repeat: {
        const std::uint64_t rounds = node.max == kUnbounded ? std::uint64_t{node.min} + 1 : node.max;
        return std::min<std::uint64_t>(rounds * size_of(NodeId{node.first}), kMostWrittenOut) + 1;
      }
      case NodeKind::sequence:
      case NodeKind::choice: break;
    }
    std::uint64_t sum = 1;
    for (const NodeId part : grammar_.parts_of(node)) {
      if (sum > kMostWrittenOut) break;
      sum += size_of(part);
    }
    return sum;
  }

  // ---- nodes without their empty text ----

  // What `id` matches but for the empty text.
  NodeId filled(NodeId id, std::uint32_t depth) {
    constexpr std::uint32_t kDeepest = 1000;
    if (!facts_.nullable(id)) return id;
    if (depth > kDeepest) too_large_ = true;
    if (too_large_) return grammar_.never();
    const auto known = filled_.find(id);
    if (known != filled_.end()) return known->second;
    const NodeId made = make_filled(id, depth + 1);
    filled_[id] = made;
    return made;
  }
  NodeId make_filled(NodeId id, std::uint32_t depth) {
    const Node node = grammar_.node(id);
    switch (node.kind) {
      case NodeKind::sequence: {
        // All parts can be empty: the first that is not may be any of them.
        const std::vector<NodeId> parts(grammar_.parts_of(node).begin(), grammar_.parts_of(node).end());
        std::vector<NodeId> ways;
        for (std::size_t i = 0; i < parts.size(); ++i) {
          std::vector<NodeId> way = {filled(parts[i], depth)};
          way.insert(way.end(), parts.begin() + static_cast<std::ptrdiff_t>(i) + 1, parts.end());
          ways.push_back(grammar_.sequence(way));
        }
        return grammar_.choice(ways);
      }
      case NodeKind::choice: {
        const std::vector<NodeId> parts(grammar_.parts_of(node).begin(), grammar_.parts_of(node).end());
        std::vector<NodeId> ways;
        for (const NodeId part : parts) ways.push_back(filled(part, depth));
        return grammar_.choice(ways);
      }
      case NodeKind::repeat: return grammar_.repeat(filled(NodeId{node.first}, depth), 1, node.max);
      case NodeKind::rule: {
        // Without left recursion the rule's body leads to other rules, never back here.
        return filled(grammar_.rule_of(RuleId{node.first}).body, depth);
      }
      default: return grammar_.never();
    }
  }

  Grammar& grammar_;
  const RuleFacts& facts_;
  Machine machine_;
  bool too_large_ = false;
  std::unordered_map<std::uint32_t, std::uint32_t> entries_;      // of rules
  std::vector<std::pair<std::uint32_t, std::uint32_t>> waiting_;  // rules that are called and not written yet
  std::unordered_map<std::string, std::uint32_t> set_ids_;
  std::unordered_map<std::uint64_t, std::uint32_t> bytes_;
  std::unordered_map<NodeId, NodeId> filled_;
};

}  // namespace

std::vector<bool> can_match(const Grammar& grammar, std::span<const NodeId> nodes) {
  const RuleFacts facts(grammar);
  std::vector<bool> can;
  for (const NodeId node : nodes) can.push_back(facts.productive(node));
  return can;
}

Result<Machine> compile(Grammar grammar) {
  if (grammar.too_large()) {
    return fail(Code::limit, "the grammar is too large: more than {} expressions or {} rules, or nested over {} deep",
                kMaxNodes, kMaxRules, kMaxNodeDepth);
  }
  const RuleFacts facts(grammar);
  if (!facts.productive(grammar.root())) {
    return fail(Code::invalid_argument, "no text can ever match: every way through the grammar goes on without end");
  }
  const std::string circle = LeftRecursion(grammar, facts).find();
  if (!circle.empty()) {
    return fail(Code::invalid_argument,
                "left recursion: {} leads back to itself before it reads anything; put what repeats behind", circle);
  }
  return Compiler(grammar, facts).compile();
}

}  // namespace wisp::text::grammar
