#include "runtime/kv_setup.h"

#include <gtest/gtest.h>

#include "tests/engine_harness.h"

namespace wisp::runtime {
namespace {

graph::KvLayout two_groups() {
  graph::KvLayout layout;
  layout.groups = {graph::KvGroup{}, graph::KvGroup{.window = 64, .sinks = 0}};
  layout.layers = {{.group = 0, .kv_heads = 2, .head_dim = 40},
                   {.group = 1, .kv_heads = 2, .head_dim = 40},
                   {.group = 1, .kv_heads = 1, .head_dim = 64}};
  return layout;
}

TEST(EngineKvSetupTest, BlockBytesAreKAndVOfTheGroupsLayers) {
  const graph::KvLayout layout = two_groups();
  EXPECT_EQ(kv_block_bytes(layout, 0, graph::KvType::f16), 32u * 2 * 2 * 40 * 2);
  EXPECT_EQ(kv_block_bytes(layout, 1, graph::KvType::f32), 32u * 2 * (2 * 40 + 64) * 4);
  EXPECT_EQ(kv_block_bytes(layout, 0, graph::KvType::q8_0),
            32u * 2 * 2 * 2 * 34);  // 40 values are two blocks of 34 bytes
}

TEST(EngineKvSetupTest, WithoutABudgetEverySequenceMayReachTheContext) {
  const kv::KvConfig config =
      test::expect_value(make_kv_config(two_groups(), 1024, {.row_budget = 32, .max_sequences = 3}));
  EXPECT_EQ(config.n_blocks[0], 3u * 32);
  EXPECT_EQ(config.n_blocks[1], 3 * kv::most_blocks(config.groups[1], 1024, 32));
  EXPECT_LT(config.n_blocks[1], config.n_blocks[0]);
  EXPECT_EQ(config.groups[1].layers, (std::vector<int>{1, 2}));
}

TEST(EngineKvSetupTest, ABudgetIsKeptAndUsed) {
  const graph::KvLayout layout = two_groups();
  const std::uint64_t full = kv_block_bytes(layout, 0, graph::KvType::f16);
  const std::uint64_t windowed = kv_block_bytes(layout, 1, graph::KvType::f16);
  for (const std::uint64_t budget : {30'000u, 60'000u, 200'000u, 1'000'000u, 3'000'000u}) {
    const kv::KvConfig config =
        test::expect_value(make_kv_config(layout, 4096, {.row_budget = 32, .max_sequences = 3, .kv_bytes = budget}));
    const std::uint64_t bytes = config.n_blocks[0] * full + config.n_blocks[1] * windowed;
    EXPECT_LE(bytes, budget);
    EXPECT_GT(bytes + 3 * (full + windowed), budget);  // no room for another block of each sequence
  }
  EXPECT_EQ(make_kv_config(layout, 4096, {.kv_bytes = full + windowed - 1}).error().code, Code::out_of_memory);
  EXPECT_TRUE(make_kv_config(layout, 4096, {.kv_bytes = full + windowed}));
  EXPECT_FALSE(make_kv_config(layout, 4096, {.kv_blocks = {2, 1}, .kv_bytes = full + windowed}));
}

TEST(EngineKvSetupTest, SaltsDifferWhereBytesDo) {
  graph::Graph graph = test::mixed_fake().graph();
  graph.ropes = {{.inverse_frequency = {1.0, 0.5}}};
  const std::uint64_t salt = cache_salt(graph, graph::KvType::f16, 1);
  EXPECT_EQ(cache_salt(graph, graph::KvType::f16, 1), salt);
  EXPECT_NE(cache_salt(graph, graph::KvType::f16, 2), salt);
  EXPECT_NE(cache_salt(graph, graph::KvType::f32, 1), salt);
  graph::Graph window = graph, rope = graph;
  window.kv.groups[1].window = 41;
  rope.ropes[0].inverse_frequency[1] = 0.25;
  EXPECT_NE(cache_salt(window, graph::KvType::f16, 1), salt);
  EXPECT_NE(cache_salt(rope, graph::KvType::f16, 1), salt);
}

}  // namespace
}  // namespace wisp::runtime
