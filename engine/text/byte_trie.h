// Texts as paths of bytes from a root, to find all texts that a longer one starts with. Immutable once made.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/token.h"

namespace wisp::text {

class ByteTrie {
 public:
  // Longer texts are left out, so that a hostile vocabulary cannot make a search slow. Real ones stay below 200.
  static constexpr std::size_t kMaxBytes = 512;
  static constexpr TokenId kNone = -1;

  struct Text {
    std::string_view bytes;
    TokenId id;
  };
  // Of equal texts the lowest id counts; empty ones are left out.
  explicit ByteTrie(std::vector<Text> texts);

  using Node = std::uint32_t;
  static constexpr Node kRoot = 0;
  static constexpr Node kNoNode = UINT32_MAX;
  [[nodiscard]] Node child(Node node, char byte) const;
  // The token whose text leads here, or kNone.
  [[nodiscard]] TokenId token(Node node) const { return nodes_[node].token; }

  struct Match {
    std::size_t length = 0;  // 0: none
    TokenId token = kNone;
  };
  // The longest token that the text starts with.
  [[nodiscard]] Match longest(std::string_view text) const;

 private:
  struct Entry {
    std::uint32_t first_child = 0;
    std::uint16_t children = 0;
    std::uint8_t byte = 0;  // the last one of the path that leads here
    TokenId token = kNone;
  };
  std::vector<Entry> nodes_;            // level by level; the children of one side by side, by byte
  std::array<Node, 256> below_root_{};  // where nearly all searches start, and half of them end
};

}  // namespace wisp::text
