// Which block holds the content of a hash: a fixed table with open addressing, so that nothing is allocated after
// start.
#pragma once

#include <cstdint>
#include <span>

#include "base/memory.h"
#include "base/result.h"
#include "kv/block_hash.h"

namespace wisp::kv {

class BlockIndex {
 public:
  // Room for `n_blocks` entries, which the owner promises never to exceed.
  static Result<BlockIndex> create(std::uint32_t n_blocks);

  [[nodiscard]] BlockId find(BlockHash hash) const;  // kNoBlock when absent
  void insert(BlockHash hash, BlockId block);        // `hash` is absent
  void erase(BlockHash hash);                        // no effect when absent
  [[nodiscard]] std::uint32_t size() const { return size_; }

 private:
  struct Slot {
    BlockHash hash;
    std::uint32_t block_plus_one;  // 0: empty, as fresh memory is
  };
  [[nodiscard]] std::uint32_t home(BlockHash hash) const { return static_cast<std::uint32_t>(hash.a) & mask_; }
  // The slot that holds `hash`, or the empty one where it would go.
  [[nodiscard]] std::uint32_t probe(BlockHash hash) const;

  Buffer memory_;
  std::span<Slot> slots_;  // a power of two, at most half full
  std::uint32_t mask_ = 0;
  std::uint32_t size_ = 0;
};

}  // namespace wisp::kv
