// The engine: a loaded model and the one loop that serves all sequences. Each step computes a batch of rows (a row is
// one token of one sequence) of as many sequences as fit; a prompt is many rows, a generation one a step.
//
//   auto engine = Engine::create(std::move(file), options, std::move(executor));
//   auto id = (*engine)->submit({.prompt = ids, .on_token = [](const TokenEvent& e) { ... }});
//   while (*(*engine)->step()) {}
//
// A request's tokens and logits are a function of the request alone: not of who else is served, chunk sizes, prefix
// hits, forks or preemptions. One thread drives an engine; it is not thread-safe. Needs no clock or file but what it is
// given.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "gguf/reader.h"
#include "graph/executor.h"
#include "model/model.h"
#include "runtime/counters.h"
#include "runtime/request.h"
#include "runtime/trace.h"
#include "text/tokenizer.h"

namespace wisp::runtime {

struct EngineOptions {
  model::ContextOptions context = {};
  graph::KvType kv_type = graph::KvType::f16;

  std::uint32_t row_budget = 512;     // rows of a step at most, all sequences together
  std::uint32_t max_sequences = 8;    // running at once; at most row_budget
  std::uint32_t max_logit_rows = 64;  // rows of a step that may want logits; at least max_sequences

  // KV blocks of each layer group (kv::kBlockPositions positions each). Empty: enough for max_sequences of the full
  // context, or of as long a one as kv_bytes allows. The pool is one reservation that the system backs as blocks are
  // first written.
  std::vector<std::uint32_t> kv_blocks = {};
  std::uint64_t kv_bytes = 0;  // budget of all groups together; 0: none

  std::vector<std::string> passes_off = {};  // fusion passes by name, or "all"
  bool prefix_cache = true;                  // reuse the KV of equal prompt starts

  // Prompt rows of one sequence in a step; 0: the whole budget while nobody waits for a next token, else what keeps
  // steps near `inter_token_target_ns` by measured time. Changes when tokens come, never which.
  std::uint32_t prompt_chunk = 0;
  std::uint64_t inter_token_target_ns = 50'000'000;

  std::uint32_t max_waiting_requests = 1024;
  std::uint64_t max_waiting_tokens = 1u << 22;  // prompt tokens of all waiting requests

  const text::Tokenizer* tokenizer =
      nullptr;                        // nullptr: ids only, no text, no stop strings, no end tokens. Outlives the engine
  std::uint64_t (*clock)() = now_ns;  // ns, monotonic
};

class Engine {
 public:
  // Builds the graph of the file's model, fuses it, loads the weights and reserves the KV pool.
  static Result<std::unique_ptr<Engine>> create(gguf::File file, EngineOptions options,
                                                std::unique_ptr<graph::Executor> executor,
                                                const graph::LoadProgress& progress = {});
  // The same for a graph made elsewhere, not yet fused; `context` is the longest sequence in positions.
  static Result<std::unique_ptr<Engine>> create(gguf::File file, graph::Graph graph, std::uint32_t context,
                                                EngineOptions options, std::unique_ptr<graph::Executor> executor,
                                                const graph::LoadProgress& progress = {});
  ~Engine();  // requests that are not finished are dropped without a word
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // ---- requests ----

  // Queues a request. Code::limit when the queue is full (try later), or when the prompt could never fit the context or
  // the KV pool (says what it needs and what there is); Code::invalid_argument when it makes no sense.
  Result<RequestId> submit(Request request);
  // Ends a request with FinishReason::cancelled: at once between steps (on_finish is called from here then), with the
  // step's end during one. Code::not_found for one that is unknown or finished.
  Status cancel(RequestId id);
  // A new request that continues from all tokens of a live one, sharing its blocks until either writes. Its prompt is
  // the parent's tokens so far followed by `request.prompt`, which may be empty; the salt is the parent's. Between
  // steps only.
  Result<RequestId> fork(RequestId parent, Request request);
  // Takes the KV of a running request away; it is recomputed when it is scheduled again. Between steps only.
  Status preempt(RequestId id);

  // ---- the loop ----

  // Picks rows, executes them. False: nothing to do. On a device that runs by itself this will only submit.
  // A failure of the executor ends the requests that had rows in the step; the error here is misuse only.
  Result<bool> begin_step();
  // Samples, calls back, finishes. Only after a begin_step() that said true.
  Status end_step();
  // Both. False when nothing was to do.
  Result<bool> step();
  // Steps until every request is finished.
  Status run();

  // ---- what it is and did ----

  [[nodiscard]] const gguf::File& file() const;
  // nullptr when the engine was made from a graph.
  [[nodiscard]] const model::Model* model() const;
  [[nodiscard]] const graph::Graph& graph() const;  // fused
  [[nodiscard]] std::uint32_t vocabulary() const;
  // Positions a sequence may have: the context, or practically without end when a window was imposed.
  [[nodiscard]] std::uint32_t max_positions() const;
  [[nodiscard]] const EngineOptions& options() const;  // as given, with defaults filled in
  [[nodiscard]] const graph::Executor& executor() const;

  [[nodiscard]] Counters counters() const;
  [[nodiscard]] KvUse kv_use() const;
  // By owner, the executor's and the engine's own.
  [[nodiscard]] std::vector<graph::MemoryUse> memory() const;
  // Times per op need this on; costs a clock read or two an op.
  void set_profiling(bool on);
  [[nodiscard]] std::vector<OpTime> op_times() const;  // in plan order
  // Writes a trace from now on, until stop_trace() or the engine's end. Turns profiling on.
  void start_trace(TraceSink sink);
  void stop_trace();

 private:
  struct State;
  explicit Engine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace wisp::runtime
