// The engine: a loaded model and the one loop that serves all sequences. Each step computes a batch of rows (a row is
// one token of one sequence) of as many sequences as fit; a prompt is many rows, a generation one a step.
//
//   auto engine = Engine::create(std::move(file), options, std::move(executor));
//   auto id = (*engine)->submit({.prompt = ids, .on_token = [](const TokenEvent& e) { ... }});
//   while (*(*engine)->step()) {}
//
// A backend that runs by itself (graph/async_executor.h) gets several steps ahead: it chooses tokens itself and feeds
// them to the next step, and the host reads them behind. A sequence whose next token the host has to choose, because
// the device cannot, holds the next step back until it has. A lost device costs time only: what it held is computed
// again once it is back, and every request goes on where it was.
//
// A request's tokens and logits are a function of the request alone: not of who else is served, chunk sizes, prefix
// hits, forks, preemptions, or how far the device is ahead. One thread drives an engine; it is not thread-safe. Needs
// no clock or file but what it is given.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "gguf/reader.h"
#include "graph/async_executor.h"
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
  // hidden: for embeddings. Request::on_logits then gets hidden states [d_model] instead of logits, no token can be
  // made, and the output matrix is not loaded.
  graph::Output output = graph::Output::logits;

  std::uint32_t row_budget = 512;     // rows of a step at most, all sequences together
  std::uint32_t max_sequences = 8;    // running at once; at most row_budget
  std::uint32_t max_logit_rows = 64;  // rows of a step that may want logits; at least max_sequences

  // KV blocks of each layer group (kv::kBlockPositions positions each). Empty: enough for max_sequences of the full
  // context, or of as long a one as kv_bytes allows. The pool is one reservation that the system backs as blocks are
  // first written.
  std::vector<std::uint32_t> kv_blocks = {};
  std::uint64_t kv_bytes = 0;  // budget of all groups together; 0: none
  // A backend may have less memory than that: the pools are then cut to what it gives, with a remark. With
  // kv_may_narrow q8_0 takes the place of a wider kv_type before texts have to be shorter.
  bool kv_may_narrow = false;
  // What weights, activations, keys and values may take together on the backend, a tenth of which stays free; 0: what
  // it gives.
  std::uint64_t memory_limit = 0;

  // Steps that a device may have in flight, at most as many as it takes; 1: the host reads each step's tokens before
  // the next one begins. A backend that computes in the caller's time has one.
  std::uint32_t steps_ahead = 4;

  std::vector<std::string> passes_off = {};  // fusion passes by name, or "all"
  bool prefix_cache = true;                  // reuse the KV of equal prompt starts

  // Prompt rows of one sequence in a step; 0: the whole budget while nobody waits for a next token, else what keeps
  // steps near `inter_token_target_ns` by measured time. Changes when tokens come, never which.
  std::uint32_t prompt_chunk = 0;
  std::uint64_t inter_token_target_ns = 50'000'000;

  std::uint32_t max_waiting_requests = 1024;
  std::uint64_t max_waiting_tokens = 1u << 22;  // prompt tokens of all waiting requests

  // False: the file's bytes may be gone once the engine is made, so what tells its model from others, for saved
  // sequences, is read at once.
  bool file_stays = true;

  const text::Tokenizer* tokenizer =
      nullptr;                        // nullptr: ids only, no text, no stop strings, no end tokens. Outlives the engine
  std::uint64_t (*clock)() = now_ns;  // ns, monotonic
};

// Called with bytes done and in all while weights load; return false to cancel.
using LoadProgress = std::function<bool(std::uint64_t done, std::uint64_t total)>;

class Engine {
 public:
  // Builds the graph of the file's model, fuses it, loads the weights and reserves the KV pool.
  static Result<std::unique_ptr<Engine>> create(gguf::File file, EngineOptions options,
                                                std::unique_ptr<graph::Executor> executor,
                                                const LoadProgress& progress = {});
  // The same for a graph made elsewhere, not yet fused; `context` is the longest sequence in positions.
  static Result<std::unique_ptr<Engine>> create(gguf::File file, graph::Graph graph, std::uint32_t context,
                                                EngineOptions options, std::unique_ptr<graph::Executor> executor,
                                                const LoadProgress& progress = {});
  // create() without the weights, which load_more() brings. What can be refused without them is refused here. Until
  // they are there, the engine may only be told about and destroyed.
  static Result<std::unique_ptr<Engine>> begin(gguf::File file, EngineOptions options,
                                               std::unique_ptr<graph::Executor> executor, LoadProgress progress = {});
  ~Engine();  // requests that are not finished are dropped without a word
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // ---- loading ----

