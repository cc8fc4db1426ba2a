// The steps that were begun and not ended, oldest first, and what has to be remembered of each to consume its results:
// a ring that allocates nothing once it is made.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "graph/async_executor.h"
#include "runtime/request.h"

namespace wisp::runtime {

// What a step in flight does for one sequence.
struct PickInFlight {
  RequestId id{};
  std::uint32_t evictions = 0;  // of the sequence, when the step began
  std::uint32_t rows = 0;
  std::uint32_t drafts = 0;      // of them, behind the last token: guesses
  std::uint32_t logit_rows = 0;  // that the host sees
  bool scores = false;           // they are for Request::on_logits
  bool is_last = false;          // no row was left pending: the next token is chosen from the last row
  bool samples = false;          // ... by the device
};

struct StepInFlight {
  std::optional<graph::StepTicket> ticket;  // on a device; nothing to collect without one
  bool done = false;                        // what came of it is here
  Status outcome;                           // a failure is one of the requests it has rows of ...
  bool fails_all = false;                   // ... or of all there are
  graph::StepOutput output;
  std::uint64_t begin_ns = 0;
  std::uint32_t rows = 0, prompt_rows = 0;
  std::vector<PickInFlight> picks;
};

class Flight {
 public:
  Flight(std::uint32_t most_steps, std::uint32_t most_picks) : steps_(most_steps) {
    for (StepInFlight& step : steps_) step.picks.reserve(most_picks);
  }

  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] bool full() const { return size_ == steps_.size(); }
  [[nodiscard]] std::uint32_t size() const { return size_; }
  // Only while not empty().
  [[nodiscard]] StepInFlight& oldest() { return steps_[first_]; }

  // A blank step behind the others; only while not full().
  StepInFlight& push() {
    StepInFlight& step = steps_[(first_ + size_++) % steps_.size()];
    std::vector<PickInFlight> picks = std::move(step.picks);
    picks.clear();
    step = {};
    step.picks = std::move(picks);
    return step;
  }
  void pop() {
    first_ = (first_ + 1) % static_cast<std::uint32_t>(steps_.size());
    size_ -= 1;
  }
  void clear() { size_ = 0; }

 private:
  std::vector<StepInFlight> steps_;
  std::uint32_t first_ = 0, size_ = 0;
};

}  // namespace wisp::runtime
