// What every executor asks of a step before it runs: sizes that agree with the plan, indices in range, and a KV block
// for every position that a row writes or sees. Wrong inputs come from bugs above, but must not become wild reads here.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "graph/executor.h"

namespace wisp::graph {

// `blocks[g]`: KV blocks allocated for group g. `slots`: how many sampled tokens the backend keeps, which rows may take
// (StepInputs::tokens).
Status check_step(const Plan& plan, const StepInputs& step, std::span<const std::uint32_t> blocks,
                  std::uint32_t slots = 0);

// The same before a block is read or written: `bytes` as kv_block.h says.
Status check_kv_move(const KvLayout& layout, KvType type, std::span<const std::uint32_t> blocks, int group,
                     std::int32_t block, std::size_t bytes);
// Zeroes what lies behind the first `positions` of a block in the form of kv_block.h.
void clear_kv_tail(const KvLayout& layout, KvType type, int group, std::uint32_t positions, std::span<std::byte> bytes);

// Positions [begin, end) of the window of a row at `position`; the sinks are [0, min(sinks, begin)).
struct VisibleWindow {
  std::int64_t begin, end;
};
[[nodiscard]] VisibleWindow visible_window(const KvGroup& group, std::int32_t position);

}  // namespace wisp::graph
