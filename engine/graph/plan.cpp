#include "graph/plan.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "base/checked.h"
#include "base/memory.h"

namespace wisp::graph {
namespace {

// The bytes of an arena that no live value holds, as disjoint gaps in ascending order, never touching one another.
class Gaps {
 public:
  // The smallest gap that fits; else the arena grows, from the gap at its end if there is one.
  std::optional<std::uint64_t> take(std::uint64_t bytes) {
    std::size_t best = gaps_.size();
    for (std::size_t i = 0; i < gaps_.size(); ++i) {
      const bool fits = gaps_[i].bytes >= bytes;
      if (fits && (best == gaps_.size() || gaps_[i].bytes < gaps_[best].bytes)) best = i;
    }
    if (best == gaps_.size()) {
      const bool at_end = !gaps_.empty() && gaps_.back().offset + gaps_.back().bytes == end_;
      const std::uint64_t offset = at_end ? gaps_.back().offset : end_;
      const std::optional<std::uint64_t> end = checked_add(offset, bytes);
      if (!end) return std::nullopt;
      if (at_end) gaps_.pop_back();
      end_ = *end;
      return offset;
    }
    const std::uint64_t offset = gaps_[best].offset;
    gaps_[best].offset += bytes;
    gaps_[best].bytes -= bytes;
    if (gaps_[best].bytes == 0) gaps_.erase(gaps_.begin() + static_cast<std::ptrdiff_t>(best));
    return offset;
  }

  void give_back(std::uint64_t offset, std::uint64_t bytes) {
    if (bytes == 0) return;
    auto next = std::ranges::find_if(gaps_, [&](const Gap& gap) { return gap.offset > offset; });
    if (next != gaps_.end() && offset + bytes == next->offset) {
      next->offset = offset;
      next->bytes += bytes;
    } else {
      next = gaps_.insert(next, {offset, bytes});
    }
    if (next != gaps_.begin()) {
      const auto previous = next - 1;
      if (previous->offset + previous->bytes == next->offset) {
        previous->bytes += next->bytes;
        gaps_.erase(next);
      }
    }
  }

  [[nodiscard]] std::uint64_t end() const { return end_; }

 private:
  struct Gap {
    std::uint64_t offset, bytes;
  };
  std::vector<Gap> gaps_;
  std::uint64_t end_ = 0;
};

std::size_t index_of(ValueId id) { return static_cast<std::size_t>(id); }

}  // namespace

std::uint32_t row_bucket(std::uint32_t rows) {
  constexpr std::uint32_t largest = 1u << 31;
  return rows >= largest ? largest : std::bit_ceil(std::max(rows, 1u));
}

Result<Plan> make_plan(std::shared_ptr<const Graph> graph, std::uint32_t max_rows, std::uint32_t max_logit_rows) {
  if (graph == nullptr || max_rows == 0 || max_logit_rows > max_rows) {
    return fail(Code::invalid_argument, "a plan for {} rows of which {} want logits makes no sense", max_rows,
                max_logit_rows);
  }
  Plan plan;
  plan.graph = graph;
  plan.max_rows = max_rows;
  plan.max_logit_rows = max_logit_rows;
  const std::size_t n_values = graph->values.size();
  plan.offsets.assign(n_values, Plan::kUnplaced);

  // The last op that reads each value; kForever for the logits, which outlive the step.
  constexpr std::size_t kForever = std::numeric_limits<std::size_t>::max();
  std::vector<std::size_t> last_use(n_values, 0);
  std::vector<std::uint64_t> bytes(n_values, 0);
  for (std::size_t i = 0; i < graph->ops.size(); ++i) {
    for (const ValueId id : op_outputs(graph->ops[i])) last_use[index_of(id)] = i;
    for (const ValueId id : op_inputs(graph->ops[i])) last_use[index_of(id)] = i;
  }
  if (graph->logits != kNoValue) last_use[index_of(graph->logits)] = kForever;

  Gaps gaps;
  for (std::size_t i = 0; i < graph->ops.size(); ++i) {
    const std::vector<ValueId> inputs = op_inputs(graph->ops[i]);
    const std::vector<ValueId> outputs = op_outputs(graph->ops[i]);
    // Outputs get their place while the inputs still hold theirs: an op never writes where it reads.
    for (const ValueId id : outputs) {
      const Value& value = graph->values[index_of(id)];
      const std::uint64_t rows = value.rows == RowSet::step ? max_rows : max_logit_rows;
      std::optional<std::uint64_t> size = checked_mul(rows, std::uint64_t{value.width});
      if (size) size = checked_mul(*size, std::uint64_t{sizeof(float)});
      if (size) size = checked_align_up(*size, std::uint64_t{kBufferAlignment});
      const std::optional<std::uint64_t> offset = size ? gaps.take(*size) : std::nullopt;
      if (!offset) {
        return fail(Code::out_of_memory, "activations of {} rows do not fit any memory (value '{}', {} wide)", rows,
                    value.name, value.width);
      }
      bytes[index_of(id)] = *size;
      plan.offsets[index_of(id)] = *offset;
    }
    const auto release = [&](const std::vector<ValueId>& ids) {
      for (const ValueId id : ids) {
        if (last_use[index_of(id)] != i || plan.offsets[index_of(id)] == Plan::kUnplaced) continue;
        gaps.give_back(plan.offsets[index_of(id)], bytes[index_of(id)]);
        bytes[index_of(id)] = 0;  // an op may read the same value twice
      }
    };
    release(inputs);
    release(outputs);
  }
  plan.arena_bytes = gaps.end();
  return plan;
}

}  // namespace wisp::graph