  // A bounded piece of it. After an error the engine is of no use. Also brings back what a lost device has taken.
  Result<graph::LoadState> load_more();
  // All of it, where nothing has to be waited for that cannot.
  Status load();
  [[nodiscard]] bool is_loaded() const;  // for the first time
  // nullptr while there is no device to load to.
  [[nodiscard]] const graph::WeightStream* weight_stream() const;

  // ---- requests ----

  // Queues a request. Code::limit when the queue is full (try later), or when the prompt could never fit the context or
  // the KV pool (says what it needs and what there is); Code::invalid_argument when it makes no sense.
  Result<RequestId> submit(Request request);
  // Ends a request with FinishReason::cancelled: at once (on_finish is called from here then), but with the step's end
  // from inside a callback, or while a step is begun and not ended on a backend that computes in the caller's time.
  // Code::not_found for one that is unknown or finished.
  Status cancel(RequestId id);
  // A new request that continues from all tokens of a live one, sharing its blocks until either writes. Its prompt is
  // the parent's tokens so far followed by `request.prompt`, which may be empty; the salt is the parent's, and so,
  // where it brings none, are the saved state and the constraint, which has to accept that prompt. Refused where
  // cancel() would wait.
  Result<RequestId> fork(RequestId parent, Request request);
  // What a live request is: its tokens, and keys and values of those that are computed, where the backend gives them;
  // else those that it brought along (Request::state), or tokens alone. Refused where cancel() would wait.
  // Request::keep_state saves one as it ends.
  Result<SavedSequence> save(RequestId id);
  // Takes the KV of a running request away; it is recomputed when it is scheduled again. Refused where cancel() would
  // wait.
  Status preempt(RequestId id);

  // Requests may ask for guesses of `draft`, an engine of a smaller model over the same vocabulary; it serves nobody
  // else. Code::invalid_argument where the vocabularies differ.
  Status set_draft_model(std::unique_ptr<Engine> draft);

  // ---- the loop ----

  // Whether the backend takes steps: on a device, whether it has told its memory, compiled, tuned, and got over a loss;
  // asking lets it move on. An error: it never will.
  Result<bool> ready();
  // Picks rows, and executes them or, on a device, submits them. False: nothing is to be computed, or nothing before a
  // step in flight has ended or the device is ready. A failure of the executor ends the requests that had rows in the
  // step; the error here is misuse only.
  Result<bool> begin_step();
  // The oldest step in flight can be ended without waiting. Asking lets a device move on.
  [[nodiscard]] bool step_ready();
  // Ends the oldest step in flight: samples what the device did not, calls back, finishes. Waits for a device where the
  // backend can, and is misuse where it cannot and step_ready() is false. The step may have been lost with its device;
  // nobody hears of that but the counters.
  Status end_step();
  // Begins what can begin and ends one step. False when every request is finished. On a device that cannot be waited
  // for it does what can be done at once; must_wait() then tells whether to return to the event loop.
  Result<bool> step();
  // Begun and not ended; some may be of requests that are finished.
  [[nodiscard]] std::uint32_t steps_in_flight() const;
  // The last step() found nothing to do before the device moves on, or data comes for it.
  [[nodiscard]] bool must_wait() const;
  // Why ready() is false; data: a device was lost, and the source has not got the weights that the next one needs.
  [[nodiscard]] graph::Pending pending() const;
  // Steps until every request is finished. Not where the device cannot be waited for.
  Status run();

  // ---- what it is and did ----

  [[nodiscard]] const gguf::File& file() const;
  // nullptr when the engine was made from a graph.
  [[nodiscard]] const model::Model* model() const;
  [[nodiscard]] const graph::Graph& graph() const;  // fused
  [[nodiscard]] std::uint32_t vocabulary() const;
  // Positions a sequence may have: the context, or practically without end when a window was imposed.
  [[nodiscard]] std::uint32_t max_positions() const;
  // As given, with defaults filled in, and what the backend has memory for once it is ready().
  [[nodiscard]] const EngineOptions& options() const;
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
  static Result<std::unique_ptr<Engine>> begin(gguf::File file, graph::Graph graph, std::uint32_t context,
                                               EngineOptions options, std::unique_ptr<graph::Executor> executor,
                                               LoadProgress progress);
  std::unique_ptr<State> state_;
};

}  // namespace wisp::runtime
