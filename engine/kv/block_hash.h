// The address of a full block: a 128-bit hash of all tokens up to its end, chained block by block.
#pragma once

#include <cstdint>
#include <span>

#include "base/token.h"
#include "kv/layout.h"

namespace wisp::kv {

struct BlockHash {
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  bool operator==(const BlockHash&) const = default;
};

// What decides a block's bytes beside its tokens, and who may share them.
struct Salt {
  // Tenant, adapter, KV type, RoPE and window settings, and a secret where tenants may not guess each other's
  // addresses.
  std::uint64_t settings = 0;
  // 0: computed here. Otherwise the number that the engine gave to what brought keys and values along: nobody who
  // writes that can choose the number, so it is never found where another origin is looked for.
  std::uint64_t origin = 0;

  // NOLINTNEXTLINE(google-explicit-constructor): settings are a salt, of what is computed here
  constexpr Salt(std::uint64_t from_settings = 0, std::uint64_t from_origin = 0)
      : settings(from_settings), origin(from_origin) {}
  bool operator==(const Salt&) const = default;
};

// The parent of a sequence's first block.
BlockHash root_hash(Salt salt);

// The address of the block that holds `tokens` [kBlockPositions] and follows the block at `parent`.
BlockHash chain_hash(BlockHash parent, std::span<const TokenId, kBlockPositions> tokens);

}  // namespace wisp::kv
