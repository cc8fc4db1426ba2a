#include "runtime/scheduler.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>

#include "runtime/pace.h"

namespace wisp::runtime {
namespace {

// Memory counted in rows: a job holds what it computed.
class CountedMemory : public JobMemory {
 public:
  explicit CountedMemory(std::uint32_t rows) : free_(rows) {}

  bool admit(Job& job, bool others_running) override {
    if (others_running && free_ < job.pending) return false;
    EXPECT_FALSE(held_.contains(&job));
    held_[&job] = 0;
    return true;
  }
  bool extend(Job& job, std::uint32_t rows) override {
    EXPECT_TRUE(held_.contains(&job));
    if (free_ < rows) return false;
    free_ -= rows;
    held_[&job] += rows;
    return true;
  }
  void evict(Job& job) override {
    free_ += held_[&job];
    job.pending += computed_[&job];
    computed_[&job] = 0;
    held_.erase(&job);
  }
  // What the engine does after a step: the rows are computed, and the last one gave a new token.
  void finish_step(std::span<const Pick> picks) {
    for (const Pick& pick : picks) {
      pick.job->pending -= pick.rows;
      computed_[pick.job] += pick.rows;
      if (pick.job->pending == 0) pick.job->pending = 1;
    }
  }
  [[nodiscard]] std::uint32_t free() const { return free_; }
  [[nodiscard]] bool holds(const Job& job) const { return held_.contains(&job); }
  [[nodiscard]] std::uint32_t computed(const Job& job) { return computed_[&job]; }

