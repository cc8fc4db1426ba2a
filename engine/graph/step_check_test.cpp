#include "graph/step_check.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <memory>

namespace wisp::graph {
namespace {

// A step of two rows of one sequence that is right, to be damaged in one place at a time.
struct GoodStep {
  std::array<std::int32_t, 2> tokens = {3, 4};
  std::array<std::int32_t, 2> positions = {40, 41};
  std::array<std::int32_t, 2> sequences = {0, 0};
  std::array<std::int32_t, 1> logit_rows = {1};
  std::vector<std::int32_t> table = {0, 1};
  std::vector<BlockCopy> copies;
  std::optional<std::uint32_t> window;
  std::uint32_t sinks = 0;
  std::uint32_t slots = 0;

  Status check() const {
    auto graph = std::make_shared<Graph>();
    graph->vocabulary = 10;
    graph->kv.groups = {{window, sinks}};
    Plan plan;
    plan.graph = graph;
    plan.max_rows = 2;
    plan.max_logit_rows = 1;
    const std::span<const std::int32_t> tables[] = {table};
    StepInputs step;
    step.tokens = tokens;
    step.positions = positions;
    step.sequences = sequences;
    step.logit_rows = logit_rows;
    step.tables = tables;
    step.n_sequences = 1;
    step.copies = copies;
    const std::array<std::uint32_t, 1> blocks = {4};
    return check_step(plan, step, blocks, slots);
  }
};

template <class Damage>
bool passes(const Damage& damage) {
  GoodStep step;
  damage(step);
  return step.check().has_value();
}

TEST(StepCheck, LetsAGoodStepPass) {
  EXPECT_TRUE(passes([](GoodStep&) {}));
  EXPECT_TRUE(passes([](GoodStep& s) { s.copies = {{0, 3, 2}}; }));
}

TEST(StepCheck, RefusesIndicesOutOfRange) {
  EXPECT_FALSE(passes([](GoodStep& s) { s.tokens[0] = 10; }));
  EXPECT_FALSE(passes([](GoodStep& s) { s.tokens[1] = -1; }));
  EXPECT_FALSE(passes([](GoodStep& s) { s.positions[0] = -1; }));
  EXPECT_FALSE(passes([](GoodStep& s) { s.sequences[1] = 1; }));
  EXPECT_FALSE(passes([](GoodStep& s) { s.sequences[1] = -1; }));
  EXPECT_FALSE(passes([](GoodStep& s) { s.logit_rows[0] = 2; }));
  EXPECT_FALSE(passes([](GoodStep& s) { s.copies = {{0, 0, 4}}; }));
  EXPECT_FALSE(passes([](GoodStep& s) { s.copies = {{1, 0, 1}}; }));
}

TEST(StepCheck, TakesTokensFromTheSlotsThereAre) {
  EXPECT_TRUE(passes([](GoodStep& s) { s.tokens[1] = -4, s.slots = 4; }));
  EXPECT_FALSE(passes([](GoodStep& s) { s.tokens[1] = -5, s.slots = 4; }));
  EXPECT_FALSE(passes([](GoodStep& s) { s.tokens[1] = std::numeric_limits<std::int32_t>::min(), s.slots = 4; }));
}

TEST(StepCheck, WantsABlockForWhatIsVisibleOnly) {
  EXPECT_FALSE(passes([](GoodStep& s) { s.table = {0}; }));
  EXPECT_FALSE(passes([](GoodStep& s) { s.table = {0, 4}; }));
  EXPECT_FALSE(passes([](GoodStep& s) { s.table = {-1, 1}; }));
  // Positions 40 and 41 with a window of 9 see 32 and above; with one of 10, row 40 also sees 31.
  EXPECT_TRUE(passes([](GoodStep& s) { s.table = {-1, 1}, s.window = 9; }));
  EXPECT_FALSE(passes([](GoodStep& s) { s.table = {-1, 1}, s.window = 10; }));
  EXPECT_FALSE(passes([](GoodStep& s) { s.table = {-1, 1}, s.window = 9, s.sinks = 1; }));
}

}  // namespace
}  // namespace wisp::graph
