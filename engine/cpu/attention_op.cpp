// AttentionOp: each row attends over its sequence's stored K and V, kv head by kv head. The softmax is taken over
// absolute chunks of positions that are joined in ascending order, whether one thread does them all or several share a
// row: so neither the number of threads nor the chunking of a prompt changes a bit.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/checked.h"
#include "cpu/step_context.h"

namespace wisp::cpu {

namespace {

// Positions to a chunk. Small enough that one long sequence occupies several threads at decode, large enough that
// joining (head_dim multiply-adds a chunk) does not show.
constexpr std::int64_t kChunk = 1024;
// With fewer (row, kv head) pairs than this per thread, chunks are shared between threads.
constexpr std::uint32_t kPairsPerThread = 4;

struct Range {
  std::int64_t begin, end;
};

// What one row sees: its window, and the sinks in front of it.
struct Visible {
  Range sinks;
  Range window;
  std::int64_t sink_turn;  // positions by which q turns before it meets the sinks (never positive)
};

Visible visible_to(std::int64_t position, const graph::KvGroup& group) {
  Visible seen{{0, 0}, {0, position + 1}, 0};
  if (!group.window) return seen;
  const std::int64_t window = *group.window;
  const std::int64_t sinks = group.sinks;
  seen.window.begin = std::max<std::int64_t>(0, position - window + 1);
  seen.sinks.end = std::min(sinks, seen.window.begin);
  if (position >= sinks + window) seen.sink_turn = sinks + window - 1 - position;
  return seen;
}

std::int64_t chunks_in(const Range& range) {
  return range.begin >= range.end ? 0 : (range.end - 1) / kChunk - range.begin / kChunk + 1;
}

// Part `part` of a row: the sinks first, then the window's chunks.
Range part_of(const Visible& seen, std::int64_t part, bool& is_sink) {
  const std::int64_t sink_parts = chunks_in(seen.sinks);
  is_sink = part < sink_parts;
  const Range& whole = is_sink ? seen.sinks : seen.window;
  const std::int64_t chunk = whole.begin / kChunk + (is_sink ? part : part - sink_parts);
  return {std::max(whole.begin, chunk * kChunk), std::min(whole.end, (chunk + 1) * kChunk)};
}
std::int64_t parts_of(const Visible& seen) { return chunks_in(seen.sinks) + chunks_in(seen.window); }

// Turns q as RoPE would have, had its position been `turn` further: rotations add up.
void turn_heads(const graph::RopeSpec& spec, std::int64_t turn, std::uint32_t heads, std::uint32_t head_dim, float* q) {
  const std::size_t pairs = spec.inverse_frequency.size();
  const bool adjacent = spec.pairing == graph::RopePairing::adjacent;
  for (std::size_t i = 0; i < pairs; ++i) {
    const double angle = static_cast<double>(turn) * spec.inverse_frequency[i];
    const auto cosine = static_cast<float>(std::cos(angle));
    const auto sine = static_cast<float>(std::sin(angle));
    for (std::uint32_t h = 0; h < heads; ++h) {
      float* first = q + h * head_dim + (adjacent ? 2 * i : i);
      float* second = first + (adjacent ? 1 : pairs);
      const float a = *first;
      const float b = *second;
      *first = a * cosine - b * sine;
      *second = a * sine + b * cosine;
    }
  }
}

class AttentionRun {
 public:
  AttentionRun(const graph::AttentionOp& op, const StepContext& context)
      : op_(op),
        context_(context),
        layout_(context.kv.layer(op.layer)),
        group_(context.graph().kv.layers[static_cast<std::size_t>(op.layer)].group),
        heads_(op.heads / layout_.kv_heads),
        pairs_(context.rows * layout_.kv_heads) {}

  void run() {
    std::int64_t most_parts = 1;
    for (std::uint32_t row = 0; row < context_.rows; ++row) most_parts = std::max(most_parts, parts_of(visible(row)));
    const bool shared = most_parts > 1 && context_.pool.threads() > 1 &&
                        pairs_ < kPairsPerThread * static_cast<std::uint32_t>(context_.pool.threads());
    if (!shared) {
      context_.pool.parallel_for(
          pairs_, [&](std::int64_t pair, int worker) { whole_pair(static_cast<std::uint32_t>(pair), worker); });
      return;
    }
    context_.pool.parallel_for(pairs_ * most_parts, [&](std::int64_t task, int worker) {
      const auto pair = static_cast<std::uint32_t>(task / most_parts);
      const std::int64_t part = task % most_parts;
      if (part >= parts_of(visible(row_of(pair)))) return;
      attend_part(pair, part, worker, partial(pair * most_parts + part));
    });
    context_.pool.parallel_for(pairs_, [&](std::int64_t task, int) {
      const auto pair = static_cast<std::uint32_t>(task);
      State total = partial(pair * most_parts);
      for (std::int64_t part = 1; part < parts_of(visible(row_of(pair))); ++part)
        join(total, partial(pair * most_parts + part));
      finish(pair, total);
    });
  }

  // Floats of one state: maximum and denominator per head, then head_dim sums per head.
  static std::size_t state_floats(std::uint32_t heads, std::uint32_t head_dim) {
    return std::size_t{heads} * (2 + head_dim);
  }

