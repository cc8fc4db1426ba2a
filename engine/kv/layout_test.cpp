#include "kv/layout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace wisp::kv {
namespace {

bool visible(const LayerGroup& group, std::uint32_t query, std::uint32_t key) {
  return key <= query && (!group.window || query - key < *group.window || key < group.sinks);
}

TEST(KvLayout, FirstVisibleBlockIsTheWindowsDefinition) {
  for (const std::uint32_t window : {1u, 2u, 31u, 32u, 33u, 64u, 100u}) {
    const LayerGroup group = {.window = window};
    for (std::uint32_t query = 0; query < 400; ++query) {
      std::uint32_t first = 0;
      while (!visible(group, query, first)) ++first;
      EXPECT_EQ(first_visible_block(group, query), first / kBlockPositions)
          << "window " << window << ", query " << query;
    }
  }
  EXPECT_EQ(first_visible_block({}, 1'000'000), 0u);
}

// Every start of a step is tried: the bound holds, and for long sequences it is reached.
TEST(KvLayout, MostBlocksBoundsWhatASequenceHolds) {
  for (const std::uint32_t window : {1u, 7u, 32u, 33u, 95u}) {
    for (const std::uint32_t sinks : {0u, 1u, 40u}) {
      for (const std::uint32_t rows : {1u, 16u, 100u}) {
        const LayerGroup group = {.window = window, .sinks = sinks};
        std::uint32_t most = 0;
        for (std::uint32_t first = 0; first < 600; ++first) {
          std::set<std::uint32_t> alive;
          for (std::uint32_t key = 0; key < first + rows; ++key) {
            if (key >= first || visible(group, first, key)) alive.insert(key / kBlockPositions);
          }
          most = std::max(most, static_cast<std::uint32_t>(alive.size()));
        }
        EXPECT_EQ(most_blocks(group, 1000, rows), most) << window << " " << sinks << " " << rows;
      }
    }
  }
  EXPECT_EQ(most_blocks({}, 1000, 1), 32u);
  EXPECT_EQ(most_blocks({.window = 4096u}, 33, 512), 2u);
  EXPECT_EQ(most_blocks({.window = ~0u, .sinks = ~0u}, ~0u, ~0u), 1u << 27);
}

TEST(KvLayout, TypesHaveNamesAndSizes) {
  for (const KvType type : {KvType::f32, KvType::f16, KvType::q8_0}) {
    EXPECT_EQ(parse_kv_type(kv_type_name(type)), type);
  }
  EXPECT_EQ(parse_kv_type("q4_0"), std::nullopt);
  EXPECT_EQ(kv_row_bytes(KvType::f32, 64), 256u);
  EXPECT_EQ(kv_row_bytes(KvType::f16, 64), 128u);
  EXPECT_EQ(kv_row_bytes(KvType::q8_0, 64), 68u);
  EXPECT_EQ(kv_row_bytes(KvType::q8_0, 65), 102u);
}

}  // namespace
}  // namespace wisp::kv
