// The inputs of one step, in memory that is laid out once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/executor.h"
#include "kv/manager.h"
#include "runtime/scheduler.h"

namespace wisp::runtime {

class Batch {
 public:
  Batch(const SchedulerLimits& limits, std::uint32_t n_groups);

  // The rows of all picks, which are Sequences that `kv` has made room for; a token that only the device knows is named
  // by the sequence's slot. The result is valid until the next call and as long as `kv` does not change.
  const graph::StepInputs& fill(std::span<const Pick> picks, const kv::KvManager& kv);

  [[nodiscard]] std::uint32_t rows() const { return static_cast<std::uint32_t>(tokens_.size()); }
  [[nodiscard]] std::uint32_t logit_rows() const { return static_cast<std::uint32_t>(logit_rows_.size()); }
  [[nodiscard]] std::uint32_t sequences() const { return inputs_.n_sequences; }
  // Rows of jobs that had more than their next token to compute.
  [[nodiscard]] std::uint32_t prompt_rows() const { return prompt_rows_; }

 private:
  std::uint32_t n_groups_;
  std::vector<std::int32_t> tokens_, positions_, sequences_;  // [rows]
  std::vector<std::int32_t> logit_rows_;                      // [logit rows]
  std::vector<std::span<const std::int32_t>> tables_;         // [groups, sequences]
  std::vector<graph::BlockCopy> copies_;
  std::uint32_t prompt_rows_ = 0;
  graph::StepInputs inputs_;
};

}  // namespace wisp::runtime
