// Finds out which way of doing a thing is fastest on this device, and which are wrong: on first use, within a budget of
// time, between steps when a kernel drifts. What was found is remembered (tuning_memory.h) and reported.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "gpu/tuner/tuning_run.h"

namespace wisp::gpu {

enum class TuneMode : std::uint8_t {
  off,   // the first way that fits and was not found wrong before
  fast,  // at most kFastBudget; what is left over takes its first way
  full,  // everything, with more samples, whatever is remembered
};

// Off where measuring means nothing: on software adapters, unless `full` was asked for.
TuneMode mode_for(TuneMode asked, AdapterType type);

struct TuningResult {
  std::string key;
  std::vector<CandidateResult> candidates;
  int chosen = -1;          // index into candidates; -1: none works
  bool remembered = false;  // from an earlier run, nothing was tried
};

class Tuner {
 public:
  static constexpr std::uint64_t kFastBudget = 5'000'000'000;  // ns

  // `device` and `memory` outlive the tuner.
  Tuner(Device& device, TuningMemory& memory, TuneMode mode, std::uint64_t (*clock)() = now_ns)
      : device_(device), memory_(memory), mode_(mode), clock_(clock) {}

  // Queues a question; the most important are answered first.
  void ask(TuningRequest request);
  // Queues it again, whatever is remembered or how much time was spent: its time has drifted.
  void ask_again(TuningRequest request);

  // Whether the time from here on counts, because somebody waits: not while weights load.
  void count_time(bool counts);

  // Moves on. True: every question has its answer. Code::device when the device is lost; Code::internal when a task
  // cannot be made.
  Result<bool> poll();
  // For callers that may block: what the next poll() waits for.
  [[nodiscard]] Ticket waits_for() const { return run_ == nullptr ? Ticket::none : run_->waits_for(); }

  // The answer for a key; nullptr before it is there. The latest one where it was asked again.
  [[nodiscard]] const TuningResult* result(std::string_view key) const;
  [[nodiscard]] const std::vector<TuningResult>& results() const { return results_; }
  [[nodiscard]] std::uint64_t spent_nanoseconds() const { return spent_; }

 private:
  struct Question {
    TuningRequest request;
    bool again = false;
  };
  // Answers from memory or by default; false: it has to be measured.
  Result<bool> answer_untried(const Question& question);
  void finish_run();
  void keep(TuningResult result);

  Device& device_;
  TuningMemory& memory_;
  TuneMode mode_;
  std::uint64_t (*clock_)();
  std::vector<Question> questions_;  // the most important last
  std::unique_ptr<TuningRun> run_;
  std::string key_;  // of run_
  std::vector<TuningResult> results_;
  bool counts_ = true;
  std::uint64_t spent_ = 0;  // that counted
  std::uint64_t run_began_ = 0;
};

}  // namespace wisp::gpu