 private:
  struct State {
    SoftmaxState* state;  // [heads]
    float* sums;          // [heads][head_dim]
  };
  // Pairs walk the rows of one kv head first: neighbouring rows share its K and V in the cache.
  [[nodiscard]] std::uint32_t row_of(std::uint32_t pair) const { return pair % context_.rows; }
  [[nodiscard]] std::uint32_t kv_head_of(std::uint32_t pair) const { return pair / context_.rows; }
  [[nodiscard]] Visible visible(std::uint32_t row) const {
    return visible_to(context_.step.positions[row], context_.graph().kv.groups[static_cast<std::size_t>(group_)]);
  }
  [[nodiscard]] State state_at(float* floats) const {
    return {reinterpret_cast<SoftmaxState*>(floats), floats + std::size_t{2} * heads_};
  }
  [[nodiscard]] State partial(std::int64_t index) const {
    return state_at(reinterpret_cast<float*>(context_.scratch.attention.data()) +
                    static_cast<std::size_t>(index) * state_floats(heads_, layout_.head_dim));
  }

  void attend_part(std::uint32_t pair, std::int64_t part, int worker, const State& out) const {
    const std::uint32_t row = row_of(pair);
    const Visible seen = visible(row);
    bool is_sink = false;
    const Range range = part_of(seen, part, is_sink);
    // q of the heads that share this kv head, scaled; in scratch of this thread.
    float* q = reinterpret_cast<float*>(context_.worker_scratch(worker));
    const std::size_t n = std::size_t{heads_} * layout_.head_dim;
    context_.kernels.scale(context_.value(op_.q) + row * context_.width(op_.q) + kv_head_of(pair) * n, op_.scale, n, q);
    if (is_sink && seen.sink_turn != 0 && op_.rope >= 0)
      turn_heads(context_.graph().ropes[static_cast<std::size_t>(op_.rope)], seen.sink_turn, heads_, layout_.head_dim,
                 q);
    const std::size_t table = static_cast<std::size_t>(group_) * context_.step.n_sequences +
                              static_cast<std::size_t>(context_.step.sequences[row]);
    context_.kernels.attend({layout_, context_.kv.pool(group_), context_.kv.block_bytes(group_),
                             context_.step.tables[table].data(), kv_head_of(pair), heads_, q, op_.softcap, range.begin,
                             range.end, out.state, out.sums});
  }

  void join(const State& total, const State& part) const {
    for (std::uint32_t h = 0; h < heads_; ++h)
      context_.kernels.merge(total.state + h, total.sums + h * layout_.head_dim, part.state + h,
                             part.sums + h * layout_.head_dim, layout_.head_dim);
  }

  void finish(std::uint32_t pair, const State& total) const {
    float* out = context_.value(op_.out) + row_of(pair) * context_.width(op_.out) +
                 std::size_t{kv_head_of(pair)} * heads_ * layout_.head_dim;
    for (std::uint32_t h = 0; h < heads_; ++h)
      context_.kernels.scale(total.sums + h * layout_.head_dim, 1.0f / total.state[h].denominator, layout_.head_dim,
                             out + h * layout_.head_dim);
  }

  void whole_pair(std::uint32_t pair, int worker) const {
    // Behind q in the thread's scratch: the total and one part.
    float* scratch = reinterpret_cast<float*>(context_.worker_scratch(worker)) + std::size_t{heads_} * layout_.head_dim;
    const State total = state_at(scratch);
    const State one = state_at(scratch + state_floats(heads_, layout_.head_dim));
    const std::int64_t parts = parts_of(visible(row_of(pair)));
    attend_part(pair, 0, worker, total);
    for (std::int64_t part = 1; part < parts; ++part) {
      attend_part(pair, part, worker, one);
      join(total, one);
    }
    finish(pair, total);
  }

  const graph::AttentionOp& op_;
  const StepContext& context_;
  const KvLayerLayout& layout_;
  const int group_;
  const std::uint32_t heads_;  // query heads to a kv head
  const std::uint32_t pairs_;
};

}  // namespace

Status run_op(const graph::AttentionOp& op, const StepContext& context) {
  AttentionRun(op, context).run();
  return {};
}

void add_attention_needs(const graph::Plan& plan, std::span<const std::uint32_t> kv_blocks, int threads,
                         ScratchNeeds& needs) {
  for (const graph::Op& any : plan.graph->ops) {
    const auto* op = std::get_if<graph::AttentionOp>(&any);
    if (op == nullptr) continue;
    const graph::KvLayer& layout = plan.graph->kv.layers[static_cast<std::size_t>(op->layer)];
    const auto group = static_cast<std::size_t>(layout.group);
    const std::uint32_t heads = op->heads / layout.kv_heads;
    const std::size_t state = AttentionRun::state_floats(heads, layout.head_dim) * sizeof(float);
    needs.worker =
        std::max<std::uint64_t>(needs.worker, std::uint64_t{heads} * layout.head_dim * sizeof(float) + 2 * state);
    // Shared rows: at most kPairsPerThread pairs a thread (run() above), each with every chunk the pool can hold, one
    // that straddles, and the sinks'.
    const std::uint64_t parts = std::uint64_t{kv_blocks[group]} * kKvPositions / kChunk + 3;
    const std::uint64_t pairs = std::uint64_t{kPairsPerThread} * static_cast<std::uint64_t>(threads);
    needs.attention = std::max(needs.attention, pairs * parts * state);
  }
}

}  // namespace wisp::cpu
