#include "kv/block_hash.h"

#include <bit>

namespace wisp::kv {
namespace {

// Odd 64-bit constants without structure: the fractional parts of the square roots of 2, 3, 5 and 7, last bit set.
constexpr std::uint64_t kRoot2 = 0x6A09E667F3BCC909u;
constexpr std::uint64_t kRoot3 = 0xBB67AE8584CAA73Bu;
constexpr std::uint64_t kRoot5 = 0x3C6EF372FE94F82Bu;
constexpr std::uint64_t kRoot7 = 0xA54FF53A5F1D36F1u;

// Two lanes that feed each other. Each step is a bijection of the state for a given word, and of the word for a given
// state, so nothing is lost on the way; multiplications and shifts spread every bit over both lanes within two steps.
BlockHash absorb(BlockHash state, std::uint64_t word) {
  state.a = (state.a ^ word) * kRoot2;
  state.a ^= state.a >> 29;
  state.b = (state.b + std::rotl(word, 32) + state.a) * kRoot3;
  state.b ^= state.b >> 31;
  state.a += std::rotl(state.b, 23);
  return state;
}

BlockHash finish(BlockHash state) {
  state = absorb(state, kRoot5);
  return absorb(state, kRoot7);
}

}  // namespace

BlockHash root_hash(Salt salt) { return finish(absorb(absorb({kRoot5, kRoot7}, salt.settings), salt.origin)); }

BlockHash chain_hash(BlockHash parent, std::span<const TokenId, kBlockPositions> tokens) {
  BlockHash state = parent;
  for (std::size_t i = 0; i < tokens.size(); i += 2) {
    const std::uint64_t low = static_cast<std::uint32_t>(tokens[i]), high = static_cast<std::uint32_t>(tokens[i + 1]);
    state = absorb(state, high << 32 | low);
  }
  return finish(state);
}

}  // namespace wisp::kv
