// The CPU executor where it must refuse: memory that is not there, steps that would read wild.
#include <gtest/gtest.h>

#include <array>

#include "cpu/executor.h"
#include "cpu/kv_store.h"
#include "tests/model_runner.h"
#include "tests/random_model.h"

namespace wisp::cpu {
namespace {

using wisp::test::must, wisp::test::ModelRunner, wisp::test::RandomModel;

TEST(CpuExecutorLimits, APlanWithoutRoomLeavesTheOthersRunning) {
  // Logits that no address space holds, with the largest number of rows.
  RandomModel model = wisp::test::random_model({.layers = 1, .vocabulary = 20'000});
  ModelRunner runner(model.file, must(make_cpu_executor({.threads = 2, .isa = {}, .repack = true})));
  const std::array tokens = {3, 1, 4, 1, 5};
  const std::vector<float> before = runner.feed(tokens);

  const auto graph = std::make_shared<const graph::Graph>(runner.graph());
  const graph::Plan largest = must(graph::make_plan(graph, 1u << 31, 1u << 31));
  const Status refused = runner.executor().prepare(largest);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::out_of_memory);

  graph::Plan small = must(graph::make_plan(graph, 8, 8));
  const std::array<std::int32_t, 5> positions = {0, 1, 2, 3, 4}, sequences = {}, rows = {0, 1, 2, 3, 4};
  const std::array<std::int32_t, 1> table = {0};
  const std::array<std::span<const std::int32_t>, 1> tables = {table};
  graph::StepInputs inputs{.tokens = tokens,
                           .positions = positions,
                           .sequences = sequences,
                           .logit_rows = rows,
                           .tables = tables,
                           .n_sequences = 1,
                           .copies = {}};
  const std::span<const float> after = must(runner.executor().execute(small, inputs));
  EXPECT_TRUE(std::ranges::equal(after, before));

  // A block that was never allocated, and none at all.
  for (const std::int32_t block : {1'000'000, -1}) {
    const std::array<std::int32_t, 1> wild = {block};
    const std::array<std::span<const std::int32_t>, 1> wild_tables = {wild};
    inputs.tables = wild_tables;
    EXPECT_EQ(runner.executor().execute(small, inputs).error().code, Code::invalid_argument) << block;
  }
}

TEST(CpuExecutorLimits, AKvBlockThatNoMemoryHoldsIsRefused) {
  graph::KvLayout layout;
  layout.groups.resize(1);
  // The widest that hyperparameters may be: 2^24 values a position and layer, so that a block of one layer takes 2^32
  // bytes.
  layout.layers.assign(1u << 16, {.group = 0, .kv_heads = 1u << 24, .head_dim = 1});
  EXPECT_EQ(kv_block_bytes(layout, graph::KvType::f32, 0), std::uint64_t{1} << 48);
  const std::array<std::uint32_t, 1> blocks = {1u << 20};
  KvStore store;
  const Status refused = store.allocate(layout, graph::KvType::f32, blocks);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::out_of_memory);
}

}  // namespace
}  // namespace wisp::cpu
