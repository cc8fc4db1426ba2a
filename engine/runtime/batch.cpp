#include "runtime/batch.h"

#include "runtime/sequence.h"

namespace wisp::runtime {

Batch::Batch(const SchedulerLimits& limits, std::uint32_t n_groups) : n_groups_(n_groups) {
  for (std::vector<std::int32_t>* column : {&tokens_, &positions_, &sequences_}) column->reserve(limits.row_budget);
  logit_rows_.reserve(limits.max_logit_rows);
  tables_.reserve(std::size_t{n_groups} * limits.max_sequences);
  copies_.reserve(std::size_t{n_groups} * limits.max_sequences);  // at most a tail block per sequence and group
}

const graph::StepInputs& Batch::fill(std::span<const Pick> picks, const kv::KvManager& kv) {
  for (std::vector<std::int32_t>* column : {&tokens_, &positions_, &sequences_, &logit_rows_}) column->clear();
  tables_.clear();
  copies_.clear();
  prompt_rows_ = 0;

  for (std::size_t index = 0; index < picks.size(); ++index) {
    const auto& sequence = static_cast<const Sequence&>(*picks[index].job);
    const std::uint32_t n = picks[index].rows;
    const std::uint32_t n_logits = sequence.logit_rows(n);
    if (sequence.pending > 1) prompt_rows_ += n;
    for (std::uint32_t i = 0; i < n; ++i) {
      if (i + n_logits >= n) logit_rows_.push_back(static_cast<std::int32_t>(tokens_.size()));
      const std::uint32_t position = sequence.submitted + i;
      tokens_.push_back(i + picks[index].drafts < n ? sequence.token_at(position)
                                                    : sequence.speculator->draft[i + picks[index].drafts - n]);
      positions_.push_back(static_cast<std::int32_t>(position));
      sequences_.push_back(static_cast<std::int32_t>(index));
    }
  }
  for (std::uint32_t group = 0; group < n_groups_; ++group) {
    for (const Pick& pick : picks) {
      tables_.push_back(kv.block_table(*static_cast<const Sequence&>(*pick.job).kv, group));
    }
  }
  for (const kv::CopyBlock& copy : kv.pending_copies()) copies_.push_back({copy.group, copy.from, copy.to});

  inputs_ = {.tokens = tokens_,
             .positions = positions_,
             .sequences = sequences_,
             .logit_rows = logit_rows_,
             .tables = tables_,
             .n_sequences = static_cast<std::uint32_t>(picks.size()),
             .copies = copies_};
  return inputs_;
}

}  // namespace wisp::runtime
