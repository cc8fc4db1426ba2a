// Who computes how many rows in the next step. Pure policy: it knows no tokens, no model and no clock, and asks for
// memory through an interface, so it can be tested with numbers alone.
//
// Running jobs come first, in order of (priority, arrival); each gets at least one row. Then waiting ones are admitted
// in the same order while rows and memory last. Out of memory, the running job that is last in that order loses its
// own.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace wisp::runtime {

// What the scheduler knows of a request. The engine's sequences derive from it.
struct Job {
  std::uint64_t arrival = 0;  // unique; smaller came first
  int priority = 0;           // higher is served first
  // Tokens that are known, or will be before the next step needs them, and neither computed nor in flight. 0: nothing
  // to compute before a step in flight has ended.
  std::uint32_t pending = 0;
  // Rows behind the last pending one that would be of use (guesses), where there is room to spare.
  std::uint32_t drafts = 0;

  // Logits: of the last pending row (and of guesses) only, or, for a scoring job, of every row from pending row
  // `unscored` on.
  bool scoring = false;
  std::uint32_t unscored = 0;

  // Logit rows that the first `rows` pending rows ask for.
  [[nodiscard]] std::uint32_t logit_rows(std::uint32_t rows) const {
    if (scoring) return rows > unscored ? rows - unscored : 0;
    return rows >= pending ? rows - pending + 1 : 0;  // of every guess, too
  }
};

// The memory that running takes.
class JobMemory {
 public:
  virtual ~JobMemory() = default;
  // Gives a waiting job its place and whatever shared prefix there is (reducing `pending` and `unscored`). False, with
  // nothing changed, when there is too little room to start it now.
  virtual bool admit(Job& job, bool others_running) = 0;
  // Room for `rows` more rows of an admitted job. False, with nothing changed, when it is not there.
  virtual bool extend(Job& job, std::uint32_t rows) = 0;
  // Takes all of a job's memory (restoring `pending` and `unscored`).
  virtual void evict(Job& job) = 0;
};

struct SchedulerLimits {
  std::uint32_t row_budget = 1;  // at least max_sequences
  std::uint32_t max_sequences = 1;
  std::uint32_t max_logit_rows = 1;  // at least max_sequences
};

// How much prompt a step takes: `chunk` rows of one job, `total` rows of all of them; both at least 1. A job with one
// pending row is not held back by either.
struct PromptShare {
  std::uint32_t chunk, total;
};

struct Pick {
  Job* job;
  std::uint32_t rows;
  std::uint32_t drafts = 0;  // of them
};

class Scheduler {
 public:
  explicit Scheduler(SchedulerLimits limits);

  // Jobs are the caller's and must stay where they are until remove().
  void enqueue(Job& job);                     // behind those of equal priority that came earlier
  void start(Job& job);                       // a job that has its memory already (a fork); only while has_room()
  void remove(Job& job);                      // wherever it is; its memory is the caller's business
  void preempt(Job& job, JobMemory& memory);  // a running job goes back to waiting

  // The next step's rows; one pick a job. Valid until the next call. Empty when nothing has pending rows, or when
  // stalled() names a job that found no memory for a single row with all others out of the way. Without `may_preempt`
  // nobody loses memory: the first job that finds none, and those behind it, get no rows, and short_of_memory() tells.
  std::span<const Pick> pick(PromptShare share, JobMemory& memory, bool may_preempt = true);
  [[nodiscard]] Job* stalled() const { return stalled_; }
  [[nodiscard]] std::span<Job* const> preempted() const { return preempted_; }  // by the last pick()
  [[nodiscard]] bool short_of_memory() const { return short_of_memory_; }       // in the last pick()

  [[nodiscard]] bool has_room() const { return running_.size() < limits_.max_sequences; }
  [[nodiscard]] bool idle() const { return running_.empty() && waiting_.empty(); }
  [[nodiscard]] std::span<Job* const> running() const { return running_; }
  [[nodiscard]] std::span<Job* const> waiting() const { return waiting_; }
  // A running job is at its last pending row or past it: somebody waits for a next token.
  [[nodiscard]] bool generating() const;

 private:
  struct Budget;
  void serve_running(Budget& budget, JobMemory& memory, bool may_preempt);
  void admit_waiting(Budget& budget, JobMemory& memory);
  void serve_drafts(Budget& budget, JobMemory& memory);
  // Extends by `rows`, preempting later jobs while that fails; the last job takes fewer rows rather than none. 0 if
  // none.
  std::uint32_t extend_or_preempt(Job& job, std::uint32_t rows, JobMemory& memory);

  SchedulerLimits limits_;
  // In serving order.
  std::vector<Job*> running_, waiting_;
  std::vector<Pick> picks_;
  std::vector<Job*> preempted_;
  Job* stalled_ = nullptr;
  bool short_of_memory_ = false;
};

}  // namespace wisp::runtime
