#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <numeric>
#include <vector>

namespace wisp {
namespace {

std::unique_ptr<ThreadPool> pool_of(int threads) {
  auto pool = ThreadPool::create(threads);
  EXPECT_TRUE(pool.has_value()) << pool.error().message;
  return pool ? std::move(*pool) : nullptr;
}

// Every task exactly once, whatever the ratio of tasks to threads; the counters are plain ints on purpose, so that
// ThreadSanitizer sees a task that two workers took, or a caller that returned too early.
TEST(ThreadPoolThreads, EveryTaskRunsOnceAndIsSeenByTheCaller) {
  for (const int threads : {1, 2, 3, 8}) {
    const auto pool = pool_of(threads);
    for (const std::int64_t tasks : {0, 1, 2, 7, 64, 1000}) {
      std::vector<int> runs(static_cast<std::size_t>(tasks), 0);
      pool->parallel_for(tasks, [&](std::int64_t task, int) { ++runs[static_cast<std::size_t>(task)]; });
      EXPECT_EQ(runs, std::vector<int>(runs.size(), 1)) << threads << " threads, " << tasks << " tasks";
    }
  }
}

TEST(ThreadPoolThreads, TheWorkerIndexOwnsItsScratch) {
  const auto pool = pool_of(3);
  std::vector<std::int64_t> sums(3, 0);
  constexpr std::int64_t kTasks = 10'000;
  pool->parallel_for(kTasks, [&](std::int64_t task, int worker) { sums.at(static_cast<std::size_t>(worker)) += task; });
  EXPECT_EQ(std::accumulate(sums.begin(), sums.end(), std::int64_t{0}), kTasks * (kTasks - 1) / 2);
}

// A decode step is hundreds of short jobs in a row: none may be missed between spinning, sleeping and waking.
TEST(ThreadPoolThreads, ManyShortJobsInARow) {
  const auto pool = pool_of(4);
  std::int64_t total = 0;
  for (int job = 0; job < 2000; ++job) {
    std::atomic<std::int64_t> sum = 0;
    pool->parallel_for(8, [&](std::int64_t task, int) { sum.fetch_add(task, std::memory_order_relaxed); });
    total += sum.load();
  }
  EXPECT_EQ(total, 2000 * 28);
}

TEST(ThreadPool, RefusesThreadCountsThatMakeNoSense) {
  for (const int threads : {0, -1, 1'000'000}) {
    const auto pool = ThreadPool::create(threads);
    ASSERT_FALSE(pool.has_value()) << threads;
    EXPECT_EQ(pool.error().code, Code::invalid_argument);
    EXPECT_NE(pool.error().message.find(std::to_string(threads)), std::string::npos) << pool.error().message;
  }
}

}  // namespace
}  // namespace wisp
