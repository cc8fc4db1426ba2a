// All that lives on one device and is gone with it: weights, keys and values, programs, and the steps in flight. After
// a loss the executor makes another one.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "gpu/kernels/attention.h"
#include "gpu/kv_pool.h"
#include "gpu/op_timer.h"
#include "gpu/pipelines.h"
#include "gpu/program.h"
#include "gpu/slot_ring.h"
#include "gpu/step_writer.h"
#include "gpu/storage.h"
#include "gpu/trial_allocation.h"
#include "gpu/tuning.h"
#include "gpu/weights/device_weights.h"
#include "graph/async_executor.h"
#include "graph/executor.h"

namespace wisp::gpu {

// How plans become programs.
struct LowerOptions {
  bool int8 = true;
  bool deterministic = false;
  AttentionPath attention = AttentionPath::flash;
};

// What is counted across devices.
struct Tally {
  std::vector<graph::OpCounter> counters;  // by op
  std::uint64_t dispatches = 0;
  bool profiling = false;
  OpTimer::Trace trace;
};

// A plan by what it was made of: its graph and rows.
using PlanKey = std::pair<const graph::Graph*, std::uint64_t>;
PlanKey key_of(const graph::Plan& plan);

class Resident {
 public:
  // `tally`, `tuning`, which knows the device, and `storage`, which may be nullptr, outlive it.
  Resident(std::unique_ptr<Device> device, LowerOptions options, Tally& tally, Tuning& tuning, Storage* storage);

  [[nodiscard]] Device& device() { return *device_; }
  [[nodiscard]] const Device& device() const { return *device_; }

  // From here on there is memory for keys and values to ask for, and plans can be prepared: their kernels compile while
  // the weights arrive.
  Status begin_load(const graph::Graph& graph, const gguf::File& file);
  // graph::Executor::load_more(). Steps wait until it is done.
  Result<graph::LoadState> load_more();
  [[nodiscard]] bool is_loading() const { return loading_; }
  [[nodiscard]] const graph::WeightStream& weight_stream() const { return weights_.stream(); }
  // graph::Executor::kv_room().
  std::optional<std::uint64_t> kv_room(std::uint64_t wanted);
  Status allocate_kv(const graph::KvLayout& layout, graph::KvType type, std::span<const std::uint32_t> blocks) {
    return kv_.allocate(layout, type, blocks);
  }
  // Starts compiling what is new, or asks the tuner first.
  Status prepare(const graph::Plan& plan);

  // Gathers what the device has answered. True: everything that was prepared is tuned and compiled.
  Result<bool> poll();
  // What the next poll() or collect() waits for; Ticket::none: nothing.
  [[nodiscard]] Ticket waits_for() const;
  [[nodiscard]] graph::StartCost start_cost() const;

  Status submit(const graph::Plan& plan, const graph::StepInputs& step, std::span<const graph::DeviceSample> samples,
                std::span<const std::uint32_t> logits_wanted);
  // The oldest step's results once they are there; valid until the next call.
  Result<std::optional<graph::StepOutput>> collect();
  [[nodiscard]] std::uint32_t in_flight() const { return in_flight_; }

  [[nodiscard]] std::vector<graph::MemoryUse> memory() const;

 private:
  struct Prepared {
    Program program;
    BufferId op = BufferId::none;
    BindGroupId shared = BindGroupId::none;
    std::uint64_t bound = 0;  // the generation of arena and step buffer that `shared` shows
  };
  // A step until it is collected. What it reads back lies here, and stays where it is.
  struct Flying {
    std::vector<std::int32_t> tokens;  // [samples]
    std::vector<float> logits;         // [rows asked for, vocabulary]
    std::vector<Ticket> reads;
    OpTimes times;
    PlanKey plan;
  };

  [[nodiscard]] LowerContext context();
  Status make_program(const graph::Plan& plan);
  void hint_kernels(const graph::Graph& graph);
  void keep_kernels();
  void forget_programs();
  // Whether this step's ops are timed for the drift watch.
  [[nodiscard]] bool watches();
  void observe(const Flying& step);
  void make_buffer(Binding& buffer, std::uint64_t bytes, std::string_view label);
  void grow_arena(std::uint32_t words);
  void fill_vectors();
  void bind(Prepared& prepared);
  void record_ops(const Prepared& prepared, const graph::Plan& plan, Flying& step);
  void record_choice(const Prepared& prepared);
  // Where the pass stands, so that nothing is set twice.
  struct PassState {
    PipelineId pipeline = PipelineId::none;
    BindGroupId group = BindGroupId::none;
  };
  // False where the step has nothing for it.
  [[nodiscard]] bool applies(const Dispatch& dispatch) const;
  void record(const Prepared& prepared, const Dispatch& dispatch, PassState& state);
  void read(BufferId buffer, std::uint64_t offset, std::span<std::byte> target, Flying& step);
  void read_logits(const graph::Plan& plan, std::span<const std::uint32_t> rows, Flying& step);
  [[nodiscard]] Error failure(const Event* event);
  Status check();

  std::unique_ptr<Device> device_;  // first: the others give back to it
  LowerOptions options_;
  Tally& tally_;
  Tuning& tuning_;
  Storage* storage_;
  Pipelines pipelines_;
  DeviceWeights weights_;
  bool loading_ = false;
  KvPool kv_;
  StepWriter step_;
  SlotRing slots_;
  std::map<PlanKey, graph::Plan> plans_;
  std::map<PlanKey, Prepared> programs_;  // of all plans, or fewer while the tuner is at work
  bool retuning_ = false;                 // a way has drifted
  bool kv_written_ = false;               // the order of keys is settled
  std::string cache_name_;                // of the kernels
  std::string cached_kernels_;            // what was read under it
  std::uint32_t known_kernels_ = 0;
  std::size_t kept_programs_ = 0;  // whose kernels were written
  std::uint64_t steps_ = 0;
  Binding arena_, step_buffer_, sampled_, results_;
  std::uint64_t generation_ = 1;  // of arena_ and step_buffer_
  Commands commands_;
  double layers_worth_ = 0.0;  // keys and values of all layers, in units of the largest layer's keys
  std::optional<TrialAllocation> trial_;
  OpTimer timer_;

  std::array<Flying, kSlotDepth> flying_;
  std::uint32_t oldest_ = 0, in_flight_ = 0;
  std::vector<std::int32_t> output_tokens_;
  std::vector<float> output_logits_;
};

}  // namespace wisp::gpu
