// The insides of an Engine. It is set up in set_up.cpp; requests are handled in engine.cpp, steps in step.cpp, and
// what is a device's in device.cpp.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/batch.h"
#include "runtime/engine.h"
#include "runtime/flight.h"
#include "runtime/pace.h"
#include "runtime/plans.h"
#include "runtime/scheduler.h"
#include "runtime/sequence.h"
#include "runtime/speculation/model_drafter.h"

namespace wisp::runtime {

struct Engine::State : private JobMemory {
  State(gguf::File model_file, std::shared_ptr<const graph::Graph> fused, kv::KvManager blocks, EngineOptions chosen,
        std::uint32_t longest, bool blocks_given, std::unique_ptr<graph::Executor> backend);

  // ---- before the first step (set_up.cpp) ----
  Status begin_load(LoadProgress told);
  Result<graph::LoadState> load_more();
  Status load_all();

  // ---- requests (engine.cpp) ----
  Result<RequestId> submit(Request request);
  Status cancel(RequestId id);
  Result<RequestId> fork(RequestId parent, Request request);
  Status preempt(RequestId id);
  Result<SavedSequence> save(RequestId id);  // saving.cpp

  // ---- the loop (step.cpp) ----
  Result<bool> begin_step();
  Status end_step();
  [[nodiscard]] std::uint32_t steps_in_flight() const { return flight_.size(); }

  // ---- the device (device.cpp) ----
  // True at once where there is no device. Sees to what a loss took.
  Result<bool> poll();
  bool step_ready();
  Result<bool> step_device();

  // ---- what is known ----
  [[nodiscard]] Counters counters() const;
  [[nodiscard]] std::uint64_t request_bytes() const;
  // Times of ops are measured for counters or for a trace.
  void update_profiling();

  gguf::File file;  // the executor may read tables from it
  std::unique_ptr<model::Model> model;
  std::shared_ptr<const graph::Graph> graph;
  EngineOptions options;
  std::uint32_t max_positions;
  std::unique_ptr<graph::Executor> executor;
  graph::AsyncExecutor* device;  // the executor where it runs by itself, else nullptr
  kv::KvManager kv;
  std::unique_ptr<ModelDrafter> draft_model;  // nullptr: none
  Plans plans;
  Counters totals;
  bool profiling = false;
  std::unique_ptr<Trace> trace;
  bool must_wait = false;
  bool loaded = false;

 private:
  // ---- saved sequences (saving.cpp) ----
  Result<std::uint64_t> fingerprint();  // of the model
  Result<SavedSequence> save(const Sequence& sequence);
  Status read_computed(const Sequence& sequence, SavedSequence& saved);
  std::shared_ptr<const SavedSequence> save_at_end(const Sequence& sequence);
  Status check_saved(const SavedSequence& saved, std::span<const TokenId> prompt);
  // Positions whose keys and values come from Request::state.
  [[nodiscard]] std::uint32_t restorable(const Sequence& sequence) const;
  // The number of a state: the same for the same object, and never given again.
  std::uint64_t origin_of(const std::shared_ptr<const SavedSequence>& state);
  [[nodiscard]] kv::Salt salt_of(const Sequence& sequence) const;
  bool restore(Sequence& sequence, std::uint32_t cached, std::uint32_t n);

  // ---- speculation (speculate.cpp) ----
  [[nodiscard]] Status check_speculation(const Request& request) const;
  void guess();
  void verify(Sequence& sequence, const PickInFlight& pick, const float* logits);

  // ---- before the first step (set_up.cpp) ----
  // The KV pools, once the backend can tell its memory, and on a device all plans. False: not yet.
  Result<bool> set_up();
  Result<graph::LoadState> reload();
  Status tell_progress();
  [[nodiscard]] Status check_limit(std::uint64_t taken) const;
  // What the memory limit leaves of `room` for keys and values.
  [[nodiscard]] Result<std::uint64_t> within_limit(std::uint64_t room) const;
  // Pools of `room` bytes in place of the `wanted` ones.
  Status settle_for(std::uint64_t room, std::uint64_t wanted);
  // Those of all row buckets, so that everything compiles before the first step.
  Status prepare_plans();

  // Checks, and makes a sequence of `tokens` that is in no queue yet.
  Result<std::unique_ptr<Sequence>> make_sequence(Request request, std::vector<TokenId> tokens);
  [[nodiscard]] Status check_prompt(std::span<const TokenId> tokens) const;
  [[nodiscard]] Status check_queue(std::size_t prompt_tokens) const;
  // Takes a new sequence in, not yet in a queue.
  Sequence& keep(std::unique_ptr<Sequence> sequence);
  [[nodiscard]] Sequence* find(RequestId id) const;

