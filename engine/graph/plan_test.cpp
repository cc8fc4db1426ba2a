#include "graph/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>

#include "graph/passes.h"

namespace wisp::graph {
namespace {

// A chain of adds over random earlier values, some of which are never read.
std::shared_ptr<Graph> random_graph(std::uint32_t seed) {
  std::mt19937 random(seed);
  const auto below = [&](std::size_t n) { return static_cast<std::int32_t>(random() % n); };
  auto graph = std::make_shared<Graph>();
  const auto value = [&] {
    graph->values.push_back(
        {"v", 1 + static_cast<std::uint32_t>(below(300)), below(4) == 0 ? RowSet::logits : RowSet::step});
    return ValueId{static_cast<std::int32_t>(graph->values.size()) - 1};
  };
  graph->ops.push_back(EmbedOp{WeightId{0}, value()});
  for (int i = 0; i < 60; ++i) {
    const std::size_t n = graph->values.size();
    const ValueId a{below(n)};
    const ValueId b{below(n)};
    if (below(2) == 0) {
      graph->ops.push_back(AddOp{a, b, value()});
    } else {
      graph->ops.push_back(ScaleOp{a, value(), 2.0f});
    }
  }
  graph->op_layer.assign(graph->ops.size(), -1);
  graph->logits = ValueId{below(graph->values.size())};
  return graph;
}

// Whether a value holds something that is still needed while op i runs: it was written by then and is read now or
// later.
bool is_live(const Graph& graph, ValueId id, std::size_t i) {
  bool written = false;
  bool wanted = id == graph.logits;
  for (std::size_t k = 0; k < graph.ops.size(); ++k) {
    const auto mentions = [&](const std::vector<ValueId>& ids) { return std::ranges::find(ids, id) != ids.end(); };
    if (k <= i && mentions(op_outputs(graph.ops[k]))) written = true;
    if (k >= i && (mentions(op_inputs(graph.ops[k])) || (k == i && mentions(op_outputs(graph.ops[k]))))) wanted = true;
  }
  return written && wanted;
}

struct Extent {
  std::uint64_t begin, end;
};

Extent extent(const Plan& plan, std::size_t id) {
  const Value& value = plan.graph->values[id];
  const std::uint64_t rows = value.rows == RowSet::step ? plan.max_rows : plan.max_logit_rows;
  return {plan.offsets[id], plan.offsets[id] + rows * value.width * sizeof(float)};
}

TEST(Plan, NoTwoLiveValuesShareBytes) {
  for (std::uint32_t seed = 0; seed < 30; ++seed) {
    const std::shared_ptr<Graph> graph = random_graph(seed);
    const Result<Plan> plan = make_plan(graph, 8, 3);
    ASSERT_TRUE(plan) << plan.error().message;
    for (std::size_t i = 0; i < graph->ops.size(); ++i) {
      std::vector<Extent> live;
      for (std::size_t id = 0; id < graph->values.size(); ++id) {
        if (!is_live(*graph, ValueId{static_cast<std::int32_t>(id)}, i)) continue;
        const Extent own = extent(*plan, id);
        EXPECT_EQ(own.begin % 64, 0u);
        EXPECT_LE(own.end, plan->arena_bytes);
        for (const Extent& other : live) {
          EXPECT_TRUE(own.end <= other.begin || other.end <= own.begin) << "seed " << seed << ", op " << i;
        }
        live.push_back(own);
      }
    }
  }
}

TEST(Plan, LifetimesShareBytes) {
  // A chain: only two values live at a time.
  auto graph = std::make_shared<Graph>();
  for (int i = 0; i <= 20; ++i) graph->values.push_back({"v", 16, RowSet::step});
  graph->ops.push_back(EmbedOp{WeightId{0}, ValueId{0}});
  for (int i = 0; i < 20; ++i) graph->ops.push_back(ScaleOp{ValueId{i}, ValueId{i + 1}, 1.0f});
  graph->op_layer.assign(graph->ops.size(), -1);
  graph->logits = ValueId{20};
  const Result<Plan> plan = make_plan(graph, 4, 4);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->arena_bytes, 2 * 4 * 16 * sizeof(float));
}

TEST(Plan, FusedAwayValuesHaveNoPlace) {
  auto graph = std::make_shared<Graph>();
  for (int i = 0; i < 3; ++i) graph->values.push_back({"v", 16, RowSet::step});
  graph->ops = {EmbedOp{WeightId{0}, ValueId{0}}, ScaleOp{ValueId{0}, ValueId{2}, 1.0f}};
  graph->op_layer = {-1, -1};
  graph->logits = ValueId{2};
  const Result<Plan> plan = make_plan(graph, 1, 1);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->offsets[1], Plan::kUnplaced);
}

TEST(Plan, RefusesWhatFitsNoMemory) {
  auto graph = std::make_shared<Graph>();
  for (int i = 0; i < 3; ++i) graph->values.push_back({"wide", ~0u, RowSet::step});
  graph->ops = {EmbedOp{WeightId{0}, ValueId{0}}, ScaleOp{ValueId{0}, ValueId{1}, 1.0f}};
  graph->op_layer = {-1, -1};
  const Result<Plan> plan = make_plan(graph, ~0u, 1);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, Code::out_of_memory);
  EXPECT_EQ(make_plan(graph, 0, 0).error().code, Code::invalid_argument);
  EXPECT_EQ(make_plan(graph, 1, 2).error().code, Code::invalid_argument);
}

TEST(Plan, RowBucketsArePowersOfTwo) {
  EXPECT_EQ(row_bucket(0), 1u);
  EXPECT_EQ(row_bucket(1), 1u);
  EXPECT_EQ(row_bucket(3), 4u);
  EXPECT_EQ(row_bucket(64), 64u);
  EXPECT_EQ(row_bucket(65), 128u);
  EXPECT_EQ(row_bucket(~0u), 1u << 31);
}

}  // namespace
}  // namespace wisp::graph
