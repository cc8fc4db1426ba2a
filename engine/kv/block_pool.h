// The blocks of one layer group: which are free, who holds the others, and which freed ones still hold useful content.
#pragma once

#include <cstdint>
#include <span>

#include "base/memory.h"
#include "base/result.h"
#include "kv/block_index.h"
#include "kv/layout.h"

namespace wisp::kv {

// A block is free (content unknown), used (referenced), or cached (no longer referenced, but published under its hash,
// so it may be wanted again). The choice of blocks is deterministic.
class BlockPool {
 public:
  static Result<BlockPool> create(std::uint32_t n_blocks);

  // A block to write, with one reference: a free one, else the cached block that was released longest ago, which loses
  // its content. kNoBlock when all are used.
  BlockId take();
  // One more reference to a used or cached block.
  void retain(BlockId block);
  // One reference less. The last one frees the block, or caches it when it is published.
  void release(BlockId block);

  // Makes a used block findable by its content. False, and nothing happens, when another block already is.
  bool publish(BlockId block, BlockHash hash);
  // Before a used block is written again.
  void unpublish(BlockId block);
  // The bytes are gone: frees all cached blocks. Used ones stay findable; whoever holds them has to see to that first.
  void forget_cached();
  [[nodiscard]] BlockId find(BlockHash hash) const { return index_.find(hash); }

  [[nodiscard]] std::uint32_t references(BlockId block) const { return entry(block).references; }
  [[nodiscard]] bool published(BlockId block) const { return entry(block).published != 0; }
  [[nodiscard]] std::uint32_t n_blocks() const { return static_cast<std::uint32_t>(entries_.size()); }
  [[nodiscard]] std::uint32_t n_free() const { return n_free_; }
  [[nodiscard]] std::uint32_t n_cached() const { return n_cached_; }
  [[nodiscard]] std::uint32_t n_used() const { return n_blocks() - n_free_ - n_cached_; }
  [[nodiscard]] std::uint32_t n_available() const { return n_free_ + n_cached_; }
  [[nodiscard]] std::uint64_t n_evictions() const { return n_evictions_; }

 private:
  struct Entry {
    BlockHash hash;  // valid while published
    std::uint32_t references;
    std::uint32_t published;
    BlockId previous, next;  // in the list of cached blocks; `next` also links free ones
  };
  [[nodiscard]] Entry& entry(BlockId block) const { return entries_[static_cast<std::size_t>(block)]; }
  void push_free(BlockId block);
  void push_cached(BlockId block);
  void unlink_cached(BlockId block);

  Buffer memory_;
  std::span<Entry> entries_;  // [n_blocks]
  BlockIndex index_;
  BlockId first_free_ = kNoBlock;                                // a stack
  BlockId oldest_cached_ = kNoBlock, newest_cached_ = kNoBlock;  // a queue, by time of release
  std::uint32_t n_free_ = 0, n_cached_ = 0;
  std::uint64_t n_evictions_ = 0;
};

}  // namespace wisp::kv