 private:
  std::uint32_t free_;
  std::map<const Job*, std::uint32_t> held_, computed_;
};

constexpr PromptShare kAll{1000, 1000};

class SchedulerTest : public testing::Test {
 protected:
  Job& job(std::uint32_t pending, int priority = 0) {
    Job& made = jobs_.emplace_back();
    made.arrival = jobs_.size();
    made.priority = priority;
    made.pending = pending;
    return made;
  }
  std::deque<Job> jobs_;
};

std::vector<std::pair<std::uint64_t, std::uint32_t>> summary(std::span<const Pick> picks) {
  std::vector<std::pair<std::uint64_t, std::uint32_t>> pairs;
  for (const Pick& pick : picks) pairs.emplace_back(pick.job->arrival, pick.rows);
  return pairs;
}
using Picked = std::vector<std::pair<std::uint64_t, std::uint32_t>>;

TEST_F(SchedulerTest, FourPromptsAreOneStepWithoutPadding) {
  Scheduler scheduler({2048, 8, 64});
  CountedMemory memory(100000);
  for (int i = 0; i < 4; ++i) scheduler.enqueue(job(512));
  EXPECT_EQ(summary(scheduler.pick({2048, 2048}, memory)), (Picked{{1, 512}, {2, 512}, {3, 512}, {4, 512}}));
}

TEST_F(SchedulerTest, ServesByPriorityThenArrival) {
  Scheduler scheduler({100, 2, 100});
  CountedMemory memory(1000);
  scheduler.enqueue(job(10));
  scheduler.enqueue(job(10, 1));
  scheduler.enqueue(job(10, 1));
  EXPECT_EQ(summary(scheduler.pick(kAll, memory)), (Picked{{2, 10}, {3, 10}}));
}

TEST_F(SchedulerTest, EveryRunningJobGetsARowBesideALongPrompt) {
  Scheduler scheduler({16, 4, 16});
  CountedMemory memory(1000);
  for (int i = 0; i < 3; ++i) scheduler.enqueue(job(1));
  memory.finish_step(scheduler.pick(kAll, memory));
  scheduler.enqueue(job(100, 5));  // would take all 16 rows by its priority
  memory.finish_step(scheduler.pick(kAll, memory));
  const Picked picked = summary(scheduler.pick(kAll, memory));
  EXPECT_EQ(picked, (Picked{{4, 13}, {1, 1}, {2, 1}, {3, 1}}));
}

TEST_F(SchedulerTest, PromptShareHoldsPromptsBackAndNobodyElse) {
  Scheduler scheduler({64, 8, 64});
  CountedMemory memory(1000);
  scheduler.enqueue(job(1));
  memory.finish_step(scheduler.pick(kAll, memory));
  EXPECT_TRUE(scheduler.generating());
  scheduler.enqueue(job(100));
  scheduler.enqueue(job(100));
  // Eight prompt rows a step: the second prompt is not even admitted.
  EXPECT_EQ(summary(scheduler.pick({1000, 8}, memory)), (Picked{{1, 1}, {2, 8}}));
  memory.finish_step(scheduler.pick({5, 1000}, memory));
  EXPECT_EQ(summary(scheduler.pick({5, 1000}, memory)), (Picked{{1, 1}, {2, 5}, {3, 5}}));
}

TEST_F(SchedulerTest, LogitRowsAreABudgetToo) {
  Scheduler scheduler({100, 4, 6});
  CountedMemory memory(1000);
  Job& scored = job(50);
  scored.scoring = true;
  scored.unscored = 10;
  scheduler.enqueue(scored);
  EXPECT_EQ(summary(scheduler.pick(kAll, memory)), (Picked{{1, 16}}));  // ten that want none and six that do
  EXPECT_EQ(scored.logit_rows(16), 6u);
  EXPECT_EQ(scored.logit_rows(4), 0u);
  EXPECT_EQ(job(50).logit_rows(50), 1u);
  EXPECT_EQ(job(50).logit_rows(49), 0u);
}

TEST_F(SchedulerTest, PreemptsTheLeastAndLatestAndAdmitsNobodyThen) {
  Scheduler scheduler({100, 4, 100});
  CountedMemory memory(30);
  Job& first = job(10, 1);
  Job& second = job(10);
  Job& third = job(10);
  for (Job* each : {&third, &second, &first}) scheduler.enqueue(*each);
  memory.finish_step(scheduler.pick(kAll, memory));
  ASSERT_EQ(memory.free(), 0u);
  Job& small = job(1, 9);
  scheduler.enqueue(small);  // there would be room for it after the preemption
  EXPECT_EQ(summary(scheduler.pick(kAll, memory)), (Picked{{1, 1}, {2, 1}}));
  ASSERT_EQ(scheduler.preempted().size(), 1u);
  EXPECT_EQ(scheduler.preempted()[0], &third);
  EXPECT_FALSE(memory.holds(third));
  EXPECT_EQ(third.pending, 11u);  // all of it, and the token it had made
  EXPECT_EQ(scheduler.waiting().front(), &small);
}

TEST_F(SchedulerTest, TheLastJobPausesRatherThanLosingItsMemory) {
  Scheduler scheduler({100, 2, 100});
  CountedMemory memory(21);
  scheduler.enqueue(job(10));
  scheduler.enqueue(job(10));
  memory.finish_step(scheduler.pick(kAll, memory));
  EXPECT_EQ(summary(scheduler.pick(kAll, memory)), (Picked{{1, 1}}));
  EXPECT_TRUE(scheduler.preempted().empty());
  EXPECT_EQ(scheduler.stalled(), nullptr);
  EXPECT_EQ(scheduler.running().size(), 2u);
}

TEST_F(SchedulerTest, PassesOverWhoHasNothingToCompute) {
  Scheduler scheduler({8, 3, 8});
  CountedMemory memory(100);
  for (int i = 0; i < 3; ++i) scheduler.enqueue(job(1));
  memory.finish_step(scheduler.pick(kAll, memory));
  jobs_[1].pending = 0;  // its token is on its way
  EXPECT_EQ(summary(scheduler.pick(kAll, memory)), (Picked{{1, 1}, {3, 1}}));
  EXPECT_TRUE(scheduler.generating());
  EXPECT_FALSE(scheduler.short_of_memory());
  for (Job& each : jobs_) each.pending = 0;
  EXPECT_TRUE(scheduler.pick(kAll, memory).empty());
  EXPECT_EQ(scheduler.stalled(), nullptr);
}

TEST_F(SchedulerTest, NobodyLosesMemoryWhileItMayNot) {
  Scheduler scheduler({100, 4, 100});
  CountedMemory memory(31);
  for (int i = 0; i < 3; ++i) scheduler.enqueue(job(10));
  memory.finish_step(scheduler.pick(kAll, memory));
  ASSERT_EQ(memory.free(), 1u);
  EXPECT_EQ(summary(scheduler.pick(kAll, memory, false)), (Picked{{1, 1}}));
  EXPECT_TRUE(scheduler.short_of_memory());
  EXPECT_EQ(scheduler.stalled(), nullptr);
  EXPECT_TRUE(scheduler.preempted().empty());
  EXPECT_TRUE(scheduler.pick(kAll, memory, false).empty());
  EXPECT_EQ(scheduler.stalled(), nullptr);
  EXPECT_EQ(scheduler.running().size(), 3u);
  EXPECT_EQ(summary(scheduler.pick(kAll, memory)), (Picked{{1, 1}, {2, 1}}));
  EXPECT_EQ(scheduler.preempted().size(), 1u);
}

TEST_F(SchedulerTest, ALoneJobTakesWhatThereIsThenStalls) {
  Scheduler scheduler({100, 2, 100});
  CountedMemory memory(12);
  Job& lone = job(20);
  scheduler.enqueue(lone);
  EXPECT_EQ(summary(scheduler.pick(kAll, memory)), (Picked{{1, 10}}));
  memory.finish_step(scheduler.pick(kAll, memory));
  EXPECT_EQ(scheduler.stalled(), nullptr);
  while (memory.free() > 0) memory.finish_step(scheduler.pick(kAll, memory));
  EXPECT_TRUE(scheduler.pick(kAll, memory).empty());
  EXPECT_EQ(scheduler.stalled(), &lone);
}

TEST_F(SchedulerTest, ALargeWaitingJobIsNotOvertaken) {
  Scheduler scheduler({100, 4, 100});
  CountedMemory memory(50);
  scheduler.enqueue(job(20));
  memory.finish_step(scheduler.pick(kAll, memory));
  scheduler.enqueue(job(40));
  scheduler.enqueue(job(1));
  EXPECT_EQ(summary(scheduler.pick(kAll, memory)), (Picked{{1, 1}}));
  EXPECT_EQ(scheduler.waiting().size(), 2u);
}

// Random jobs come and go in little memory; what must always hold is checked at each step, and all of them end.
TEST_F(SchedulerTest, RandomLoadKeepsEveryPromise) {
  std::mt19937 random(7);
  for (int round = 0; round < 60; ++round) {
    const auto roll = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
    const std::uint32_t sequences = 1 + roll(6);
    const SchedulerLimits limits{sequences + roll(20), sequences, sequences + roll(4)};
    const std::uint32_t capacity = 60;
    Scheduler scheduler(limits);
    CountedMemory memory(capacity);
    std::map<Job*, std::uint32_t> to_do;  // rows until it ends
    for (int i = 0; i < 25; ++i) {
      Job& made = job(1 + roll(30), static_cast<int>(roll(3)));
      made.scoring = roll(4) == 0;
      to_do[&made] = made.pending + roll(20);
      scheduler.enqueue(made);
    }
    std::uint32_t steps = 0;
    while (!scheduler.idle()) {
      ASSERT_LT(++steps, 20000u);
      const std::span<const Pick> picks = scheduler.pick({1 + roll(20), 1 + roll(20)}, memory);
      ASSERT_FALSE(picks.empty());
      ASSERT_EQ(scheduler.stalled(), nullptr);
      std::uint32_t rows = 0, logit_rows = 0;
      for (std::size_t i = 0; i < picks.size(); ++i) {
        ASSERT_GE(picks[i].rows, 1u);
        ASSERT_LE(picks[i].rows, picks[i].job->pending);
        ASSERT_TRUE(memory.holds(*picks[i].job));
        rows += picks[i].rows;
        logit_rows += picks[i].job->logit_rows(picks[i].rows);
        for (std::size_t j = 0; j < i; ++j) {
          ASSERT_NE(picks[i].job, picks[j].job);
        }
      }
      ASSERT_LE(rows, limits.row_budget);
      ASSERT_LE(logit_rows, limits.max_logit_rows);
      ASSERT_LE(scheduler.running().size(), limits.max_sequences);
      for (const Job* waiting : scheduler.waiting()) {
        ASSERT_FALSE(memory.holds(*waiting));
      }
      memory.finish_step(picks);
      const std::vector<Job*> running(scheduler.running().begin(), scheduler.running().end());
      for (Job* each : running) {
        if (memory.computed(*each) < to_do[each]) continue;
        memory.evict(*each);
        scheduler.remove(*each);
      }
    }
    EXPECT_EQ(memory.free(), capacity);
  }
}

TEST(SchedulerPaceTest, ConvergesToTheTargetFromBothSides) {
  for (const std::uint64_t ns_per_row : {10'000u, 100'000u, 1'000'000u, 5'000'000u}) {
    Pace pace(512, 50'000'000);
    for (int step = 0; step < 60; ++step) pace.observe(pace.prompt_rows(), pace.prompt_rows() * ns_per_row);
    const std::uint64_t ideal = std::clamp<std::uint64_t>(50'000'000 / ns_per_row, 8, 512);
    EXPECT_GE(pace.prompt_rows() * 3, ideal * 2) << ns_per_row;
    EXPECT_LE(pace.prompt_rows() * 2, ideal * 3) << ns_per_row;
  }
}

TEST(SchedulerPaceTest, OneOutlierAtMostHalvesAndIdleStepsSayNothing) {
  Pace pace(512, 50'000'000);
  const std::uint32_t before = pace.prompt_rows();
  pace.observe(before, 50'000'000'000);
  EXPECT_EQ(pace.prompt_rows(), before / 2);
  pace.observe(0, 50'000'000'000);
  EXPECT_EQ(pace.prompt_rows(), before / 2);
  pace.observe(2, 1'000);  // fast, but it did not use its share
  EXPECT_EQ(pace.prompt_rows(), before / 2);
}

}  // namespace
}  // namespace wisp::runtime
