// What the engine did and holds: plain numbers, for whoever prints them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/executor.h"
#include "kv/manager.h"

namespace wisp::runtime {

// Cheap totals since the engine was made.
struct Counters {
  std::uint64_t steps = 0;
  std::uint64_t rows = 0;  // of all steps; recomputed ones count again
  std::uint64_t logit_rows = 0;
  std::uint64_t prompt_tokens = 0;  // computed rows that belong to prompts, recomputed ones too
  std::uint64_t cached_tokens = 0;  // prompt tokens that a prefix hit made unnecessary
  std::uint64_t generated_tokens = 0;
  std::uint64_t forced_tokens = 0;  // of them, those that a constraint left no choice about
  std::uint64_t preemptions = 0;
  std::uint64_t drafted_tokens = 0, accepted_tokens = 0;  // guessed ahead, and of them right
  // Of a device that runs by itself.
  std::uint32_t most_steps_in_flight = 0;  // at once: submitted, their tokens unread
  std::uint64_t device_tokens = 0;         // asked of the device's sampler ...
  std::uint64_t dropped_tokens = 0;        // ... that came after a stop, or were lost with what made them
  std::uint64_t device_losses = 0;
  std::uint64_t requests_submitted = 0, requests_refused = 0, requests_finished = 0, requests_cancelled = 0,
                requests_failed = 0;       // finished counts all of them, the last two are among it
  std::uint64_t execute_ns = 0;            // inside Executor::execute, or, on a device, as step_ns
  std::uint64_t step_ns = 0;               // from begin_step or the end of the step before to the end of end_step
  std::uint32_t running = 0, waiting = 0;  // now
};

// An op of the model, summed over the steps of all row buckets. Times are 0 unless profiling is on.
struct OpTime {
  std::string name;  // graph::op_name
  int layer = -1;    // -1: before or after the layers
  graph::OpCounter counter;
};

struct KvUse {
  std::vector<kv::GroupUsage> groups;
  kv::KvCounters counters;
};

}  // namespace wisp::runtime
