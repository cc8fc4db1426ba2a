#include "text/grammar/grammar.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace wisp::text::grammar {
namespace {

template <class T>
void append_raw(std::string& key, const T& value) {
  std::array<char, sizeof(T)> bytes;
  std::memcpy(bytes.data(), &value, sizeof(T));
  key.append(bytes.data(), bytes.size());
}

std::string key_of(const Node& node) {
  std::string key(1, static_cast<char>(node.kind));
  append_raw(key, node.min);
  append_raw(key, node.max);
  return key;
}

// The part of the ranges inside [first, last], counted from `first`.
std::vector<CharRange> clip(std::span<const CharRange> ranges, char32_t first, char32_t last) {
  std::vector<CharRange> inside;
  for (const CharRange& range : ranges) {
    if (range.last < first || range.first > last) continue;
    inside.push_back({std::max(range.first, first) - first, std::min(range.last, last) - first});
  }
  return inside;
}

// Alternatives that start with a byte and go on alike are one alternative with several bytes.
class ByHead {
 public:
  void add(std::uint8_t byte, NodeId rest) {
    for (auto& [known, set] : heads_) {
      if (known == rest) return set.add(byte);
    }
    heads_.emplace_back(rest, ByteSet{}).second.add(byte);
  }
  NodeId build(Grammar& grammar) const {
    std::vector<NodeId> parts;
    for (const auto& [rest, set] : heads_) parts.push_back(grammar.sequence({grammar.byte(set), rest}));
    return grammar.choice(parts);
  }

 private:
  std::vector<std::pair<NodeId, ByteSet>> heads_;
};

}  // namespace

Grammar::Grammar() {
  nodes_.push_back({.kind = NodeKind::never});
  nodes_.push_back({.kind = NodeKind::empty});
}

NodeId Grammar::refuse() {
  too_large_ = true;
  return never();
}

NodeId Grammar::add(Node node, std::string_view key) {
  const auto [known, is_new] = known_.try_emplace(std::string(key), NodeId{static_cast<std::uint32_t>(nodes_.size())});
  if (is_new) nodes_.push_back(node);
  return known->second;
}

NodeId Grammar::literal(std::string_view bytes) {
  if (bytes.empty()) return empty();
  if (nodes_.size() >= kMaxNodes || literals_.size() + bytes.size() > kMaxParts) return refuse();
  Node node{.kind = NodeKind::literal,
            .first = static_cast<std::uint32_t>(literals_.size()),
            .count = static_cast<std::uint32_t>(bytes.size())};
  const NodeId id = add(node, key_of(node).append(bytes));
  if (nodes_[static_cast<std::size_t>(id)].first == node.first) literals_ += bytes;
  return id;
}

NodeId Grammar::byte(const ByteSet& set) {
  if (set.size() == 0) return never();
  if (nodes_.size() >= kMaxNodes) return refuse();
  Node node{.kind = NodeKind::byte, .first = static_cast<std::uint32_t>(sets_.size())};
  std::string key = key_of(node);
  append_raw(key, set.words);
  const NodeId id = add(node, key);
  if (nodes_[static_cast<std::size_t>(id)].first == node.first) sets_.push_back(set);
  return id;
}

NodeId Grammar::token(TokenId token) {
  if (nodes_.size() >= kMaxNodes) return refuse();
  Node node{.kind = NodeKind::token, .first = static_cast<std::uint32_t>(token)};
  std::string key = key_of(node);
  append_raw(key, token);
  return add(node, key);
}

NodeId Grammar::rule(RuleId id) {
  if (nodes_.size() >= kMaxNodes) return refuse();
  Node node{.kind = NodeKind::rule, .first = static_cast<std::uint32_t>(id)};
  std::string key = key_of(node);
  append_raw(key, id);
  return add(node, key);
}

RuleId Grammar::declare(std::string_view name) {
  if (rules_.size() >= kMaxRules) {
    too_large_ = true;
    return RuleId{0};
  }
  rules_.push_back({std::string(name), never()});
  return RuleId{static_cast<std::uint32_t>(rules_.size() - 1)};
}

