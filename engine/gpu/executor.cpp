#include "gpu/executor.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "base/clock.h"
#include "gpu/lower.h"
#include "graph/step_check.h"

namespace wisp::gpu {
namespace {

constexpr std::uint32_t kSlots = 64;  // sampled tokens

class GpuExecutor final : public graph::Executor {
 public:
  GpuExecutor(GpuOptions options, std::unique_ptr<Device> device)
      : options_(std::move(options)),
        device_(std::move(device)),
        pipelines_(*device_),
        weights_(*device_),
        kv_(*device_) {}

  [[nodiscard]] std::string describe() const override {
    const DeviceInfo& info = device_->info();
    return fmt::format("gpu {} ({}){}", info.name, info.backend, options_.deterministic ? ", deterministic" : "");
  }

  Status load_weights(const graph::Graph& graph, gguf::File& file, const graph::LoadProgress& progress) override {
    WISP_CHECK(weights_.load(graph, file, progress));
    step_.prepare(graph);
    layers_worth_ = 0.0;
    std::uint64_t largest = 1;
    for (const graph::KvLayer& layer : graph.kv.layers) {
      largest = std::max(largest, std::uint64_t{layer.kv_heads} * layer.head_dim);
    }
    for (const graph::KvLayer& layer : graph.kv.layers) {
      layers_worth_ += 2.0 * layer.kv_heads * layer.head_dim / static_cast<double>(largest);
    }
    commands_.clear();
    sampled_ = {device_->new_buffer(), 0, kSlots * 4};
    commands_.create_buffer(sampled_.buffer, kStorage, sampled_.bytes, "wisp sampled tokens");
    device_->run(commands_);
    return {};
  }

  // What can be bound: the largest layer's keys lie in one binding.
  [[nodiscard]] std::optional<std::uint64_t> kv_room(std::uint64_t wanted) override {
    const std::uint64_t most =
        std::min(device_->info().limits.max_binding_bytes, device_->info().limits.max_buffer_bytes);
    return std::min(wanted, static_cast<std::uint64_t>(static_cast<double>(most) * layers_worth_));
  }

  Status allocate_kv(const graph::KvLayout& layout, graph::KvType type,
                     std::span<const std::uint32_t> blocks) override {
    return kv_.allocate(layout, type, blocks);
  }

  Status prepare(const graph::Plan& plan) override {
    counters_.resize(plan.graph->ops.size());
    if (programs_.contains(key_of(plan))) return {};
    const LowerContext context{*device_, pipelines_, weights_,      kv_,
                               step_,    sampled_,   options_.int8, options_.deterministic};
    WISP_TRY(Program program, lower(plan, context));
    grow_arena(program.arena_words);
    Prepared& prepared = programs_[key_of(plan)];
    prepared.program = std::move(program);
    commands_.clear();
    prepared.op = device_->new_buffer();
    const auto constants = std::as_bytes(std::span(prepared.program.constants));
    commands_.create_buffer(prepared.op, kUniform, constants.size(), "wisp constants");
    commands_.write_buffer(prepared.op, 0, constants);
    device_->run(commands_);
    return check();
  }

  Result<std::span<const float>> execute(const graph::Plan& plan, const graph::StepInputs& step) override {
    WISP_CHECK(graph::check_step(plan, step, kv_.blocks()));
    const auto found = programs_.find(key_of(plan));
    if (found == programs_.end()) return fail(Code::invalid_argument, "the plan was not prepared");
    WISP_CHECK(pipelines_.wait());
    Prepared& prepared = found->second;
    const std::span<const std::uint32_t> words = step_.write(*plan.graph, step);
    grow_step(words.size());
    bind(prepared);

    commands_.clear();
    commands_.write_buffer(step_buffer_.buffer, 0, std::as_bytes(words));
    for (const graph::BlockCopy& copy : step.copies) kv_.copy(copy, commands_);
    record(prepared, plan);
    const std::size_t n = step.logit_rows.size() * plan.graph->vocabulary;
    logits_.resize(n);
    const Ticket done = device_->new_ticket();
    if (n > 0) {
      commands_.read_buffer(done, arena_.buffer, logits_at(plan), std::as_writable_bytes(std::span(logits_)));
    } else {
      commands_.signal(done);
    }
    device_->run(commands_);
    if (!device_->wait(done)) return fail(Code::device, "the device was lost: {}", device_->lost());
    const Event event = *device_->take(done);
    if (!event.ok) {
      const std::string error = device_->take_uncaptured_error();
      return fail(Code::device, "{}: {}", device_->info().name, error.empty() ? event.message : error);
    }
    WISP_CHECK(check());
    collect_times();
    return std::span<const float>(logits_);
  }

