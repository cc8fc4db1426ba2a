#include "kv/block_pool.h"

#include <limits>

namespace wisp::kv {

Result<BlockPool> BlockPool::create(std::uint32_t n_blocks) {
  if (n_blocks == 0 || n_blocks > static_cast<std::uint32_t>(std::numeric_limits<BlockId>::max())) {
    return fail(Code::invalid_argument, "a kv pool of {} blocks, expected 1 to {}", n_blocks,
                std::numeric_limits<BlockId>::max());
  }
  BlockPool pool;
  WISP_TRY(pool.memory_, Buffer::allocate(std::uint64_t{n_blocks} * sizeof(Entry), "kv block pool"));
  pool.entries_ = pool.memory_.as<Entry>();
  WISP_TRY(pool.index_, BlockIndex::create(n_blocks));
  for (auto block = static_cast<BlockId>(n_blocks); block-- > 0;) pool.push_free(block);  // block 0 on top
  return pool;
}

BlockId BlockPool::take() {
  BlockId block = first_free_;
  if (block != kNoBlock) {
    first_free_ = entry(block).next;
    --n_free_;
  } else if (oldest_cached_ != kNoBlock) {
    block = oldest_cached_;
    unlink_cached(block);
    index_.erase(entry(block).hash);
    entry(block).published = 0;
    ++n_evictions_;
  } else {
    return kNoBlock;
  }
  entry(block).references = 1;
  return block;
}

void BlockPool::retain(BlockId block) {
  if (entry(block).references++ == 0) unlink_cached(block);
}

void BlockPool::release(BlockId block) {
  if (--entry(block).references > 0) return;
  if (published(block)) {
    push_cached(block);
  } else {
    push_free(block);
  }
}

bool BlockPool::publish(BlockId block, BlockHash hash) {
  if (published(block) || find(hash) != kNoBlock) return false;
  index_.insert(hash, block);
  entry(block).hash = hash;
  entry(block).published = 1;
  return true;
}

void BlockPool::unpublish(BlockId block) {
  if (!published(block)) return;
  index_.erase(entry(block).hash);
  entry(block).published = 0;
}

void BlockPool::forget_cached() {
  while (newest_cached_ != kNoBlock) {
    const BlockId block = newest_cached_;
    unlink_cached(block);
    unpublish(block);
    push_free(block);
  }
}

void BlockPool::push_free(BlockId block) {
  entry(block).next = first_free_;
  first_free_ = block;
  ++n_free_;
}

void BlockPool::push_cached(BlockId block) {
  Entry& newest = entry(block);
  newest.previous = newest_cached_;
  newest.next = kNoBlock;
  (newest_cached_ == kNoBlock ? oldest_cached_ : entry(newest_cached_).next) = block;
  newest_cached_ = block;
  ++n_cached_;
}

void BlockPool::unlink_cached(BlockId block) {
  const Entry& cached = entry(block);
  (cached.previous == kNoBlock ? oldest_cached_ : entry(cached.previous).next) = cached.next;
  (cached.next == kNoBlock ? newest_cached_ : entry(cached.next).previous) = cached.previous;
  --n_cached_;
}

}  // namespace wisp::kv
