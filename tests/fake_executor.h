// A backend without a model: each position's state is a hash of its token and of every state that attention may see,
// read back through block tables from a paged store of its own. So a wrong block, a missed copy, a stale or unwritten
// position or a wrong window changes the logits, or is found out at once. FakeModel computes the same without any
// paging.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/token.h"
#include "graph/executor.h"
#include "sample/params.h"

namespace wisp::test {

// What the fake computes, straight from the tokens.
class FakeModel {
 public:
  // Group i of the layout has groups[i]; one layer each.
  FakeModel(std::uint32_t vocabulary, std::vector<graph::KvGroup> groups)
      : vocabulary_(vocabulary), groups_(std::move(groups)) {}

  // A graph of this layout that plans and passes accept; the fake executes none of its ops.
  [[nodiscard]] graph::Graph graph() const;

  // Logits after each of `tokens` [tokens, vocabulary].
  [[nodiscard]] std::vector<std::vector<float>> logits(const std::vector<TokenId>& tokens) const;
  // The next `n` tokens that greedy choice makes, or a sampler with these parameters.
  [[nodiscard]] std::vector<TokenId> continue_greedily(std::vector<TokenId> tokens, std::uint32_t n) const;
  [[nodiscard]] std::vector<TokenId> continue_text(std::vector<TokenId> tokens, std::uint32_t n,
                                                   const sample::SamplingParams& params) const;

  [[nodiscard]] std::uint32_t vocabulary() const { return vocabulary_; }
  [[nodiscard]] const std::vector<graph::KvGroup>& groups() const { return groups_; }

 private:
  // Appends the states of the tokens that have none yet.
  void extend_states(const std::vector<TokenId>& tokens, std::vector<std::uint64_t>& states) const;
  [[nodiscard]] std::vector<float> logits_of(std::uint64_t state) const;

  std::uint32_t vocabulary_;
  std::vector<graph::KvGroup> groups_;
};

// What a test may look at, and break, while an engine owns the executor.
struct FakeControls {
  std::optional<std::string> broken_rule;  // the first misuse seen; execute() then also fails
  std::uint64_t steps = 0;
  std::vector<std::uint32_t> rows_of_steps;
  std::vector<std::uint32_t> sequences_of_steps;
  bool record = true;                         // the two lists above
  std::optional<std::uint64_t> fail_at_step;  // that step, counted from 0, fails with Code::device
  std::optional<TokenId> nan_token;           // rows that hold it have no number in their logits
  bool refuse_prepare = false;
  std::uint64_t kv_room = ~std::uint64_t{0};  // bytes
  std::uint64_t weight_bytes = 0;             // as memory() tells them
  bool loaded = false;
  std::optional<graph::KvType> kv_type;  // that memory was allocated for
  // Each step advances the fake clock by this much a row.
  std::uint64_t ns_per_row = 1000;
};

// For EngineOptions::clock: moves only with the fake's steps. One for all fakes.
std::uint64_t fake_clock();

class FakeExecutor : public graph::Executor {
 public:
  FakeExecutor(const FakeModel& model, std::shared_ptr<FakeControls> controls);

  [[nodiscard]] std::string describe() const override { return "fake"; }
  Status begin_load(const graph::Graph& graph, const gguf::File& file) override;
  Result<graph::LoadState> load_more() override;
  [[nodiscard]] const graph::WeightStream* weight_stream() const override { return nullptr; }
  std::optional<std::uint64_t> kv_room(std::uint64_t wanted) override;
  Status allocate_kv(const graph::KvLayout& layout, graph::KvType type, std::span<const std::uint32_t> blocks) override;
  Status prepare(const graph::Plan& plan) override;
  Result<std::span<const float>> execute(const graph::Plan& plan, const graph::StepInputs& step) override;
  void set_profiling(bool on, std::function<void(int, std::uint64_t, std::uint64_t)> trace) override;
  [[nodiscard]] std::span<const graph::OpCounter> counters() const override { return counters_; }
  [[nodiscard]] std::vector<graph::MemoryUse> memory() const override;

 protected:
  [[nodiscard]] std::unexpected<Error> broken(std::string rule) const;
  [[nodiscard]] bool records() const { return controls_->record; }
  [[nodiscard]] std::uint32_t vocabulary() const { return model_.vocabulary(); }
  // All that was ever written.
  void forget_cells();

 private:
  static constexpr std::int32_t kUnwritten = -1;
  struct Cell {
    std::uint64_t state = 0;
    std::int32_t position = kUnwritten;
    std::uint64_t step = 0;      // when it was written ...
    std::int32_t sequence = -1;  // ... and by which sequence of that step
  };

  [[nodiscard]] Status check_shape(const graph::Plan& plan, const graph::StepInputs& step) const;
  // The cell of `position` in the row's sequence; an error when the tables name no block for it.
  Result<Cell*> cell(const graph::StepInputs& step, std::size_t group, std::int32_t sequence, std::int32_t position);
  Status copy_blocks(const graph::StepInputs& step);
  Status compute_row(const graph::StepInputs& step, std::size_t row);

  FakeModel model_;
  std::shared_ptr<FakeControls> controls_;
  std::vector<std::vector<Cell>> cells_;  // [groups][blocks * kKvBlock]
  std::vector<std::uint64_t> row_states_;
  std::vector<float> logits_;
  std::unordered_set<const graph::Plan*> prepared_;
  std::vector<graph::OpCounter> counters_;
  std::function<void(int, std::uint64_t, std::uint64_t)> trace_;
};

}  // namespace wisp::test