  void set_profiling(bool on, std::function<void(int, std::uint64_t, std::uint64_t)> trace) override {
    profiling_ = on && device_->info().features.timestamps;
    trace_ = std::move(trace);
  }
  [[nodiscard]] std::span<const graph::OpCounter> counters() const override { return counters_; }
  [[nodiscard]] std::vector<graph::MemoryUse> memory() const override {
    return {{"weights", weights_.bytes()},
            {"kv", kv_.bytes()},
            {"activations", arena_.bytes},
            {"step", step_buffer_.bytes}};
  }
  [[nodiscard]] std::uint64_t dispatches() const override { return dispatches_; }

 private:
  struct Prepared {
    Program program;
    BufferId op = BufferId::none;
    BindGroupId shared = BindGroupId::none;
    std::uint64_t bound = 0;  // the generation of arena and step buffer that `shared` shows
  };
  // A plan by what it was made from: its graph and rows.
  using Key = std::pair<const graph::Graph*, std::uint64_t>;
  static Key key_of(const graph::Plan& plan) {
    return {plan.graph.get(), std::uint64_t{plan.max_rows} << 32 | plan.max_logit_rows};
  }

  std::uint64_t logits_at(const graph::Plan& plan) const {
    const std::uint64_t values = align_up<std::uint64_t>(weights_.vectors().size(), 64) * 4;
    return values + plan.offsets[static_cast<std::size_t>(plan.graph->logits)];
  }

  // The arena starts with the vectors: norms and biases need no binding of their own.
  void grow_arena(std::uint32_t words) {
    if (arena_.bytes >= std::uint64_t{words} * 4) return;
    commands_.clear();
    if (arena_.buffer != BufferId::none) commands_.destroy_buffer(arena_.buffer);
    arena_ = {device_->new_buffer(), 0, align_up<std::uint64_t>(std::uint64_t{words} * 4, 256)};
    commands_.create_buffer(arena_.buffer, kStorage, arena_.bytes, "wisp activations");
    if (!weights_.vectors().empty()) {
      commands_.write_buffer(arena_.buffer, 0, std::as_bytes(std::span(weights_.vectors())));
    }
    device_->run(commands_);
    ++generation_;
  }

  void grow_step(std::size_t words) {
    if (step_buffer_.bytes >= words * 4) return;
    commands_.clear();
    if (step_buffer_.buffer != BufferId::none) commands_.destroy_buffer(step_buffer_.buffer);
    step_buffer_ = {device_->new_buffer(), 0, std::max<std::uint64_t>(2 * words * 4, 4096)};
    commands_.create_buffer(step_buffer_.buffer, kStorage, step_buffer_.bytes, "wisp step");
    device_->run(commands_);
    ++generation_;
  }

  void bind(Prepared& prepared) {
    if (prepared.bound == generation_) return;
    commands_.clear();
    if (prepared.shared != BindGroupId::none) commands_.destroy_bind_group(prepared.shared);
    prepared.shared = device_->new_bind_group();
    const std::array bindings = {step_buffer_, arena_, Binding{prepared.op, 0, kOpBytes}};
    commands_.create_bind_group(prepared.shared, pipelines_.shared_layout(), bindings, "wisp group 0");
    device_->run(commands_);
    prepared.bound = generation_;
  }

