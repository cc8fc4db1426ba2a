#include "text/byte_trie.h"

#include <algorithm>

#include "base/log.h"

namespace wisp::text {

ByteTrie::ByteTrie(std::vector<Text> texts) {
  std::erase_if(texts, [](const Text& text) {
    if (text.bytes.size() > kMaxBytes) {
      log_warning("token {} is {} bytes long; texts over {} bytes are not looked for", text.id, text.bytes.size(),
                  kMaxBytes);
    }
    return text.bytes.empty() || text.bytes.size() > kMaxBytes;
  });
  std::ranges::sort(texts,
                    [](const Text& a, const Text& b) { return a.bytes != b.bytes ? a.bytes < b.bytes : a.id < b.id; });
  // Which texts go on below a node of the level in hand; each starts with the node's path.
  struct Range {
    Node node;
    std::size_t first, last;
  };
  nodes_.emplace_back();
  std::vector<Range> level = {{kRoot, 0, texts.size()}};
  for (std::size_t depth = 0; !level.empty(); ++depth) {
    std::vector<Range> next;
    for (auto [node, first, last] : level) {
      for (; first < last && texts[first].bytes.size() == depth; ++first) {
        if (nodes_[node].token == kNone) nodes_[node].token = texts[first].id;
      }
      nodes_[node].first_child = static_cast<std::uint32_t>(nodes_.size());
      while (first < last) {
        const auto byte = static_cast<unsigned char>(texts[first].bytes[depth]);
        std::size_t end = first;
        while (end < last && static_cast<unsigned char>(texts[end].bytes[depth]) == byte) ++end;
        next.push_back({static_cast<Node>(nodes_.size()), first, end});
        nodes_.push_back({.byte = byte});
        ++nodes_[node].children;
        first = end;
      }
    }
    level = std::move(next);
  }
  below_root_.fill(kNoNode);
  for (Node i = 0; i < nodes_[kRoot].children; ++i) {
    below_root_[nodes_[nodes_[kRoot].first_child + i].byte] = nodes_[kRoot].first_child + i;
  }
}

ByteTrie::Node ByteTrie::child(Node node, char byte) const {
  const auto wanted = static_cast<unsigned char>(byte);
  if (node == kRoot) return below_root_[wanted];
  const Entry* const first = nodes_.data() + nodes_[node].first_child;
  const Entry* const last = first + nodes_[node].children;
  const Entry* const found = std::ranges::lower_bound(first, last, wanted, {}, &Entry::byte);
  return found != last && found->byte == wanted ? static_cast<Node>(found - nodes_.data()) : kNoNode;
}

ByteTrie::Match ByteTrie::longest(std::string_view text) const {
  Match match;
  Node node = kRoot;
  for (std::size_t at = 0; at < text.size(); ++at) {
    node = child(node, text[at]);
    if (node == kNoNode) break;
    if (token(node) != kNone) match = {at + 1, token(node)};
  }
  return match;
}

}  // namespace wisp::text
