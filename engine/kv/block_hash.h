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

// The parent of a sequence's first block. The salt holds whatever else decides the bytes or who may share them: tenant,
// adapter, KV type, RoPE and window settings, and a secret where tenants may not guess each other's addresses.
BlockHash root_hash(std::uint64_t salt);

// The address of the block that holds `tokens` [kBlockPositions] and follows the block at `parent`.
BlockHash chain_hash(BlockHash parent, std::span<const TokenId, kBlockPositions> tokens);

}  // namespace wisp::kv
