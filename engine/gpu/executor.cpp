#include "gpu/executor.h"

#include <numeric>
#include <optional>
#include <utility>

#include "base/log.h"
#include "gpu/resident.h"
#include "gpu/sample_writer.h"

namespace wisp::gpu {
namespace {

class GpuExecutor final : public graph::Executor, public graph::AsyncExecutor {
 public:
  GpuExecutor(GpuOptions options, std::unique_ptr<Device> device)
      : options_(std::move(options)),
        can_wait_(device->can_wait()),
        tuning_(options_.deterministic ? TuneMode::off : options_.tune, options_.storage.get()) {
    take(std::move(device));
  }

  ~GpuExecutor() override { tuning_.close(); }  // what is being measured is on the device

  // ---- graph::Executor ----
  [[nodiscard]] std::string describe() const override { return description_; }

  Status begin_load(const graph::Graph& graph, const gguf::File& file) override {
    graph_ = &graph;
    file_ = &file;
    return resident_->begin_load(graph, file);
  }

  Result<graph::LoadState> load_more() override {
    if (resident_ == nullptr) {
      WISP_TRY(const bool restored, restore());
      if (!restored) return graph::LoadState::waits;
    }
    Result<graph::LoadState> state = resident_->load_more();
    if (note_loss()) return can_wait_ ? graph::LoadState::more : graph::LoadState::waits;
    return state;
  }

  [[nodiscard]] const graph::WeightStream* weight_stream() const override {
    return resident_ == nullptr ? nullptr : &resident_->weight_stream();
  }

  [[nodiscard]] std::optional<std::uint64_t> kv_room(std::uint64_t wanted) override {
    return resident_ == nullptr ? std::nullopt : resident_->kv_room(wanted);
  }

  Status allocate_kv(const graph::KvLayout& layout, graph::KvType type,
                     std::span<const std::uint32_t> blocks) override {
    kv_ = KvRequest{layout, type, {blocks.begin(), blocks.end()}};
    return resident_ == nullptr ? Status() : resident_->allocate_kv(layout, type, blocks);
  }

  Status prepare(const graph::Plan& plan) override {
    plans_.insert_or_assign(key_of(plan), plan);
    return resident_ == nullptr ? Status() : resident_->prepare(plan);
  }

  Result<std::span<const float>> execute(const graph::Plan& plan, const graph::StepInputs& step) override {
    if (!can_wait_) return fail(Code::invalid_argument, "{} cannot be waited for", description_);
    while (true) {
      WISP_TRY(const bool ready, poll());
      if (ready) break;
      if (pending_ == graph::Pending::data)
        return fail(Code::need_more_data,
                    "the device was lost, and the next one wants weights that the file's source has forgotten");
      WISP_CHECK(wait());
    }
    all_rows_.resize(step.logit_rows.size());
    std::iota(all_rows_.begin(), all_rows_.end(), 0u);
    WISP_TRY(const graph::StepTicket ticket, submit(plan, step, {}, all_rows_));
    while (true) {
      WISP_TRY(const std::optional<graph::StepOutput> output, collect(ticket));
      if (output) return output->logits;
      WISP_CHECK(wait());
    }
  }

  void set_profiling(bool on, std::function<void(int, std::uint64_t, std::uint64_t)> trace) override {
    tally_.profiling = on;
    tally_.trace = std::move(trace);
  }
  [[nodiscard]] std::span<const graph::OpCounter> counters() const override { return tally_.counters; }
  [[nodiscard]] std::vector<graph::MemoryUse> memory() const override {
    return resident_ == nullptr ? std::vector<graph::MemoryUse>() : resident_->memory();
  }
  [[nodiscard]] bool rows_independent() const override { return options_.deterministic; }
  [[nodiscard]] std::uint64_t peak_device_bytes() const override {
    return resident_ == nullptr ? 0 : resident_->device().peak_buffer_bytes();
  }
  [[nodiscard]] std::uint64_t dispatches() const override { return tally_.dispatches; }
  [[nodiscard]] graph::StartCost start_cost() const override {
    return resident_ == nullptr ? graph::StartCost() : resident_->start_cost();
  }
  [[nodiscard]] graph::AsyncExecutor* async() override { return this; }

  // ---- graph::AsyncExecutor ----
  Result<bool> poll() override {
    pending_ = graph::Pending::device;
    if (resident_ != nullptr) {
      Result<bool> ready = advance();
      if (!note_loss()) return ready;
    }
    WISP_TRY(const bool restored, restore());
    return restored ? advance() : Result<bool>(false);
  }
  [[nodiscard]] graph::Pending pending() const override { return pending_; }

  [[nodiscard]] bool can_wait() const override { return can_wait_; }

  Status wait() override {
    if (!can_wait_) return fail(Code::invalid_argument, "{} cannot be waited for", description_);
    if (resident_ == nullptr) return {};  // poll() makes the next one
    const Ticket ticket = resident_->waits_for();
    // A loss is poll()'s to tell.
    if (ticket != Ticket::none) static_cast<void>(resident_->device().wait(ticket));
    return {};
  }

