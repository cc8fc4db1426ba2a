#include "graph/step_check.h"

#include <algorithm>

#include "graph/kv_block.h"

namespace wisp::graph {
namespace {

constexpr std::int64_t kBlock = kKvBlock;

Status check_block(std::span<const std::int32_t> table, std::int64_t index, std::uint32_t blocks) {
  if (index >= static_cast<std::int64_t>(table.size())) {
    return fail(Code::invalid_argument, "block table of {} entries has none for block {}", table.size(), index);
  }
  const std::int32_t block = table[static_cast<std::size_t>(index)];
  if (block < 0 || static_cast<std::uint32_t>(block) >= blocks) {
    return fail(Code::invalid_argument, "block table names block {} of {} for index {}", block, blocks, index);
  }
  return {};
}

Status check_blocks(const KvGroup& group, std::int32_t position, std::span<const std::int32_t> table,
                    std::uint32_t blocks) {
  const VisibleWindow window = visible_window(group, position);
  const std::int64_t sinks = std::min<std::int64_t>(group.sinks, window.begin);
  for (std::int64_t index = 0; index * kBlock < sinks; ++index) WISP_CHECK(check_block(table, index, blocks));
  for (std::int64_t index = window.begin / kBlock; index * kBlock < window.end; ++index) {
    WISP_CHECK(check_block(table, index, blocks));
  }
  return {};
}

Status check_sizes(const Plan& plan, const StepInputs& step) {
  const std::size_t rows = step.tokens.size();
  if (rows == 0 || rows > plan.max_rows || step.logit_rows.size() > plan.max_logit_rows) {
    return fail(Code::invalid_argument, "a step of {} rows, {} with logits, does not fit a plan for {} and {}", rows,
                step.logit_rows.size(), plan.max_rows, plan.max_logit_rows);
  }
  if (step.positions.size() != rows || step.sequences.size() != rows) {
    return fail(Code::invalid_argument, "a step has {} tokens, {} positions and {} sequence indices", rows,
                step.positions.size(), step.sequences.size());
  }
  const std::size_t tables = plan.graph->kv.groups.size() * step.n_sequences;
  if (step.tables.size() != tables) {
    return fail(Code::invalid_argument, "a step has {} block tables; expected {}", step.tables.size(), tables);
  }
  return {};
}

Status check_token(std::int32_t token, std::uint32_t vocabulary, std::uint32_t slots) {
  if (token >= 0 && static_cast<std::uint32_t>(token) >= vocabulary) {
    return fail(Code::invalid_argument, "token {} is outside the vocabulary of {}", token, vocabulary);
  }
  if (token < 0 && -(std::int64_t{token} + 1) >= slots) {
    return fail(Code::invalid_argument, "token {} is neither in the vocabulary nor in one of {} slots", token, slots);
  }
  return {};
}

Status check_copies(const StepInputs& step, std::span<const std::uint32_t> blocks) {
  for (const BlockCopy& copy : step.copies) {
    const bool known = copy.group >= 0 && static_cast<std::size_t>(copy.group) < blocks.size();
    const auto fits = [&](std::int32_t block) {
      return block >= 0 && static_cast<std::uint32_t>(block) < blocks[static_cast<std::size_t>(copy.group)];
    };
    if (!known || !fits(copy.from) || !fits(copy.to)) {
      return fail(Code::invalid_argument, "a copy of KV block {} to {} in group {} is out of range", copy.from, copy.to,
                  copy.group);
    }
  }
  return {};
}

}  // namespace

VisibleWindow visible_window(const KvGroup& group, std::int32_t position) {
  const std::int64_t end = std::int64_t{position} + 1;
  return {group.window ? std::max<std::int64_t>(end - *group.window, 0) : 0, end};
}

Status check_step(const Plan& plan, const StepInputs& step, std::span<const std::uint32_t> blocks,
                  std::uint32_t slots) {
  WISP_CHECK(check_sizes(plan, step));
  WISP_CHECK(check_copies(step, blocks));
  const std::vector<KvGroup>& groups = plan.graph->kv.groups;
  if (blocks.size() != groups.size()) {
    return fail(Code::invalid_argument, "KV was allocated for {} groups; the plan has {}", blocks.size(),
                groups.size());
  }
  for (std::size_t row = 0; row < step.tokens.size(); ++row) {
    WISP_CHECK(check_token(step.tokens[row], plan.graph->vocabulary, slots));
    const std::int32_t sequence = step.sequences[row];
    if (sequence < 0 || static_cast<std::uint32_t>(sequence) >= step.n_sequences || step.positions[row] < 0) {
      return fail(Code::invalid_argument, "row {} is position {} of sequence {} of {}", row, step.positions[row],
                  sequence, step.n_sequences);
    }
    for (std::size_t g = 0; g < groups.size(); ++g) {
      const std::span<const std::int32_t> table =
          step.tables[g * step.n_sequences + static_cast<std::size_t>(sequence)];
      WISP_CHECK(check_blocks(groups[g], step.positions[row], table, blocks[g]));
    }
  }
  for (std::size_t i = 0; i < step.logit_rows.size(); ++i) {
    const std::int32_t row = step.logit_rows[i];
    if (row < 0 || static_cast<std::size_t>(row) >= step.tokens.size() || (i > 0 && row <= step.logit_rows[i - 1])) {
      return fail(Code::invalid_argument, "logit rows must ascend within the step's {} rows", step.tokens.size());
    }
  }
  return {};
}

Status check_kv_move(const KvLayout& layout, KvType type, std::span<const std::uint32_t> blocks, int group,
                     std::int32_t block, std::size_t bytes) {
  if (group < 0 || static_cast<std::size_t>(group) >= blocks.size() || block < 0 ||
      static_cast<std::uint32_t>(block) >= blocks[static_cast<std::size_t>(group)]) {
    return fail(Code::invalid_argument, "there is no KV block {} of group {}", block, group);
  }
  const std::uint64_t expected = kv_canonical_bytes(layout, type, group);
  if (bytes != expected) return fail(Code::invalid_argument, "{} bytes for a KV block of {}", bytes, expected);
  return {};
}

void clear_kv_tail(const KvLayout& layout, KvType type, int group, std::uint32_t positions,
                   std::span<std::byte> bytes) {
  for (const KvLayer& layer : layout.layers) {
    if (layer.group != group) continue;
    const auto row = static_cast<std::size_t>(layer.kv_heads * kv_entry_bytes(type, layer.head_dim));
    for (int part = 0; part < 2; ++part) {
      std::ranges::fill(bytes.first(row * kKvBlock).subspan(row * std::min(positions, kKvBlock)), std::byte{0});
      bytes = bytes.subspan(row * kKvBlock);
    }
  }
}

}  // namespace wisp::graph
