#include "cpu/executor.h"

#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "cpu/cpu_info.h"
#include "cpu/step_context.h"

namespace wisp::cpu {

std::uint64_t Scratch::bytes() const {
  std::uint64_t total =
      int8_rows.size() + float_rows.size() + projected.size() + rope.size() + attention.size();
  for (const Buffer& worker : workers) total += worker.size();
  return total;
}

namespace {

Status grow(Buffer& buffer, std::uint64_t bytes, const char* owner) {
  if (buffer.size() >= bytes) return {};
  buffer = Buffer();  // first give back, so that the peak is the new size alone
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

  Status load_weights(const graph::Graph& graph, gguf::File& file, const graph::LoadProgress& progress) override {
    return weights_.load(graph, file, repack_, *pool_, progress);
  }

  Status allocate_kv(const graph::KvLayout& layout, graph::KvType type, std::span<const std::uint32_t> blocks) override {
    return kv_.allocate(layout, type, blocks);
  }

  Status prepare(const graph::Plan& plan) override {
    ScratchNeeds needs;
    add_matmul_needs(plan, weights_, needs);
    add_attention_needs(plan, kv_, pool_->threads(), needs);
    rope_offsets_.clear();
    for (const graph::RopeSpec& spec : plan.graph->ropes) {
      rope_offsets_.push_back(needs.rope / sizeof(float));
      needs.rope += std::size_t{plan.max_rows} * 2 * spec.inverse_frequency.size() * sizeof(float);
    }
    rope_rows_ = plan.max_rows;
    WISP_CHECK(grow(scratch_.arena, plan.arena_bytes, "the activations"));
    WISP_CHECK(grow(scratch_.int8_rows, needs.int8_rows, "the rounded activations"));
    WISP_CHECK(grow(scratch_.float_rows, needs.float_rows, "the normed activations"));
    WISP_CHECK(grow(scratch_.projected, needs.projected, "the projected keys and values"));
    WISP_CHECK(grow(scratch_.rope, needs.rope, "the rotary tables"));
    WISP_CHECK(grow(scratch_.attention, needs.attention, "the attention partials"));
    scratch_.workers.resize(static_cast<std::size_t>(pool_->threads()));
    for (Buffer& worker : scratch_.workers) WISP_CHECK(grow(worker, needs.worker, "a thread's scratch"));
    counters_.resize(std::max(counters_.size(), plan.graph->ops.size()));
    return {};
  }

  Result<std::span<const float>> execute(const graph::Plan& plan, const graph::StepInputs& step) override {
    WISP_CHECK(check(plan, step));
    for (const graph::BlockCopy& copy : step.copies) kv_.copy(copy);
    place_rope(plan);
    const StepContext context{kernels_, *pool_, weights_, kv_, scratch_, plan, step,
                              static_cast<std::uint32_t>(step.tokens.size()),
                              static_cast<std::uint32_t>(step.logit_rows.size()), rope_offsets_};
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
    const std::size_t n = std::size_t{context.logit_rows} * plan.graph->vocabulary;
    return std::span<const float>(n == 0 ? nullptr : context.value(plan.graph->logits), n);
  }

  void set_profiling(bool on, std::function<void(int, std::uint64_t, std::uint64_t)> trace) override {
    profiling_ = on;
    trace_ = std::move(trace);
  }
  [[nodiscard]] std::span<const graph::OpCounter> counters(const graph::Plan& plan) const override {
    return std::span(counters_).first(std::min(counters_.size(), plan.graph->ops.size()));
  }
  [[nodiscard]] std::vector<graph::MemoryUse> memory() const override {
    return {{"weights", weights_.bytes()},
            {"kv", kv_.bytes()},
            {"activations", scratch_.arena.size()},
            {"scratch", scratch_.bytes()}};
  }

 private:
  using OpCounter = graph::OpCounter;

  // The caller's promises that a wrong value would turn into a wild read.
  static Status check(const graph::Plan& plan, const graph::StepInputs& step) {
    const std::size_t rows = step.tokens.size();
    if (rows == 0 || rows > plan.max_rows || step.logit_rows.size() > plan.max_logit_rows ||
        step.positions.size() != rows || step.sequences.size() != rows ||
        step.tables.size() != plan.graph->kv.groups.size() * step.n_sequences) {
      return fail(Code::internal, "a step of {} rows and {} logits does not fit its plan ({} and {})", rows,
                  step.logit_rows.size(), plan.max_rows, plan.max_logit_rows);
    }
    for (std::size_t row = 0; row < rows; ++row) {
      if (step.tokens[row] < 0 || static_cast<std::uint32_t>(step.tokens[row]) >= plan.graph->vocabulary ||
          step.positions[row] < 0 || step.sequences[row] < 0 ||
          static_cast<std::uint32_t>(step.sequences[row]) >= step.n_sequences) {
        return fail(Code::internal, "row {} of a step holds token {}, position {}, sequence {}", row, step.tokens[row],
                    step.positions[row], step.sequences[row]);
      }
    }
    return {};
  }

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
