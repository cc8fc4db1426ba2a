// Blocks lie at any address (a file may ask for any alignment), so they are copied out before they are looked at.
#pragma once

#include <cstddef>
#include <cstring>
#include <type_traits>

namespace wisp::quant {

template <class Block>
[[nodiscard]] inline Block load_block(const std::byte* blocks, std::size_t index) {
  static_assert(std::is_trivially_copyable_v<Block>);
  Block block;
  std::memcpy(&block, blocks + index * sizeof(Block), sizeof(Block));
  return block;
}

}  // namespace wisp::quant