NodeId Grammar::add_parts(NodeKind kind, std::span<const NodeId> parts) {
  if (nodes_.size() >= kMaxNodes || parts_.size() + parts.size() > kMaxParts) return refuse();
  Node node{.kind = kind,
            .first = static_cast<std::uint32_t>(parts_.size()),
            .count = static_cast<std::uint32_t>(parts.size())};
  for (const NodeId part : parts) node.depth = std::max(node.depth, this->node(part).depth + 1);
  if (node.depth > kMaxNodeDepth) return refuse();
  std::string key = key_of(node);
  for (const NodeId part : parts) append_raw(key, part);
  const NodeId id = add(node, key);
  if (nodes_[static_cast<std::size_t>(id)].first == node.first) parts_.insert(parts_.end(), parts.begin(), parts.end());
  return id;
}

NodeId Grammar::sequence(std::span<const NodeId> parts) {
  std::vector<NodeId> kept;
  for (const NodeId part : parts) {
    if (part == never()) return never();
    if (part != empty()) kept.push_back(part);
  }
  if (kept.empty()) return empty();
  return kept.size() == 1 ? kept.front() : add_parts(NodeKind::sequence, kept);
}

NodeId Grammar::choice(std::span<const NodeId> parts) {
  std::vector<NodeId> kept;
  ByteSet bytes;
  const auto keep = [&](NodeId part) {
    if (node(part).kind == NodeKind::byte) {
      bytes.add(set_of(node(part)));
    } else if (part != never()) {
      kept.push_back(part);
    }
  };
  for (const NodeId part : parts) {
    if (node(part).kind != NodeKind::choice) {
      keep(part);
      continue;
    }
    for (std::uint32_t i = 0; i < node(part).count; ++i) keep(parts_[node(part).first + i]);
  }
  if (bytes.size() > 0) kept.push_back(byte(bytes));
  std::ranges::sort(kept);
  kept.erase(std::ranges::unique(kept).begin(), kept.end());
  if (kept.empty()) return never();
  return kept.size() == 1 ? kept.front() : add_parts(NodeKind::choice, kept);
}

NodeId Grammar::repeat(NodeId child, std::uint32_t min, std::uint32_t max) {
  if (max == 0 || child == empty()) return empty();
  if (child == never()) return min == 0 ? empty() : never();
  if (min == 1 && max == 1) return child;
  if (nodes_.size() >= kMaxNodes) return refuse();
  Node node{.kind = NodeKind::repeat,
            .first = static_cast<std::uint32_t>(child),
            .min = min,
            .max = max,
            .depth = this->node(child).depth + 1};
  if (node.depth > kMaxNodeDepth) return refuse();
  std::string key = key_of(node);
  append_raw(key, child);
  return add(node, key);
}

NodeId Grammar::continuations(std::span<const CharRange> ranges, unsigned k) {
  if (k == 0) return empty();
  if (ranges.size() == 1 && ranges[0].first == 0 && ranges[0].last == (char32_t{1} << (6 * k)) - 1) {
    return sequence(std::vector<NodeId>(k, byte(ByteSet::range(0x80, 0xBF))));  // all there are
  }
  const char32_t each = char32_t{1} << (6 * (k - 1));
  ByHead heads;
  for (char32_t i = 0; i < 64; ++i) {
    const std::vector<CharRange> inside = clip(ranges, i * each, (i + 1) * each - 1);
    if (!inside.empty()) heads.add(static_cast<std::uint8_t>(0x80 + i), continuations(inside, k - 1));
  }
  return heads.build(*this);
}

NodeId Grammar::chars(const CharSet& set) {
  struct Length {
    char32_t first, last;  // code points of this many bytes
    std::uint8_t lead;     // byte of a code point whose top bits are all zero
    unsigned k;            // continuation bytes
  };
  constexpr std::array<Length, 4> kLengths = {
      {{0, 0x7F, 0, 0}, {0x80, 0x7FF, 0xC0, 1}, {0x800, 0xFFFF, 0xE0, 2}, {0x10000, 0x10FFFF, 0xF0, 3}}};
  ByHead heads;
  for (const Length& length : kLengths) {
    const char32_t each = char32_t{1} << (6 * length.k);
    for (char32_t top = length.first / each; top <= length.last / each; ++top) {
      const char32_t from = std::max<char32_t>(top * each, length.first),
                     to = std::min<char32_t>((top + 1) * each - 1, length.last);
      std::vector<CharRange> inside = clip(set.ranges(), from, to);
      if (inside.empty()) continue;
      for (CharRange& range : inside) {  // counted from what the lead byte alone stands for
        range.first += from - top * each;
        range.last += from - top * each;
      }
      heads.add(static_cast<std::uint8_t>(length.lead + top), continuations(inside, length.k));
    }
  }
  return heads.build(*this);
}

}  // namespace wisp::text::grammar
