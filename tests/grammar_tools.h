// Grammars in tests: whether a text is one of theirs, by the machine and by a naive reader.
#pragma once

#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "text/grammar/automaton.h"
#include "text/grammar/compile.h"
#include "text/grammar/grammar.h"

namespace wisp::test {

enum class Verdict : std::uint8_t { accepted, incomplete, rejected };

inline Verdict read_with(text::grammar::Automaton& automaton, std::string_view text) {
  auto state = automaton.start();
  if (!state) throw std::runtime_error(state.error().message);
  for (const char c : text) {
    *state = automaton.next(*state, static_cast<std::uint8_t>(c));
    if (auto failure = automaton.failure(); !failure) throw std::runtime_error(failure.error().message);
    if (*state == text::grammar::kDeadState) return Verdict::rejected;
  }
  return automaton.may_end(*state) ? Verdict::accepted : Verdict::incomplete;
}

inline Verdict read_with(text::grammar::Notation notation, std::string_view source, std::string_view text) {
  auto machine = text::grammar::compile_machine(notation, source);
  if (!machine) throw std::runtime_error(machine.error().message);
  text::grammar::Automaton automaton(std::move(*machine), 8);
  return read_with(automaton, text);
}

// The places at which each expression may end, by trying everything. Only for grammars without left recursion.
class NaiveReader {
 public:
  NaiveReader(const text::grammar::Grammar& grammar, std::string_view text) : grammar_(grammar), text_(text) {}
  bool accepts() { return ends(grammar_.root(), 0).contains(text_.size()); }

 private:
  using Ends = std::set<std::size_t>;
  Ends ends(text::grammar::NodeId id, std::size_t from) {
    const auto key = std::pair(id, from);
    if (const auto known = known_.find(key); known != known_.end()) return known->second;
    known_[key] = {};
    return known_[key] = find(grammar_.node(id), from);
  }
  Ends find(const text::grammar::Node& node, std::size_t from) {
    using text::grammar::NodeId;
    using text::grammar::NodeKind;
    switch (node.kind) {
      case NodeKind::never:
      case NodeKind::token: return {};
      case NodeKind::empty: return {from};
      case NodeKind::literal: {
        const std::string_view bytes = grammar_.bytes_of(node);
        return text_.substr(from).starts_with(bytes) ? Ends{from + bytes.size()} : Ends{};
      }
      case NodeKind::byte: {
        const bool fits = from < text_.size() && grammar_.set_of(node).contains(static_cast<std::uint8_t>(text_[from]));
        return fits ? Ends{from + 1} : Ends{};
      }
      case NodeKind::sequence: {
        Ends at = {from};
        for (const NodeId part : grammar_.parts_of(node)) at = after(at, part);
        return at;
      }
      case NodeKind::choice: {
        Ends all;
        for (const NodeId part : grammar_.parts_of(node)) all.merge(Ends(ends(part, from)));
        return all;
      }
      case NodeKind::repeat: {
        Ends all, at = {from};
        for (std::uint32_t round = 0;; ++round) {
          if (round >= node.min) {
            const std::size_t before = all.size();
            all.insert(at.begin(), at.end());
            if (round > node.min && all.size() == before) return all;
          }
          if (round == node.max || at.empty()) return all;
          at = after(at, NodeId{node.first});
        }
      }
      case NodeKind::rule: return ends(grammar_.rule_of(text::grammar::RuleId{node.first}).body, from);
    }
    return {};
  }
  Ends after(const Ends& at, text::grammar::NodeId part) {
    Ends next;
    for (const std::size_t place : at) next.merge(Ends(ends(part, place)));
    return next;
  }

  const text::grammar::Grammar& grammar_;
  std::string_view text_;
  std::map<std::pair<text::grammar::NodeId, std::size_t>, Ends> known_;
};

}  // namespace wisp::test
