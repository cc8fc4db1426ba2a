#include "cpu/executor.h"

#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "cpu/cpu_info.h"
#include "cpu/step_context.h"
#include "graph/step_check.h"

namespace wisp::cpu {

std::uint64_t Scratch::bytes() const {
  std::uint64_t total = int8_rows.size() + float_rows.size() + projected.size() + rope.size() + attention.size();
  for (const Buffer& worker : workers) total += worker.size();
  return total;
}

namespace {

Status grow(Buffer& buffer, std::uint64_t bytes, const char* owner) {
  if (buffer.size() >= bytes) return {};
  // The old one goes last: where the new one is refused, plans that were prepared before still run.
  WISP_TRY(buffer, Buffer::allocate(bytes, owner));
  return {};
}

class CpuExecutor final : public graph::Executor {
 public:
  // `own` is the pool, or nothing where the pool belongs to somebody else.
  CpuExecutor(const Kernels& kernels, ThreadPool& pool, std::unique_ptr<ThreadPool> own, bool repack)
      : kernels_(kernels), own_pool_(std::move(own)), pool_(&pool), repack_(repack) {}

  [[nodiscard]] std::string describe() const override {
    return fmt::format("cpu {}, {} thread{}", kernels_.name, pool_->threads(), pool_->threads() == 1 ? "" : "s");
  }

  Status begin_load(const graph::Graph& graph, const gguf::File& file) override {
    return weights_.begin(graph, file, repack_);
  }
  Result<graph::LoadState> load_more() override { return weights_.load_more(*pool_); }
  [[nodiscard]] const graph::WeightStream* weight_stream() const override { return &weights_.stream(); }

  Status allocate_kv(const graph::KvLayout& layout, graph::KvType type,
                     std::span<const std::uint32_t> blocks) override {
    return kv_.allocate(layout, type, blocks);
  }

  Status prepare(const graph::Plan& plan) override {
    const ScratchNeeds needs = scratch_needs(plan, kv_.blocks(), pool_->threads());
    rope_offsets_.resize(plan.graph->ropes.size());
    WISP_CHECK(grow(scratch_.arena, plan.arena_bytes, "the activations"));
    WISP_CHECK(grow(scratch_.int8_rows, needs.int8_rows, "the rounded activations"));
    WISP_CHECK(grow(scratch_.float_rows, needs.float_rows, "the normed activations"));
    WISP_CHECK(grow(scratch_.projected, needs.projected, "the projected keys and values"));
    WISP_CHECK(grow(scratch_.rope, needs.rope, "the rotary tables"));
    WISP_CHECK(grow(scratch_.attention, needs.attention, "the attention partials"));
    scratch_.workers.resize(static_cast<std::size_t>(pool_->threads()));
    for (Buffer& worker : scratch_.workers) WISP_CHECK(grow(worker, needs.worker, "a thread's scratch"));
    counters_.resize(plan.graph->ops.size());
    return {};
  }

  Result<std::span<const float>> execute(const graph::Plan& plan, const graph::StepInputs& step) override {
    WISP_CHECK(graph::check_step(plan, step, kv_.blocks()));
    for (const graph::BlockCopy& copy : step.copies) kv_.copy(copy);
    place_rope(plan);
    const StepContext context{kernels_,
                              *pool_,
                              weights_,
                              kv_,
                              scratch_,
                              plan,
                              step,
                              static_cast<std::uint32_t>(step.tokens.size()),
                              static_cast<std::uint32_t>(step.logit_rows.size()),
                              rope_offsets_};
    fill_rope(context);
    for (std::size_t i = 0; i < plan.graph->ops.size(); ++i) {
      const graph::Op& op = plan.graph->ops[i];
      const std::uint64_t begin = profiling_ ? now_ns() : 0;
      WISP_CHECK(std::visit([&](const auto& one) { return run_op(one, context); }, op));
      OpCounter& counter = counters_[i];
      ++counter.calls;
      counter.rows += context.rows;
      if (profiling_) {
        const std::uint64_t end = now_ns();
        counter.nanoseconds += end - begin;
        if (trace_) trace_(static_cast<int>(i), begin, end);
      }
    }
    const std::size_t n = std::size_t{context.logit_rows} * graph::output_width(*plan.graph);
    return std::span<const float>(n == 0 ? nullptr : context.value(plan.graph->logits), n);
  }

