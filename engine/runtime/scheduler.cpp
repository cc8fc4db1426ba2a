#include "runtime/scheduler.h"

#include <algorithm>

namespace wisp::runtime {
namespace {

bool serves_before(const Job* a, const Job* b) {
  if (a->priority != b->priority) return a->priority > b->priority;
  return a->arrival < b->arrival;
}

void insert_in_order(std::vector<Job*>& queue, Job* job) {
  queue.insert(std::upper_bound(queue.begin(), queue.end(), job, serves_before), job);
}

}  // namespace

// What is left of the step. Every running job that has not been served yet is promised a row, with its logits.
struct Scheduler::Budget {
  std::uint32_t rows, logit_rows, prompt_rows;
  std::uint32_t chunk;

  // The rows `job` may have while `promised` others still come.
  [[nodiscard]] std::uint32_t offer(const Job& job, std::uint32_t promised) const {
    if (rows <= promised || logit_rows <= promised) return 0;
    const std::uint32_t prompt = std::max(1u, std::min(chunk, prompt_rows));
    std::uint32_t n = std::min({job.pending, rows - promised, prompt});
    if (job.scoring && n > job.unscored) n = std::min(n - job.unscored, logit_rows - promised) + job.unscored;
    return n;
  }
  void spend(const Job& job, std::uint32_t n) {
    rows -= n;
    logit_rows -= job.logit_rows(n);
    if (job.pending > 1) prompt_rows -= std::min(prompt_rows, n);
  }
};

Scheduler::Scheduler(SchedulerLimits limits) : limits_(limits) {
  running_.reserve(limits.max_sequences);
  picks_.reserve(limits.max_sequences);
  preempted_.reserve(limits.max_sequences);
}

void Scheduler::enqueue(Job& job) { insert_in_order(waiting_, &job); }

void Scheduler::start(Job& job) { insert_in_order(running_, &job); }

void Scheduler::remove(Job& job) {
  std::erase(running_, &job);
  std::erase(waiting_, &job);
  if (stalled_ == &job) stalled_ = nullptr;
}

void Scheduler::preempt(Job& job, JobMemory& memory) {
  if (std::erase(running_, &job) == 0) return;
  if (stalled_ == &job) stalled_ = nullptr;
  memory.evict(job);
  enqueue(job);
}

bool Scheduler::generating() const {
  return std::any_of(running_.begin(), running_.end(), [](const Job* job) { return job->pending <= 1; });
}

std::span<const Pick> Scheduler::pick(PromptShare share, JobMemory& memory, bool may_preempt) {
  picks_.clear();
  preempted_.clear();
  stalled_ = nullptr;
  short_of_memory_ = false;
  Budget budget{limits_.row_budget, limits_.max_logit_rows, share.total, share.chunk};
  serve_running(budget, memory, may_preempt);
  // A step that had to take memory away must not hand it to newcomers, who would lose it to the same pressure.
  if (!short_of_memory_) admit_waiting(budget, memory);
  if (!short_of_memory_) serve_drafts(budget, memory);
  return picks_;
}

void Scheduler::serve_running(Budget& budget, JobMemory& memory, bool may_preempt) {
  // extend_or_preempt() removes jobs behind i only.
  for (std::size_t i = 0; i < running_.size(); ++i) {
    Job& job = *running_[i];
    if (job.pending == 0) continue;
    const auto promised = static_cast<std::uint32_t>(running_.size() - i - 1);
    const std::uint32_t offered = budget.offer(job, promised);
    std::uint32_t rows = offered;
    if (may_preempt) {
      rows = extend_or_preempt(job, offered, memory);
    } else if (!memory.extend(job, offered)) {
      rows = 0;
    }
    if (rows == 0) {  // it pauses while those before it go on; the last in order where jobs may be preempted
      short_of_memory_ = true;
      if (may_preempt && picks_.empty()) stalled_ = &job;
      return;
    }
    budget.spend(job, rows);
    picks_.push_back({&job, rows});
  }
}

// What nobody else wanted.
void Scheduler::serve_drafts(Budget& budget, JobMemory& memory) {
  for (Pick& pick : picks_) {
    if (pick.rows != pick.job->pending) continue;
    std::uint32_t rows = std::min({pick.job->drafts, budget.rows, budget.logit_rows});
    while (rows > 0 && !memory.extend(*pick.job, rows)) rows /= 2;
    pick.rows += rows;
    pick.drafts = rows;
    budget.rows -= rows;
    budget.logit_rows -= rows;
  }
}

std::uint32_t Scheduler::extend_or_preempt(Job& job, std::uint32_t rows, JobMemory& memory) {
  while (rows > 0 && !memory.extend(job, rows)) {
    Job* const last = running_.back();
    if (last == &job) {
      rows /= 2;
    } else {
      preempt(*last, memory);
      preempted_.push_back(last);
      short_of_memory_ = true;
    }
  }
  return rows;
}

void Scheduler::admit_waiting(Budget& budget, JobMemory& memory) {
  while (!waiting_.empty() && has_room() && budget.prompt_rows > 0) {
    Job& job = *waiting_.front();
    // Strictly in order: a later, smaller job may not starve this one.
    if (budget.offer(job, 0) == 0 || !memory.admit(job, !running_.empty())) return;
    std::uint32_t rows = budget.offer(job, 0);
    // Alone, it takes what it gets; beside others it waits for a better time.
    while (rows > 0 && !memory.extend(job, rows)) rows = running_.empty() ? rows / 2 : 0;
    if (rows == 0) {
      memory.evict(job);
      if (running_.empty()) stalled_ = &job;
      return;
    }
    waiting_.erase(waiting_.begin());
    insert_in_order(running_, &job);
    budget.spend(job, rows);
    picks_.push_back({&job, rows});
  }
}

}  // namespace wisp::runtime
