// The insides of an Engine. Requests are handled in engine.cpp, steps in step.cpp.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/batch.h"
#include "runtime/engine.h"
#include "runtime/pace.h"
#include "runtime/plans.h"
#include "runtime/scheduler.h"
#include "runtime/sequence.h"

namespace wisp::runtime {

struct Engine::State : private JobMemory {
  State(gguf::File model_file, std::shared_ptr<const graph::Graph> fused, kv::KvManager blocks, EngineOptions chosen,
        std::uint32_t longest, std::unique_ptr<graph::Executor> backend);

  // ---- requests (engine.cpp) ----
  Result<RequestId> submit(Request request);
  Status cancel(RequestId id);
  Result<RequestId> fork(RequestId parent, Request request);
  Status preempt(RequestId id);

  // ---- the loop (step.cpp) ----
  Result<bool> begin_step();
  Status end_step();

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
  kv::KvManager kv;
  Plans plans;
  Counters totals;
  bool profiling = false;
  std::unique_ptr<Trace> trace;

 private:
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

  Status execute();
  // `logits` [rows of this pick that want them, vocabulary].
  void consume(Sequence& sequence, std::uint32_t rows, const float* logits);
  void deliver_scores(Sequence& sequence, std::uint32_t rows, const float* logits);
  void generate(Sequence& sequence, const float* logits);
  Result<TokenId> sample(const Sequence& sequence, std::span<const float> logits);
  void finish(Sequence& sequence, FinishReason reason, Error error = {});
  void finish_cancelled();
  void note_admitted(Sequence& sequence);
  void note_preempted(Sequence& sequence);
  void set_phase(Sequence& sequence, std::string_view phase);
  void trace_step(std::uint64_t sampling_begin_ns, std::uint64_t now);

  Scheduler scheduler_;
  Pace pace_;
  Batch batch_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Sequence>> live_;
  std::uint64_t next_id_ = 1;

  // The step in flight.
  bool in_step_ = false;
  std::uint64_t step_begin_ns_ = 0;
  std::span<const Pick> picks_;
  std::span<const float> logits_;
  Status executed_;
  bool any_cancelled_ = false;

  // Scratch.
  sample::SamplerScratch sampler_scratch_;
  std::vector<float> row_;  // [vocabulary]
  std::string text_;
};

}  // namespace wisp::runtime