  // One pass for all, or one an op where its time is wanted.
  void record(const Prepared& prepared, const graph::Plan& plan) {
    const StepCounts counts = step_.counts();
    const auto ops = static_cast<std::uint32_t>(plan.graph->ops.size());
    if (profiling_ && queries_ == QuerySetId::none) make_queries(ops);
    timed_.clear();
    if (!profiling_) commands_.begin_pass("wisp step");
    int op = -1;
    PipelineId pipeline = PipelineId::none;
    BindGroupId group = BindGroupId::none;
    for (const Dispatch& dispatch : prepared.program.dispatches) {
      const std::uint32_t items = count_of(dispatch.of, counts);
      if (items < dispatch.least || items > dispatch.most) continue;
      const std::array size = {workgroups(dispatch.grid[0], counts), workgroups(dispatch.grid[1], counts),
                               workgroups(dispatch.grid[2], counts)};
      if (size[0] == 0 || size[1] == 0 || size[2] == 0) continue;
      if (dispatch.op != op) {
        op = dispatch.op;
        graph::OpCounter& counter = counters_[static_cast<std::size_t>(op)];
        ++counter.calls;
        counter.rows += counts.rows;
        if (profiling_) {
          if (!timed_.empty()) commands_.end_pass();
          commands_.begin_pass(graph::op_name(plan.graph->ops[static_cast<std::size_t>(op)]), queries_,
                               static_cast<std::uint32_t>(2 * timed_.size()));
          timed_.push_back(op);
          pipeline = PipelineId::none;
          group = BindGroupId::none;
        }
      }
      if (dispatch.pipeline != pipeline) commands_.set_pipeline(pipeline = dispatch.pipeline);
      commands_.set_bind_group(0, prepared.shared, std::array{dispatch.slot * kOpBytes});
      if (dispatch.group != BindGroupId::none && dispatch.group != group) {
        commands_.set_bind_group(1, group = dispatch.group);
      }
      commands_.dispatch(size[0], size[1], size[2]);
      ++dispatches_;
    }
    commands_.end_pass();
    if (timed_.empty()) return;
    stamps_.resize(2 * timed_.size());
    times_read_ = device_->new_ticket();
    const auto count = static_cast<std::uint32_t>(stamps_.size());
    commands_.resolve_queries(queries_, 0, count, resolved_, 0);
    commands_.read_buffer(times_read_, resolved_, 0, std::as_writable_bytes(std::span(stamps_)));
  }

  void make_queries(std::uint32_t ops) {
    queries_ = device_->new_query_set();
    resolved_ = device_->new_buffer();
    commands_.create_query_set(queries_, 2 * ops);
    commands_.create_buffer(resolved_, kQueryResolve, std::uint64_t{16} * ops, "wisp timestamps");
  }

  void collect_times() {
    if (timed_.empty() || !device_->wait(times_read_) || !device_->take(times_read_)->ok) return;
    const double unit = device_->info().timestamp_nanoseconds;
    const std::uint64_t now = now_ns();
    const std::uint64_t last = stamps_.back();
    for (std::size_t i = 0; i < timed_.size(); ++i) {
      const auto length = [&](std::uint64_t from, std::uint64_t to) {
        return to > from ? static_cast<std::uint64_t>(static_cast<double>(to - from) * unit) : 0;
      };
      const std::uint64_t time = length(stamps_[2 * i], stamps_[2 * i + 1]);
      counters_[static_cast<std::size_t>(timed_[i])].nanoseconds += time;
      // The device's clock is not the host's: its last stamp is taken for now.
      if (trace_) trace_(timed_[i], now - length(stamps_[2 * i], last), now - length(stamps_[2 * i + 1], last));
    }
  }

  // What the device complained of since.
  Status check() {
    const std::string error = device_->take_uncaptured_error();
    if (!device_->lost().empty()) return fail(Code::device, "the device was lost: {}", device_->lost());
    if (!error.empty()) return fail(Code::internal, "{}: {}", device_->info().name, error);
    return {};
  }

  GpuOptions options_;
  std::unique_ptr<Device> device_;  // first: the others give back to it
  Pipelines pipelines_;
  DeviceWeights weights_;
  KvPool kv_;
  StepWriter step_;
  std::map<Key, Prepared> programs_;
  Binding arena_, step_buffer_, sampled_;
  std::uint64_t generation_ = 1;  // of arena_ and step_buffer_
  Commands commands_;
  std::vector<float> logits_;
  double layers_worth_ = 0.0;  // keys and values of all layers, in units of the largest layer's keys
  std::vector<graph::OpCounter> counters_;
  std::uint64_t dispatches_ = 0;

  bool profiling_ = false;
  std::function<void(int, std::uint64_t, std::uint64_t)> trace_;
  QuerySetId queries_ = QuerySetId::none;
  BufferId resolved_ = BufferId::none;
  Ticket times_read_ = Ticket::none;
  std::vector<int> timed_;             // ops, in the order of their passes
  std::vector<std::uint64_t> stamps_;  // begin and end of each
};

}  // namespace

Result<std::unique_ptr<graph::Executor>> make_gpu_executor(GpuOptions options) {
  WISP_TRY(std::unique_ptr<Device> device, options.make_device());
  return std::make_unique<GpuExecutor>(std::move(options), std::move(device));
}

}  // namespace wisp::gpu
