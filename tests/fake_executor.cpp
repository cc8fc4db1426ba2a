#include "tests/fake_executor.h"

#include <algorithm>
#include <limits>

#include "sample/sampler.h"

namespace wisp::test {
namespace {

std::uint64_t clock_ns = 1;

std::uint64_t mix(std::uint64_t hash, std::uint64_t word) {
  hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
  return hash ^ (hash >> 29);
}

bool visible(const graph::KvGroup& group, std::int32_t query, std::int32_t key) {
  return key < query && (!group.window || static_cast<std::uint32_t>(query - key) < *group.window ||
                         static_cast<std::uint32_t>(key) < group.sinks);
}

std::uint64_t first_state(TokenId token, std::int32_t position) {
  return mix(mix(0x57495350, static_cast<std::uint64_t>(token)), static_cast<std::uint64_t>(position));
}

// Order matters, and so does which group saw it.
std::uint64_t absorb(std::uint64_t state, std::size_t group, std::uint64_t seen) { return mix(state, seen + group); }

float logit(std::uint64_t state, std::uint32_t id) {
  return static_cast<float>(mix(mix(state, id), id) >> 40) * 0x1p-21f - 4.0f;  // [-4, 4)
}

}  // namespace

std::uint64_t fake_clock() { return clock_ns; }

// ---- the model ----

graph::Graph FakeModel::graph() const {
  graph::Graph graph;
  graph.vocabulary = vocabulary_;
  graph.weights.push_back({.name = "token_embd.weight", .columns = 8, .rows = vocabulary_, .use = {.matrix = true}});
  graph.values = {{"embedding", 8, graph::RowSet::step},
                  {"selected", 8, graph::RowSet::logits},
                  {"logits", vocabulary_, graph::RowSet::logits}};
  const graph::ValueId embedding{0}, selected{1}, logits{2};
  const graph::WeightId table{0};
  graph.ops.push_back(graph::EmbedOp{table, embedding});
  graph.ops.push_back(graph::SelectRowsOp{embedding, selected});
  graph::MatMulOp output{.in = selected, .norm = {}, .projections = {}};
  output.projections.push_back({.weight = table, .out = logits, .head_norm = {}});
  graph.ops.push_back(output);
  graph.op_layer = {-1, -1, -1};
  graph.logits = logits;
  graph.kv.groups = groups_;
  for (std::size_t group = 0; group < groups_.size(); ++group) {
    graph.kv.layers.push_back({.group = static_cast<int>(group), .kv_heads = 1, .head_dim = 32});
  }
  return graph;
}

void FakeModel::extend_states(const std::vector<TokenId>& tokens, std::vector<std::uint64_t>& states) const {
  for (std::size_t i = states.size(); i < tokens.size(); ++i) {
    const auto position = static_cast<std::int32_t>(i);
    std::uint64_t state = first_state(tokens[i], position);
    for (std::size_t group = 0; group < groups_.size(); ++group) {
      for (std::int32_t key = 0; key < position; ++key) {
        if (visible(groups_[group], position, key)) {
          state = absorb(state, group, states[static_cast<std::size_t>(key)]);
        }
      }
    }
    states.push_back(state);
  }
}

std::vector<float> FakeModel::logits_of(std::uint64_t state) const {
  std::vector<float> row;
  for (std::uint32_t id = 0; id < vocabulary_; ++id) row.push_back(logit(state, id));
  return row;
}

std::vector<std::vector<float>> FakeModel::logits(const std::vector<TokenId>& tokens) const {
  std::vector<std::uint64_t> states;
  extend_states(tokens, states);
  std::vector<std::vector<float>> rows;
  for (const std::uint64_t state : states) rows.push_back(logits_of(state));
  return rows;
}

std::vector<TokenId> FakeModel::continue_greedily(std::vector<TokenId> tokens, std::uint32_t n) const {
  std::vector<TokenId> made;
  std::vector<std::uint64_t> states;
  for (std::uint32_t i = 0; i < n; ++i) {
    extend_states(tokens, states);
    const std::vector<float> row = logits_of(states.back());
    made.push_back(static_cast<TokenId>(std::max_element(row.begin(), row.end()) - row.begin()));
    tokens.push_back(made.back());
  }
  return made;
}

std::vector<TokenId> FakeModel::continue_text(std::vector<TokenId> tokens, std::uint32_t n,
                                              const sample::SamplingParams& params) const {
  std::vector<TokenId> made;
  std::vector<std::uint64_t> states;
  sample::SamplerScratch scratch(vocabulary_);
  const sample::Sampler sampler = sample::Sampler::create(params, vocabulary_).value();
  sample::SamplerState state;
  for (std::uint32_t i = 0; i < n; ++i) {
    extend_states(tokens, states);
    std::vector<float> row = logits_of(states.back());
    made.push_back(sampler.sample(row, tokens, tokens.size(), scratch, {}, &state).value());
    tokens.push_back(made.back());
  }
  return made;
}

// ---- the executor ----

FakeExecutor::FakeExecutor(const FakeModel& model, std::shared_ptr<FakeControls> controls)
    : model_(model), controls_(std::move(controls)) {}

std::unexpected<Error> FakeExecutor::broken(std::string rule) const {
  if (!controls_->broken_rule) controls_->broken_rule = rule;
  return fail(Code::internal, "{}", rule);
}

void FakeExecutor::forget_cells() {
  for (std::vector<Cell>& cells : cells_) std::ranges::fill(cells, Cell{});
}

Status FakeExecutor::begin_load(const graph::Graph&, const gguf::File&) { return {}; }

Result<graph::LoadState> FakeExecutor::load_more() {
  controls_->loaded = true;
  return graph::LoadState::done;
}

std::optional<std::uint64_t> FakeExecutor::kv_room(std::uint64_t wanted) {
  return std::min(wanted, controls_->kv_room);
}

Status FakeExecutor::allocate_kv(const graph::KvLayout& layout, graph::KvType type,
                                 std::span<const std::uint32_t> blocks) {
  controls_->kv_type = type;
  if (!cells_.empty() || blocks.size() != layout.groups.size()) return broken("allocate_kv: twice, or wrong groups");
  for (const std::uint32_t n : blocks) cells_.emplace_back(std::size_t{n} * graph::kKvBlock);
  return {};
}

Status FakeExecutor::prepare(const graph::Plan& plan) {
  if (controls_->refuse_prepare) return fail(Code::out_of_memory, "no room for a plan of {} rows", plan.max_rows);
  if (!prepared_.insert(&plan).second) return broken("prepare: the same plan twice");
  counters_.resize(plan.graph->ops.size());
  row_states_.resize(std::max<std::size_t>(row_states_.size(), plan.max_rows));
  logits_.resize(std::max(logits_.size(), std::size_t{plan.max_logit_rows} * model_.vocabulary()));
  return {};
}

Status FakeExecutor::check_shape(const graph::Plan& plan, const graph::StepInputs& step) const {
  const std::size_t rows = step.tokens.size();
  if (!prepared_.contains(&plan)) return broken("execute: the plan was not prepared");
  if (rows == 0 || rows > plan.max_rows) return broken("execute: too many rows for the plan, or none");
  if (graph::row_bucket(static_cast<std::uint32_t>(rows)) != plan.max_rows) return broken("execute: not the bucket");
  if (step.logit_rows.size() > plan.max_logit_rows) return broken("execute: too many logit rows for the plan");
  if (step.positions.size() != rows || step.sequences.size() != rows) return broken("execute: unequal columns");
  if (step.tables.size() != cells_.size() * step.n_sequences) return broken("execute: wrong number of tables");
  for (std::size_t i = 0; i < step.logit_rows.size(); ++i) {
    const std::int32_t row = step.logit_rows[i];
    if (row < 0 || static_cast<std::size_t>(row) >= rows) return broken("execute: a logit row outside the step");
    if (i > 0 && row <= step.logit_rows[i - 1]) return broken("execute: logit rows do not ascend");
  }
  for (std::size_t row = 0; row < rows; ++row) {
    if (step.tokens[row] < 0 || static_cast<std::uint32_t>(step.tokens[row]) >= model_.vocabulary()) {
      return broken("execute: a token outside the vocabulary");
    }
    if (step.sequences[row] < 0 || static_cast<std::uint32_t>(step.sequences[row]) >= step.n_sequences) {
      return broken("execute: a row of no sequence");
    }
    const bool same = row > 0 && step.sequences[row] == step.sequences[row - 1];
    if (same && step.positions[row] != step.positions[row - 1] + 1) return broken("execute: positions have a gap");
  }
  return {};
}

Result<FakeExecutor::Cell*> FakeExecutor::cell(const graph::StepInputs& step, std::size_t group, std::int32_t sequence,
                                               std::int32_t position) {
  const std::span<const std::int32_t> table =
      step.tables[group * step.n_sequences + static_cast<std::size_t>(sequence)];
  const std::size_t index = static_cast<std::size_t>(position) / graph::kKvBlock;
  const std::int32_t block = index < table.size() ? table[index] : -1;
  const std::size_t at =
      static_cast<std::size_t>(block) * graph::kKvBlock + static_cast<std::size_t>(position) % graph::kKvBlock;
  if (block < 0 || at >= cells_[group].size()) {
    return broken(fmt::format("group {}: position {} has no block", group, position));
  }
  return &cells_[group][at];
}

Status FakeExecutor::copy_blocks(const graph::StepInputs& step) {
  for (const graph::BlockCopy& copy : step.copies) {
    std::vector<Cell>& cells = cells_[static_cast<std::size_t>(copy.group)];
    const auto block = [&](std::int32_t n) { return cells.begin() + std::ptrdiff_t{n} * graph::kKvBlock; };
    std::copy_n(block(copy.from), graph::kKvBlock, block(copy.to));
  }
  return {};
}

Status FakeExecutor::compute_row(const graph::StepInputs& step, std::size_t row) {
  const std::int32_t position = step.positions[row], sequence = step.sequences[row];
  std::uint64_t state = first_state(step.tokens[row], position);
  for (std::size_t group = 0; group < cells_.size(); ++group) {
    for (std::int32_t key = 0; key < position; ++key) {
      if (!visible(model_.groups()[group], position, key)) continue;
      WISP_TRY(const Cell* const seen, cell(step, group, sequence, key));
      if (seen->position != key) {
        return broken(fmt::format("group {}: position {} reads position {} from a cell that holds {}", group, position,
                                  key, seen->position));
      }
      // A real backend runs a layer for all rows at once: nobody can wait for another sequence's rows.
      if (seen->step == controls_->steps && seen->sequence != sequence) {
        return broken(fmt::format("group {}: position {} reads what another sequence writes in this step", group, key));
      }
      state = absorb(state, group, seen->state);
    }
  }
  for (std::size_t group = 0; group < cells_.size(); ++group) {
    WISP_TRY(Cell* const own, cell(step, group, sequence, position));
    if (own->step == controls_->steps && own->position != kUnwritten) {
      return broken(fmt::format("group {}: position {} is written twice in a step", group, position));
    }
    *own = {state, position, controls_->steps, sequence};
  }
  row_states_[row] = state;
  return {};
}

Result<std::span<const float>> FakeExecutor::execute(const graph::Plan& plan, const graph::StepInputs& step) {
  WISP_CHECK(check_shape(plan, step));
  const std::uint64_t number = controls_->steps++;
  const std::uint64_t begin = clock_ns;
  clock_ns += controls_->ns_per_row * step.tokens.size();
  if (controls_->record) {
    controls_->rows_of_steps.push_back(static_cast<std::uint32_t>(step.tokens.size()));
    controls_->sequences_of_steps.push_back(step.n_sequences);
  }
  if (controls_->fail_at_step == number) return fail(Code::device, "the fake device is lost");

  WISP_CHECK(copy_blocks(step));
  for (std::size_t row = 0; row < step.tokens.size(); ++row) WISP_CHECK(compute_row(step, row));
  float* out = logits_.data();
  for (const std::int32_t row : step.logit_rows) {
    const bool poisoned = controls_->nan_token == step.tokens[static_cast<std::size_t>(row)];
    for (std::uint32_t id = 0; id < model_.vocabulary(); ++id) {
      *out++ =
          poisoned ? std::numeric_limits<float>::quiet_NaN() : logit(row_states_[static_cast<std::size_t>(row)], id);
    }
  }
  for (std::size_t op = 0; op < counters_.size(); ++op) {
    counters_[op].calls += 1;
    counters_[op].rows += step.tokens.size();
    if (trace_) trace_(static_cast<int>(op), begin, clock_ns);
  }
  return std::span<const float>(logits_.data(), out);
}

void FakeExecutor::set_profiling(bool on, std::function<void(int, std::uint64_t, std::uint64_t)> trace) {
  trace_ = on ? std::move(trace) : nullptr;
}

std::vector<graph::MemoryUse> FakeExecutor::memory() const {
  std::uint64_t bytes = 0;
  for (const std::vector<Cell>& cells : cells_) bytes += cells.size() * sizeof(Cell);
  return {{"weights", controls_->weight_bytes}, {"kv", bytes}};
}

}  // namespace wisp::test