  [[nodiscard]] bool moves_kv() const override { return true; }
  Status read_kv(int group, std::int32_t block, std::uint32_t positions, std::span<std::byte> bytes) override {
    WISP_CHECK(graph::check_kv_move(kv_.layout(), kv_.type(), kv_.blocks(), group, block, bytes.size()));
    kv_.read(group, block, bytes);
    graph::clear_kv_tail(kv_.layout(), kv_.type(), group, positions, bytes);
    return {};
  }
  Status write_kv(int group, std::int32_t block, std::span<const std::byte> bytes) override {
    WISP_CHECK(graph::check_kv_move(kv_.layout(), kv_.type(), kv_.blocks(), group, block, bytes.size()));
    kv_.write(group, block, bytes);
    return {};
  }

  void set_profiling(bool on, std::function<void(int, std::uint64_t, std::uint64_t)> trace) override {
    profiling_ = on;
    trace_ = std::move(trace);
  }
  [[nodiscard]] std::span<const graph::OpCounter> counters() const override { return counters_; }
  [[nodiscard]] std::vector<graph::MemoryUse> memory() const override {
    return {{"weights", weights_.bytes()},
            {"kv", kv_.bytes()},
            {"activations", scratch_.arena.size()},
            {"scratch", scratch_.bytes()}};
  }

 private:
  using OpCounter = graph::OpCounter;

  // Plans of another size lay the rotary tables out differently.
  void place_rope(const graph::Plan& plan) {
    if (rope_rows_ == plan.max_rows) return;
    std::size_t offset = 0;
    for (std::size_t i = 0; i < rope_offsets_.size(); ++i) {
      rope_offsets_[i] = offset;
      offset += std::size_t{plan.max_rows} * 2 * plan.graph->ropes[i].inverse_frequency.size();
    }
    rope_rows_ = plan.max_rows;
  }

  // Angles in double: a float's 24 bits would already be coarse at position 10,000.
  void fill_rope(const StepContext& context) const {
    constexpr std::uint32_t kLeastRows = 4;
    for (std::size_t i = 0; i < context.graph().ropes.size(); ++i) {
      const graph::RopeSpec& spec = context.graph().ropes[i];
      const std::size_t pairs = spec.inverse_frequency.size();
      context.for_rows(context.rows, kLeastRows, [&](std::uint32_t row, int) {
        float* out = const_cast<float*>(context.rope_row(static_cast<int>(i), row));
        for (std::size_t pair = 0; pair < pairs; ++pair) {
          const double angle = static_cast<double>(context.step.positions[row]) * spec.inverse_frequency[pair];
          out[pair] = static_cast<float>(std::cos(angle)) * spec.magnitude;
          out[pairs + pair] = static_cast<float>(std::sin(angle)) * spec.magnitude;
        }
      });
    }
  }

  const Kernels& kernels_;
  std::unique_ptr<ThreadPool> own_pool_;
  ThreadPool* pool_;
  bool repack_;
  Weights weights_;
  KvStore kv_;
  Scratch scratch_;
  std::vector<std::size_t> rope_offsets_;
  std::uint32_t rope_rows_ = 0;
  std::vector<OpCounter> counters_;
  bool profiling_ = false;
  std::function<void(int, std::uint64_t, std::uint64_t)> trace_;
};

}  // namespace

Result<std::unique_ptr<graph::Executor>> make_cpu_executor(const CpuOptions& options) {
  WISP_TRY(const Kernels* kernels, choose_kernels(options.isa));
  std::unique_ptr<ThreadPool> own;
  if (options.pool == nullptr) {
    const int threads = options.threads > 0 ? options.threads : cpu_info().logical_cores;
    WISP_TRY(own, ThreadPool::create(threads));
  }
  ThreadPool& pool = options.pool != nullptr ? *options.pool : *own;
  return std::make_unique<CpuExecutor>(*kernels, pool, std::move(own), options.repack);
}

}  // namespace wisp::cpu