  // JobMemory, over the block pools.
  bool admit(Job& job, bool others_running) override;
  bool extend(Job& job, std::uint32_t rows) override;
  void evict(Job& job) override;
  [[nodiscard]] bool has_blocks_for(const Sequence& sequence) const;

  // Callbacks run, or a step is being computed in the caller's time: requests must stay where they are.
  [[nodiscard]] bool mid_step() const { return ending_ || (device == nullptr && !flight_.empty()); }
  // Writes down what the step that begins does for each pick.
  void note_picks(StepInFlight& step);
  Status execute(StepInFlight& step);
  [[nodiscard]] Status check_output(const StepInFlight& step) const;

  void tell_picks(const StepInFlight& step);
  // `logits` [pick.logit_rows, vocabulary]; `token`: the device's choice, where pick.samples.
  void consume(Sequence& sequence, const PickInFlight& pick, const float* logits, const TokenId* token);
  void deliver_scores(Sequence& sequence, std::uint32_t rows, const float* logits);
  // Chooses the next token from `row`, unless the device has `sampled` it.
  void generate(Sequence& sequence, std::span<const float> row, const TokenId* sampled);
  Result<TokenId> sample(Sequence& sequence, std::span<const float> logits);
  sample::Logprobs logprobs_of(const Sequence& sequence, std::span<const float> row, TokenId token);
  // Appends a token and tells of it. False when the request has ended with it, and is gone.
  bool take(Sequence& sequence, TokenId token, std::span<const float> row);
  // The same for all that the sequence's constraint leaves no choice about.
  bool take_forced(Sequence& sequence);
  [[nodiscard]] static bool is_forced(Sequence& sequence);
  void finish(Sequence& sequence, FinishReason reason, Error error = {});
  void finish_all(const Error& error);
  void finish_cancelled();
  void note_admitted(Sequence& sequence, std::uint64_t now);
  void note_preempted(Sequence& sequence);
  void set_phase(Sequence& sequence, std::string_view phase);
  void trace_step(const StepInFlight& step, std::uint64_t begin_ns, std::uint64_t sampling_begin_ns, std::uint64_t now);

  // ---- the device (device.cpp) ----
  enum class Device : std::uint8_t { takes_steps, busy, failed };
  // Before a step begins. `failed`: a step was begun that ends every request.
  Result<Device> see_to_device();
  [[nodiscard]] bool may_run_ahead() const;
  static bool is_loss(const Status& status) { return !status && status.error().code == Code::device; }
  // Everything on the device is gone: nothing is in flight any more, and who was running waits to be computed again.
  void recover();
  // Code::device where it was lost too often.
  [[nodiscard]] Status check_losses() const;
  // In place of all that is in flight, a step without rows that ends every request.
  void fail_all(Error error);
  void take_slot(Sequence& sequence);
  // What the device shall choose in this step, and which logits the host wants to see, into samples_ and read_logits_.
  void ask_device(StepInFlight& step);
  [[nodiscard]] graph::DeviceSample device_sample(const Sequence& sequence) const;
  // Adds the constraint's mask; false where the host has to choose.
  [[nodiscard]] bool mask_sample(Sequence& sequence, graph::DeviceSample& sample) const;
  [[nodiscard]] Result<TokenId> check_sampled(TokenId token) const;

  Scheduler scheduler_;
  Pace pace_;
  StepCosts costs_;
  Batch batch_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Sequence>> live_;
  std::uint64_t next_id_ = 1;

  // The steps in flight.
  Flight flight_;
  std::span<const Pick> picks_;  // of the step that begins
  bool ending_ = false;
  std::uint64_t last_end_ns_ = 0;
  bool any_cancelled_ = false;
  // Nothing begins until nothing is in flight: memory is short, and somebody can give way only then, or a step failed,
  // and its requests end first.
  bool drains_ = false;

  // Saved sequences.
  struct KnownState {
    std::weak_ptr<const SavedSequence> state;
    std::uint64_t origin;
  };
  std::optional<std::uint64_t> fingerprint_;  // once it was asked for
  std::vector<KnownState> known_states_;      // of live requests, and some that are gone
  std::uint64_t last_origin_ = 0;

  LoadProgress progress_;
  std::uint64_t told_bytes_ = 0;
  bool set_up_ = false;
  bool blocks_given_;  // EngineOptions::kv_blocks by the caller

  // The device.
  std::vector<graph::DeviceSample> samples_;  // of the step that begins
  std::vector<std::uint32_t> read_logits_;
  std::vector<std::uint32_t> free_slots_;
  std::uint64_t losses_seen_ = 0;
  std::uint32_t losses_in_a_row_ = 0;  // since the last step that came through

  // Scratch.
  sample::SamplerScratch sampler_scratch_;
  std::vector<float> row_;  // [vocabulary]
  std::string text_;
  std::vector<TokenId> forced_;
};

}  // namespace wisp::runtime
