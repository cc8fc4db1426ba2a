// Runs a model on an executor without the runtime: one call is one step. For tests of graphs, plans and executors.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "graph/executor.h"
#include "graph/passes.h"
#include "graph/plan.h"
#include "model/model.h"

namespace wisp::test {

// The value, or a std::runtime_error with the message: in a test an unexpected error ends it.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

struct RunnerOptions {
  model::ContextOptions context = {};
  graph::KvType kv = graph::KvType::f32;
  std::vector<std::string> no_fuse = {};  // names of passes that are switched off
  std::uint32_t max_positions = 512;      // per sequence
  std::uint32_t sequences = 1;
};

// One row of a step.
struct Row {
  std::int32_t token = 0;
  std::int32_t position = 0;
  std::int32_t sequence = 0;
};

class ModelRunner {
 public:
  // `file` must outlive the runner.
  ModelRunner(gguf::File& file, std::unique_ptr<graph::Executor> executor, RunnerOptions options = {})
      : options_(std::move(options)), executor_(std::move(executor)) {
    const model::Model model = must(model::Model::from_file(file, options_.context));
    auto graph = std::make_shared<graph::Graph>(model.graph());
    must(graph::fuse(*graph, options_.no_fuse));
    graph_ = graph;
    must(executor_->load_weights(*graph_, file));
    const std::uint32_t per_sequence = (options_.max_positions + graph::kKvBlock - 1) / graph::kKvBlock;
    std::vector<std::uint32_t> blocks(graph_->kv.groups.size(), per_sequence * options_.sequences);
    must(executor_->allocate_kv(graph_->kv, options_.kv, blocks));
    // Block tables that no two sequences share and that are not the identity.
    for (std::size_t g = 0; g < blocks.size(); ++g) {
      for (std::uint32_t s = 0; s < options_.sequences; ++s) {
        std::vector<std::int32_t> table;
        for (std::uint32_t i = 0; i < per_sequence; ++i) {
          table.push_back(static_cast<std::int32_t>(blocks[g] - 1 - (i * options_.sequences + s)));
        }
        tables_.push_back(std::move(table));
      }
    }
    for (const std::vector<std::int32_t>& table : tables_) table_spans_.emplace_back(table);
  }

  [[nodiscard]] const graph::Graph& graph() const { return *graph_; }
  [[nodiscard]] graph::Executor& executor() { return *executor_; }
  [[nodiscard]] std::size_t vocabulary() const { return graph_->vocabulary; }

  // The logits of every row, [rows, vocabulary]. The plan is that of the rows' bucket, or of `bucket` rows.
  std::vector<float> step(std::span<const Row> rows, std::uint32_t bucket = 0) {
    std::vector<std::int32_t> tokens, positions, sequences, logit_rows;
    for (const Row& row : rows) {
      logit_rows.push_back(static_cast<std::int32_t>(tokens.size()));
      tokens.push_back(row.token);
      positions.push_back(row.position);
      sequences.push_back(row.sequence);
    }
    if (bucket == 0) bucket = graph::row_bucket(static_cast<std::uint32_t>(rows.size()));
    graph::Plan plan = must(graph::make_plan(graph_, bucket, bucket));
    must(executor_->prepare(plan));
    graph::StepInputs inputs;
    inputs.tokens = tokens;
    inputs.positions = positions;
    inputs.sequences = sequences;
    inputs.logit_rows = logit_rows;
    inputs.tables = table_spans_;
    inputs.n_sequences = options_.sequences;
    inputs.copies = copies_;
    const std::span<const float> logits = must(executor_->execute(plan, inputs));
    copies_.clear();
    return {logits.begin(), logits.end()};
  }

  // Feeds `tokens` as consecutive positions of one sequence, in one step.
  std::vector<float> feed(std::span<const std::int32_t> tokens, std::int32_t first_position = 0,
                          std::int32_t sequence = 0) {
    std::vector<Row> rows;
    for (const std::int32_t token : tokens) rows.push_back({token, first_position++, sequence});
    return step(rows);
  }

  // The next step begins with copies of all of one sequence's blocks to another's.
  void copy_sequence(std::uint32_t from, std::uint32_t to) {
    for (std::size_t g = 0; g < graph_->kv.groups.size(); ++g) {
      const std::vector<std::int32_t>& source = tables_[g * options_.sequences + from];
      const std::vector<std::int32_t>& target = tables_[g * options_.sequences + to];
      for (std::size_t i = 0; i < source.size(); ++i) copies_.push_back({static_cast<int>(g), source[i], target[i]});
    }
  }

 private:
  RunnerOptions options_;
  std::unique_ptr<graph::Executor> executor_;
  std::shared_ptr<const graph::Graph> graph_;
  std::vector<std::vector<std::int32_t>> tables_;
  std::vector<std::span<const std::int32_t>> table_spans_;
  std::vector<graph::BlockCopy> copies_;
};

}  // namespace wisp::test
