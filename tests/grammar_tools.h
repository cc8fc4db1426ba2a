// Grammars in tests: whether a text is one of theirs, by the machine and by a naive reader.
#pragma once

#include <algorithm>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

// Texts of a grammar, chosen at random; past `most` bytes the shortest way to an end is taken. Now and then one of the
// `lures` is written, as far as the grammar lets it: what must not come up in a text.
class RandomText {
 public:
  RandomText(const text::grammar::Grammar& grammar, std::mt19937& random, std::vector<std::string> lures = {})
      : grammar_(grammar), random_(random), lures_(std::move(lures)) {
    rules_.assign(grammar.n_rules(), kNever);
    for (bool changed = true; changed;) {
      changed = false;
      costs_.clear();
      for (std::uint32_t i = 0; i < grammar.n_rules(); ++i) {
        const std::size_t now = cost(grammar.rule_of(text::grammar::RuleId{i}).body);
        changed |= now < rules_[i];
        rules_[i] = std::min(rules_[i], now);
      }
    }
    costs_.clear();
  }
  std::string make(std::size_t most) {
    text_.clear();
    lure_ = {};
    most_ = most;
    write(grammar_.root());
    return text_;
  }

 private:
  using NodeId = text::grammar::NodeId;
  using NodeKind = text::grammar::NodeKind;
  static constexpr std::size_t kNever = 1u << 30;

  // The fewest bytes.
  std::size_t cost(NodeId id) {
    if (const auto known = costs_.find(id); known != costs_.end()) return known->second;
    const text::grammar::Node& node = grammar_.node(id);
    std::size_t sum = 0;
    switch (node.kind) {
      case NodeKind::never:
      case NodeKind::token: sum = kNever; break;
      case NodeKind::empty: break;
      case NodeKind::literal: sum = node.count; break;
      case NodeKind::byte: sum = 1; break;
      case NodeKind::sequence:
        for (const NodeId part : grammar_.parts_of(node)) sum = std::min(kNever, sum + cost(part));
        break;
      case NodeKind::choice:
        sum = kNever;
        for (const NodeId part : grammar_.parts_of(node)) sum = std::min(sum, cost(part));
        break;
      case NodeKind::repeat:
        sum = node.min == 0 ? 0 : std::min(kNever, node.min * std::min<std::size_t>(cost(NodeId{node.first}), 100'000));
        break;
      case NodeKind::rule: return rules_[node.first];
    }
    return costs_[id] = sum;
  }
  // Whether the next byte of the lure can come first.
  bool is_lured(NodeId id) {
    if (text_.size() > most_) return false;
    if (lure_.empty() && !lures_.empty() && random_() % 6 == 0) lure_ = lures_[random_() % lures_.size()];
    return !lure_.empty() && can_begin(id);
  }
  bool can_begin(NodeId id) {
    const text::grammar::Node& node = grammar_.node(id);
    switch (node.kind) {
      case NodeKind::literal: return grammar_.bytes_of(node).front() == lure_.front();
      case NodeKind::byte: return grammar_.set_of(node).contains(static_cast<std::uint8_t>(lure_.front()));
      case NodeKind::sequence: return can_begin(grammar_.parts_of(node).front());
      case NodeKind::choice:
        return std::ranges::any_of(grammar_.parts_of(node), [this](NodeId part) { return can_begin(part); });
      case NodeKind::repeat: return can_begin(NodeId{node.first});
      case NodeKind::rule: return can_begin(grammar_.rule_of(text::grammar::RuleId{node.first}).body);
      default: return false;
    }
  }
  void put(std::string_view bytes) {
    text_ += bytes;
    const bool goes_on = !bytes.empty() && lure_.starts_with(bytes);
    lure_ = goes_on ? lure_.substr(bytes.size()) : std::string();
  }

  void write(NodeId id) {
    const text::grammar::Node& node = grammar_.node(id);
    const bool hurries = text_.size() > most_;
    switch (node.kind) {
      case NodeKind::never:
      case NodeKind::token: throw std::runtime_error("no text");
      case NodeKind::empty: return;
      case NodeKind::literal: return put(grammar_.bytes_of(node));
      case NodeKind::byte: {
        if (is_lured(id)) return put(lure_.substr(0, 1));
        std::string bytes;
        for (unsigned byte = 0; byte < 256; ++byte) {
          if (grammar_.set_of(node).contains(static_cast<std::uint8_t>(byte))) bytes.push_back(static_cast<char>(byte));
        }
        return put(bytes.substr(random_() % bytes.size(), 1));
      }
      case NodeKind::sequence:
        for (const NodeId part : grammar_.parts_of(node)) write(part);
        return;
      case NodeKind::choice: {
        std::vector<NodeId> ways, lured;
        for (const NodeId part : grammar_.parts_of(node)) {
          if (cost(part) < kNever) ways.push_back(part);
        }
        if (hurries) return write(*std::ranges::min_element(ways, {}, [this](NodeId way) { return cost(way); }));
        if (is_lured(id)) {
          std::ranges::copy_if(ways, std::back_inserter(lured), [this](NodeId way) { return can_begin(way); });
        }
        const std::vector<NodeId>& from = lured.empty() ? ways : lured;
        return write(from[random_() % from.size()]);
      }
      case NodeKind::repeat: {
        const NodeId child{node.first};
        std::uint32_t rounds = node.min;
        if (!hurries && cost(child) < kNever)
          rounds += static_cast<std::uint32_t>(random_() % (std::min(node.max - node.min, 3u) + 1));
        for (std::uint32_t i = 0; i < node.max && (i < rounds || is_lured(child)); ++i) write(child);
        return;
      }
      case NodeKind::rule: return write(grammar_.rule_of(text::grammar::RuleId{node.first}).body);
    }
  }

  const text::grammar::Grammar& grammar_;
  std::mt19937& random_;
  std::vector<std::size_t> rules_;
  std::map<NodeId, std::size_t> costs_;
  std::vector<std::string> lures_;
  std::string text_, lure_;
  std::size_t most_ = 0;
};

}  // namespace wisp::test
