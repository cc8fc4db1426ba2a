#include "kv/block_hash.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <random>
#include <unordered_set>

namespace wisp::kv {
namespace {

using Tokens = std::array<TokenId, kBlockPositions>;

int differing_bits(BlockHash x, BlockHash y) { return std::popcount(x.a ^ y.a) + std::popcount(x.b ^ y.b); }

TEST(BlockHash, DependsOnSaltParentAndEveryToken) {
  Tokens tokens{};
  const BlockHash root = root_hash(0), base = chain_hash(root, tokens);
  EXPECT_EQ(chain_hash(root, tokens), base);
  EXPECT_NE(root_hash(1), root);
  EXPECT_NE(chain_hash(root_hash(1), tokens), base);
  EXPECT_NE(root_hash({0, 1}), root);
  EXPECT_NE(root_hash({0, 1}), root_hash(1));
  EXPECT_NE(root_hash({0, 1}), root_hash({0, 2}));
  EXPECT_NE(chain_hash(base, tokens), base);
  for (TokenId& token : tokens) {
    token = 1;
    EXPECT_NE(chain_hash(root, tokens), base);
    token = 0;
  }
}

// Flipping any one input bit flips each output bit about half the time: 64 of 128 on average.
TEST(BlockHash, SpreadsEveryBitOverBothLanes) {
  std::mt19937 random(3);
  std::array<int, 64> flips_a{}, flips_b{};
  int tries = 0;
  for (int round = 0; round < 20; ++round) {
    Tokens tokens;
    for (TokenId& token : tokens) token = static_cast<TokenId>(random() % 150'000);
    const BlockHash base = chain_hash(root_hash(random()), tokens);
    const BlockHash before = chain_hash(base, tokens);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      for (int bit = 0; bit < 18; ++bit) {
        Tokens changed = tokens;
        changed[i] ^= 1 << bit;
        const BlockHash after = chain_hash(base, changed);
        EXPECT_GT(differing_bits(before, after), 25);
        for (std::size_t out = 0; out < 64; ++out) {
          flips_a[out] += static_cast<int>((before.a ^ after.a) >> out & 1);
          flips_b[out] += static_cast<int>((before.b ^ after.b) >> out & 1);
        }
        ++tries;
      }
    }
  }
  for (std::size_t out = 0; out < 64; ++out) {
    EXPECT_NEAR(static_cast<double>(flips_a[out]) / tries, 0.5, 0.03) << "lane a, bit " << out;
    EXPECT_NEAR(static_cast<double>(flips_b[out]) / tries, 0.5, 0.03) << "lane b, bit " << out;
  }
}

// Each lane alone tells 128,000 near-identical blocks apart.
TEST(BlockHash, NearbyBlocksDoNotCollide) {
  std::unordered_set<std::uint64_t> a, b;
  int blocks = 0;
  for (std::uint64_t salt = 0; salt < 4; ++salt) {
    for (std::size_t i = 0; i < kBlockPositions; ++i) {
      for (TokenId value = 1; value <= 1000; ++value) {
        Tokens tokens{};
        tokens[i] = value;
        const BlockHash hash = chain_hash(root_hash(salt), tokens);
        a.insert(hash.a);
        b.insert(hash.b);
        ++blocks;
      }
    }
  }
  EXPECT_EQ(a.size(), static_cast<std::size_t>(blocks));
  EXPECT_EQ(b.size(), static_cast<std::size_t>(blocks));
}

}  // namespace
}  // namespace wisp::kv