  [[nodiscard]] std::uint64_t losses() const override { return losses_; }
  [[nodiscard]] std::uint32_t slots() const override { return kSlots; }
  [[nodiscard]] std::uint32_t max_steps_in_flight() const override { return kSlotDepth; }

  [[nodiscard]] bool can_sample(const graph::DeviceSample& sample) const override {
    return graph_ != nullptr && device_samples(sample, graph_->vocabulary);
  }

  Result<graph::StepTicket> submit(const graph::Plan& plan, const graph::StepInputs& step,
                                   std::span<const graph::DeviceSample> samples,
                                   std::span<const std::uint32_t> read_logits) override {
    if (resident_ == nullptr) return fail(Code::device, "the device was lost: {}", loss_);
    const Status submitted = resident_->submit(plan, step, samples, read_logits);
    note_loss();
    WISP_CHECK(submitted);
    return graph::StepTicket{++submitted_};
  }

  Result<std::optional<graph::StepOutput>> collect(graph::StepTicket ticket) override {
    if (resident_ == nullptr) return fail(Code::device, "the device was lost: {}", loss_);
    if (static_cast<std::uint64_t>(ticket) + resident_->in_flight() != submitted_ + 1) {
      return fail(Code::invalid_argument, "step {} is not the oldest in flight", static_cast<std::uint64_t>(ticket));
    }
    Result<std::optional<graph::StepOutput>> output = resident_->collect();
    note_loss();
    return output;
  }

 private:
  struct KvRequest {
    graph::KvLayout layout;
    graph::KvType type;
    std::vector<std::uint32_t> blocks;
  };

  void take(std::unique_ptr<Device> device) {
    const DeviceInfo& info = device->info();
    description_ =
        fmt::format("gpu {} ({}){}", info.name, info.backend, options_.deterministic ? ", deterministic" : "");
    tuning_.open(*device);
    resident_ = std::make_unique<Resident>(
        std::move(device),
        LowerOptions{.int8 = options_.int8, .deterministic = options_.deterministic, .attention = options_.attention},
        tally_, tuning_, options_.storage.get());
  }

  // Drops a lost device and all that was on it.
  bool note_loss() {
    if (resident_ == nullptr || resident_->device().lost().empty()) return false;
    loss_ = resident_->device().lost();
    log_warning("{}: the device was lost ({}); the model is loaded again", description_, loss_);
    ++losses_;
    tuning_.close();
    resident_.reset();
    return true;
  }

  // Weights first, where they are not all there.
  Result<bool> advance() {
    pending_ = graph::Pending::device;
    if (resident_->is_loading()) {
      WISP_TRY(const graph::LoadState state, resident_->load_more());
      if (state == graph::LoadState::more) pending_ = graph::Pending::host;
      if (state == graph::LoadState::wants_data) pending_ = graph::Pending::data;
      if (state != graph::LoadState::done) return false;
    }
    return resident_->poll();
  }

  // Another device, with room for what the lost one held. False: not yet, or lost again on the way.
  Result<bool> restore() {
    WISP_TRY(std::unique_ptr<Device> device, options_.make_device());
    if (device == nullptr) return false;
    take(std::move(device));
    const Status refilled = refill();
    if (note_loss()) return false;
    WISP_CHECK(refilled);
    return true;
  }

  Status refill() {
    if (graph_ != nullptr) WISP_CHECK(resident_->begin_load(*graph_, *file_));
    if (kv_) WISP_CHECK(resident_->allocate_kv(kv_->layout, kv_->type, kv_->blocks));
    for (const auto& [key, plan] : plans_) WISP_CHECK(resident_->prepare(plan));
    return {};
  }

  GpuOptions options_;
  bool can_wait_;
  std::string description_;
  Tally tally_;
  Tuning tuning_;
  std::unique_ptr<Resident> resident_;  // nullptr between a loss and the next device
  graph::Pending pending_ = graph::Pending::device;
  std::uint64_t losses_ = 0;
  std::string loss_;
  std::uint64_t submitted_ = 0;

  // What was asked of the devices so far, for the next one.
  const graph::Graph* graph_ = nullptr;
  const gguf::File* file_ = nullptr;
  std::optional<KvRequest> kv_;
  std::map<PlanKey, graph::Plan> plans_;

  std::vector<std::uint32_t> all_rows_;
};

}  // namespace

Result<std::unique_ptr<graph::Executor>> make_gpu_executor(GpuOptions options) {
  WISP_TRY(std::unique_ptr<Device> device, options.make_device());
  if (device == nullptr) return fail(Code::device, "the device is not there yet");
  return std::make_unique<GpuExecutor>(std::move(options), std::move(device));
}

}  // namespace wisp::gpu
