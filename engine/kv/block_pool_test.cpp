#include "kv/block_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

namespace wisp::kv {
namespace {

template <class T>
T make(std::uint32_t n_blocks) {
  Result<T> result = T::create(n_blocks);
  EXPECT_TRUE(result.has_value());
  return std::move(*result);
}

BlockHash hash_of(std::uint64_t i) { return {i, ~i}; }

// Few homes, so that runs of displaced entries form, wrap around and are erased from their middle.
TEST(BlockIndex, EqualsAMapUnderCollisions) {
  std::mt19937 random(1);
  constexpr std::uint32_t kBlocks = 13;
  BlockIndex index = make<BlockIndex>(kBlocks);
  std::map<std::uint64_t, BlockId> expected;
  const auto key = [](std::uint64_t i) { return BlockHash{(i % 3) * 31, i}; };
  for (int round = 0; round < 20'000; ++round) {
    const std::uint64_t i = random() % 40;
    if (random() % 2 == 0) {
      index.erase(key(i));
      expected.erase(i);
    } else if (!expected.contains(i) && expected.size() < kBlocks) {
      index.insert(key(i), static_cast<BlockId>(i));
      expected[i] = static_cast<BlockId>(i);
    }
    ASSERT_EQ(index.size(), expected.size());
    for (std::uint64_t j = 0; j < 40; ++j) {
      ASSERT_EQ(index.find(key(j)), expected.contains(j) ? expected[j] : kNoBlock);
    }
  }
}

TEST(BlockPool, GivesFreeBlocksFirstThenTheOldestCached) {
  BlockPool pool = make<BlockPool>(4);
  std::vector<BlockId> blocks;
  for (int i = 0; i < 4; ++i) blocks.push_back(pool.take());
  EXPECT_EQ(blocks, (std::vector<BlockId>{0, 1, 2, 3}));
  EXPECT_EQ(pool.take(), kNoBlock);
  for (const BlockId block : {0, 1, 2}) EXPECT_TRUE(pool.publish(block, hash_of(static_cast<std::uint64_t>(block))));
  for (const BlockId block : {1, 0, 3, 2}) pool.release(block);  // 3 is not published
  EXPECT_EQ(pool.n_free(), 1u);
  EXPECT_EQ(pool.n_cached(), 3u);
  EXPECT_EQ(pool.take(), 3);
  EXPECT_EQ(pool.n_evictions(), 0u);
  EXPECT_EQ(pool.take(), 1);
  EXPECT_EQ(pool.find(hash_of(1)), kNoBlock);
  pool.retain(2);  // wanted again: no longer up for eviction
  EXPECT_EQ(pool.take(), 0);
  EXPECT_EQ(pool.take(), kNoBlock);
  EXPECT_EQ(pool.n_evictions(), 2u);
  EXPECT_EQ(pool.find(hash_of(2)), 2);
  EXPECT_EQ(pool.n_used(), 4u);
}

TEST(BlockPool, ForgetsWhatIsCached) {
  BlockPool pool = make<BlockPool>(4);
  for (BlockId block = 0; block < 3; ++block) {
    EXPECT_EQ(pool.take(), block);
    EXPECT_TRUE(pool.publish(block, hash_of(static_cast<std::uint64_t>(block))));
  }
  pool.release(1);
  pool.release(0);
  pool.forget_cached();
  EXPECT_EQ(pool.n_cached(), 0u);
  EXPECT_EQ(pool.n_free(), 3u);
  EXPECT_EQ(pool.find(hash_of(0)), kNoBlock);
  EXPECT_EQ(pool.find(hash_of(1)), kNoBlock);
  EXPECT_EQ(pool.find(hash_of(2)), 2);  // still used
  for (int i = 0; i < 3; ++i) EXPECT_NE(pool.take(), kNoBlock);
  EXPECT_EQ(pool.take(), kNoBlock);
  EXPECT_EQ(pool.n_evictions(), 0u);
}

TEST(BlockPool, CountsReferences) {
  BlockPool pool = make<BlockPool>(2);
  const BlockId block = pool.take();
  pool.retain(block);
  EXPECT_EQ(pool.references(block), 2u);
  pool.release(block);
  EXPECT_EQ(pool.n_used(), 1u);
  pool.release(block);
  EXPECT_EQ(pool.n_used(), 0u);
  EXPECT_EQ(pool.n_free(), 2u);
}

TEST(BlockPool, PublishesAContentOnce) {
  BlockPool pool = make<BlockPool>(2);
  const BlockId first = pool.take(), second = pool.take();
  EXPECT_TRUE(pool.publish(first, hash_of(1)));
  EXPECT_FALSE(pool.publish(second, hash_of(1)));
  EXPECT_FALSE(pool.publish(first, hash_of(1)));
  EXPECT_EQ(pool.find(hash_of(1)), first);
  pool.unpublish(second);
  EXPECT_EQ(pool.find(hash_of(1)), first);
  pool.unpublish(first);
  EXPECT_EQ(pool.find(hash_of(1)), kNoBlock);
  EXPECT_TRUE(pool.publish(second, hash_of(1)));
  EXPECT_EQ(pool.find(hash_of(1)), second);
}

TEST(BlockPool, RefusesImpossibleSizes) {
  EXPECT_EQ(BlockPool::create(0).error().code, Code::invalid_argument);
  EXPECT_EQ(BlockPool::create(1u << 31).error().code, Code::invalid_argument);
}

}  // namespace
}  // namespace wisp::kv
