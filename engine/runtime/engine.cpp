#include "runtime/engine.h"

#include <algorithm>
#include <utility>

#include "graph/hidden_output.h"
#include "graph/passes.h"
#include "runtime/engine_state.h"
#include "runtime/kv_setup.h"

namespace wisp::runtime {
namespace {

constexpr std::uint32_t kMostRows = 1u << 16;
// Generated tokens that a sequence has room for from the start, so that making them allocates nothing.
constexpr std::uint32_t kReservedTokens = 1u << 16;
constexpr std::uint32_t kMostStepsAhead = 64;

Status complete(EngineOptions& options) {
  if (options.row_budget == 0 || options.row_budget > kMostRows) {
    return fail(Code::invalid_argument, "a step of {} rows is outside [1, {}]", options.row_budget, kMostRows);
  }
  if (options.max_sequences == 0 || options.max_sequences > options.row_budget) {
    return fail(Code::invalid_argument, "{} sequences at once do not fit steps of {} rows: each needs one",
                options.max_sequences, options.row_budget);
  }
  if (options.steps_ahead == 0 || options.steps_ahead > kMostStepsAhead) {
    return fail(Code::invalid_argument, "{} steps ahead are outside [1, {}]; 1 is none", options.steps_ahead,
                kMostStepsAhead);
  }
  options.max_logit_rows = std::clamp(options.max_logit_rows, options.max_sequences, options.row_budget);
  return {};
}

std::uint32_t steps_ahead(const EngineOptions& options, const graph::AsyncExecutor* device) {
  if (device == nullptr) return 1;
  return std::clamp(device->max_steps_in_flight(), 1u, options.steps_ahead);
}

SchedulerLimits limits_of(const EngineOptions& options) {
  return {options.row_budget, options.max_sequences, options.max_logit_rows};
}

// The part of the answer that is there already.
Status read_answered(Request& request, std::span<const TokenId> tokens, TextStream& text) {
  if (request.answered > tokens.size()) {
    return fail(Code::invalid_argument, "{} tokens are answered already, and the prompt has {}", request.answered,
                tokens.size());
  }
  std::string told;
  for (const TokenId token : tokens.last(request.answered)) {
    if (request.constraint) WISP_CHECK(request.constraint->accept(token));
    if (text.push(token, told)) {
      return fail(Code::invalid_argument, "the answer holds a stop string already: there is nothing to go on with");
    }
  }
  return {};
}

}  // namespace

// ---- making one ----

Engine::State::State(gguf::File model_file, std::shared_ptr<const graph::Graph> fused, kv::KvManager blocks,
                     EngineOptions chosen, std::uint32_t longest, bool blocks_given,
                     std::unique_ptr<graph::Executor> backend)
    : file(std::move(model_file)),
      graph(std::move(fused)),
      options(std::move(chosen)),
      max_positions(longest),
      executor(std::move(backend)),
      device(executor->async()),
      kv(std::move(blocks)),
      plans(graph, options.max_logit_rows),
      scheduler_(limits_of(options)),
      pace_(options.row_budget, options.inter_token_target_ns),
      batch_(limits_of(options), static_cast<std::uint32_t>(graph->kv.groups.size())),
      flight_(steps_ahead(options, device), options.max_sequences),
      blocks_given_(blocks_given),
      sampler_scratch_(graph->vocabulary),
      row_(graph->vocabulary) {
  options.steps_ahead = steps_ahead(options, device);
  if (device == nullptr) return;
  samples_.reserve(options.max_sequences);
  read_logits_.reserve(options.max_logit_rows);
  losses_seen_ = device->losses();
  for (std::uint32_t slot = std::min(device->slots(), options.max_sequences); slot-- > 0;) free_slots_.push_back(slot);
}

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::create(gguf::File file, EngineOptions options,
                                               std::unique_ptr<graph::Executor> executor,
                                               const LoadProgress& progress) {
  WISP_TRY(std::unique_ptr<Engine> engine, begin(std::move(file), std::move(options), std::move(executor), progress));
  WISP_CHECK(engine->load());
  return engine;
}

Result<std::unique_ptr<Engine>> Engine::create(gguf::File file, graph::Graph graph, std::uint32_t context,
                                               EngineOptions options, std::unique_ptr<graph::Executor> executor,
                                               const LoadProgress& progress) {
  WISP_TRY(std::unique_ptr<Engine> engine,
           begin(std::move(file), std::move(graph), context, std::move(options), std::move(executor), progress));
  WISP_CHECK(engine->load());
  return engine;
}

Result<std::unique_ptr<Engine>> Engine::begin(gguf::File file, EngineOptions options,
                                              std::unique_ptr<graph::Executor> executor, LoadProgress progress) {
  WISP_TRY(model::Model model, model::Model::from_file(file, options.context));
  WISP_TRY(std::unique_ptr<Engine> engine, begin(std::move(file), model.graph(), model.context(), std::move(options),
                                                 std::move(executor), std::move(progress)));
  engine->state_->model = std::make_unique<model::Model>(std::move(model));
  return engine;
}

Result<std::unique_ptr<Engine>> Engine::begin(gguf::File file, graph::Graph graph, std::uint32_t context,
                                              EngineOptions options, std::unique_ptr<graph::Executor> executor,
                                              LoadProgress progress) {
  WISP_CHECK(complete(options));
  if (options.output == graph::Output::hidden) WISP_CHECK(graph::cut_to_hidden(graph));
  WISP_CHECK(graph::fuse(graph, options.passes_off));
  const std::uint32_t longest = options.context.window ? kEndlessPositions : context;
  WISP_TRY(kv::KvConfig config, make_kv_config(graph.kv, longest, options));
  const bool blocks_given = !options.kv_blocks.empty();
  options.kv_blocks = config.n_blocks;
  WISP_TRY(kv::KvManager kv, kv::KvManager::create(std::move(config)));

  auto state = std::make_unique<State>(std::move(file), std::make_shared<const graph::Graph>(std::move(graph)),
                                       std::move(kv), std::move(options), longest, blocks_given, std::move(executor));
  WISP_CHECK(state->begin_load(std::move(progress)));
  return std::unique_ptr<Engine>(new Engine(std::move(state)));
}

Result<graph::LoadState> Engine::load_more() { return state_->load_more(); }
Status Engine::load() { return state_->load_all(); }
bool Engine::is_loaded() const { return state_->loaded; }
const graph::WeightStream* Engine::weight_stream() const { return state_->executor->weight_stream(); }

// ---- requests ----

Status Engine::State::check_prompt(std::span<const TokenId> tokens) const {
  if (tokens.empty()) return fail(Code::invalid_argument, "the prompt is empty; a model needs at least one token");
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] < 0 || static_cast<std::uint32_t>(tokens[i]) >= graph->vocabulary) {
      return fail(Code::invalid_argument, "token {} of the prompt is {}; the vocabulary has ids 0 to {}", i, tokens[i],
                  graph->vocabulary - 1);
    }
  }
  if (tokens.size() > max_positions) {
    return fail(Code::limit, "the prompt needs {} positions, the context has {}; shorten it or ask for more context",
                tokens.size(), max_positions);
  }
  const Status fits = kv.can_ever_fit(static_cast<std::uint32_t>(tokens.size()), 1);
  if (!fits) return fail_in(fits.error(), "the prompt needs {} positions", tokens.size());
  return {};
}

Status Engine::State::check_queue(std::size_t prompt_tokens) const {
  const std::span<Job* const> waiting = scheduler_.waiting();
  if (waiting.size() >= options.max_waiting_requests) {
    return fail(Code::limit, "{} requests are waiting already, and no more than {} may; try again later",
                waiting.size(), options.max_waiting_requests);
  }
  std::uint64_t tokens = prompt_tokens;
  for (const Job* job : waiting) tokens += static_cast<const Sequence*>(job)->length();
  // A prompt of any size may wait alone.
  if (!waiting.empty() && tokens > options.max_waiting_tokens) {
    return fail(Code::limit, "{} prompt tokens would be waiting, and no more than {} may; try again later", tokens,
                options.max_waiting_tokens);
  }
  return {};
}

Result<std::unique_ptr<Sequence>> Engine::State::make_sequence(Request request, std::vector<TokenId> tokens) {
  if (request.state != nullptr) WISP_CHECK(check_saved(*request.state, tokens));
  WISP_CHECK(check_prompt(tokens));
  if (graph->output != graph::Output::logits && request.max_new_tokens != 0) {
    return fail(Code::invalid_argument, "this engine gives embeddings and makes no tokens: ask for 0 of them");
  }
  if (!request.stop.empty() && options.tokenizer == nullptr) {
    return fail(Code::invalid_argument, "stop strings need a tokenizer, and this engine has none");
  }
  WISP_CHECK(check_speculation(request));
  if (request.constraint && request.constraint->grammar().trie().n_vocab() > graph->vocabulary) {
    return fail(Code::invalid_argument, "the constraint was made for a vocabulary of {} tokens; this model has {}",
                request.constraint->grammar().trie().n_vocab(), graph->vocabulary);
  }
  WISP_TRY(sample::Sampler sampler, sample::Sampler::create(request.sampling, graph->vocabulary));
  WISP_TRY(sample::StopMatcher stops, sample::StopMatcher::create(request.stop));
  if (request.logprobs) WISP_CHECK(sample::validate(*request.logprobs));

  const std::size_t room =
      std::min<std::size_t>(max_positions - tokens.size(), std::min(request.max_new_tokens, kReservedTokens));
  tokens.reserve(tokens.size() + room);
  if (sampler.params().uses_dry()) sampler_scratch_.reserve_history(tokens.capacity());
  // Not from inside a callback, which may look at logprobs that lie there.
  if (request.logprobs && !ending_) sampler_scratch_.reserve_logprobs(*request.logprobs);
  TextStream text(options.tokenizer, request.show_special, request.shown_tokens, std::move(stops));
  WISP_CHECK(read_answered(request, tokens, text));
  const auto n = static_cast<std::uint32_t>(tokens.size());
  const std::uint32_t longest = n + std::min(max_positions - n, request.max_new_tokens);
  auto sequence = std::make_unique<Sequence>(RequestId{next_id_++}, std::move(request), std::move(tokens), longest,
                                             std::move(sampler), std::move(text));
  if (const Request& asked = sequence->request; asked.speculation != Speculation::off) {
    sequence->speculator = std::make_unique<Speculator>(asked.speculation == Speculation::ngram, asked.most_drafts,
                                                        std::min(longest, n + kReservedTokens));
  }
  if (sequence->request.state != nullptr) {
    sequence->state_origin = origin_of(sequence->request.state);
    sequence->sampler_state = sequence->request.state->sampler;
  }
  sequence->stats.submitted_ns = sequence->phase_begin_ns = options.clock();
  return sequence;
}

Sequence& Engine::State::keep(std::unique_ptr<Sequence> sequence) {
  Sequence& kept = *sequence;
  live_.emplace(kept.arrival, std::move(sequence));
  totals.requests_submitted += 1;
  return kept;
}

Sequence* Engine::State::find(RequestId id) const {
  const auto found = live_.find(static_cast<std::uint64_t>(id));
  return found == live_.end() ? nullptr : found->second.get();
}

Result<RequestId> Engine::State::submit(Request request) {
  WISP_CHECK(check_queue(request.prompt.size()));
  std::vector<TokenId> tokens = std::exchange(request.prompt, {});
  WISP_TRY(std::unique_ptr<Sequence> made, make_sequence(std::move(request), std::move(tokens)));
  Sequence& sequence = keep(std::move(made));
  scheduler_.enqueue(sequence);
  return sequence.id;
}

Status Engine::State::cancel(RequestId id) {
  Sequence* const sequence = find(id);
  if (sequence == nullptr)
    return fail(Code::not_found, "no request {} is running or waiting", static_cast<std::uint64_t>(id));
  if (mid_step()) {
    sequence->cancelled = any_cancelled_ = true;
  } else {
    finish(*sequence, FinishReason::cancelled);
  }
  return {};
}

Result<RequestId> Engine::State::fork(RequestId parent_id, Request request) {
  if (mid_step()) return fail(Code::invalid_argument, "a request can be forked between steps only");
  Sequence* const parent = find(parent_id);
  if (parent == nullptr) {
    return fail(Code::not_found, "no request {} is running or waiting", static_cast<std::uint64_t>(parent_id));
  }
  if (request.answered != 0) {
    return fail(Code::invalid_argument, "a fork goes on from its parent's tokens: nothing else is answered already");
  }
  if (!request.constraint && parent->request.constraint) {
    request.constraint = parent->request.constraint;
    for (const TokenId token : request.prompt) WISP_CHECK(request.constraint->accept(token));
  }
  std::vector<TokenId> tokens = parent->tokens;
  tokens.insert(tokens.end(), request.prompt.begin(), request.prompt.end());
  request.prompt.clear();
  request.salt = parent->request.salt;
  if (request.state == nullptr) request.state = parent->request.state;
  // What is in flight counts as computed: the child's steps come after it.
  const std::uint32_t shared = parent->certain();
  const bool skips_scores = request.on_logits && request.logits_from < shared;
  const bool shares = parent->kv && scheduler_.has_room() && !skips_scores;
  if (!shares) WISP_CHECK(check_queue(tokens.size()));
  WISP_TRY(std::unique_ptr<Sequence> made, make_sequence(std::move(request), std::move(tokens)));
  made->sampler_state = parent->sampler_state;
  if (!shares) {
    Sequence& child = keep(std::move(made));
    scheduler_.enqueue(child);
    return child.id;
  }
  WISP_TRY(const kv::SequenceId blocks, kv.fork(*parent->kv));
  if (Status cut = kv.truncate(blocks, shared); !cut) {
    static_cast<void>(kv.release(blocks));
    return std::unexpected(std::move(cut).error());
  }
  Sequence& child = keep(std::move(made));
  child.kv = blocks;
  take_slot(child);
  child.start_at(shared);
  child.stats.cached_tokens = shared;
  child.stats.admitted_ns = child.stats.submitted_ns;
  set_phase(child, child.pending == 1 ? "generate" : "prompt");
  scheduler_.start(child);
  return child.id;
}

Status Engine::State::preempt(RequestId id) {
  if (mid_step()) return fail(Code::invalid_argument, "a request can be preempted between steps only");
  Sequence* const sequence = find(id);
  if (sequence == nullptr || !sequence->kv)
    return fail(Code::not_found, "no request {} is running", static_cast<std::uint64_t>(id));
  scheduler_.preempt(*sequence, *this);
  note_preempted(*sequence);
  return {};
}

Result<RequestId> Engine::submit(Request request) {
  Result<RequestId> id = state_->submit(std::move(request));
  if (!id) state_->totals.requests_refused += 1;
  return id;
}
Result<RequestId> Engine::fork(RequestId parent, Request request) {
  Result<RequestId> id = state_->fork(parent, std::move(request));
  if (!id) state_->totals.requests_refused += 1;
  return id;
}
Status Engine::cancel(RequestId id) { return state_->cancel(id); }
Status Engine::set_draft_model(std::unique_ptr<Engine> draft) {
  WISP_TRY(state_->draft_model, ModelDrafter::create(std::move(draft), *this));
  return {};
}
Result<SavedSequence> Engine::save(RequestId id) { return state_->save(id); }
Status Engine::preempt(RequestId id) { return state_->preempt(id); }

// ---- the loop ----

Result<bool> Engine::ready() { return state_->poll(); }
Result<bool> Engine::begin_step() { return state_->begin_step(); }
bool Engine::step_ready() { return state_->step_ready(); }
Status Engine::end_step() { return state_->end_step(); }
std::uint32_t Engine::steps_in_flight() const { return state_->steps_in_flight(); }
bool Engine::must_wait() const { return state_->must_wait; }
graph::Pending Engine::pending() const {
  return state_->device == nullptr ? graph::Pending::device : state_->device->pending();
}

Result<bool> Engine::step() {
  if (state_->device != nullptr) return state_->step_device();
  WISP_TRY(const bool begun, begin_step());
  if (begun) WISP_CHECK(end_step());
  return begun;
}

Status Engine::run() {
  if (state_->device != nullptr && !state_->device->can_wait()) {
    return fail(Code::invalid_argument, "this device cannot be waited for; step, and let it move on in between");
  }
  while (true) {
    WISP_TRY(const bool worked, step());
    if (!worked) return {};
    if (must_wait()) return fail(Code::need_more_data, "the weights that a lost device took with it have not arrived");
  }
}

// ---- what it is and did ----

const gguf::File& Engine::file() const { return state_->file; }
const model::Model* Engine::model() const { return state_->model.get(); }
const graph::Graph& Engine::graph() const { return *state_->graph; }
std::uint32_t Engine::vocabulary() const { return state_->graph->vocabulary; }
std::uint32_t Engine::max_positions() const { return state_->max_positions; }
const EngineOptions& Engine::options() const { return state_->options; }
const graph::Executor& Engine::executor() const { return *state_->executor; }

Counters Engine::counters() const { return state_->counters(); }

KvUse Engine::kv_use() const {
  KvUse use{.groups = {}, .counters = state_->kv.counters()};
  for (const kv::LayerGroup& group : state_->kv.groups()) {
    use.groups.push_back(state_->kv.usage(static_cast<std::uint32_t>(group.index)));
  }
  return use;
}

std::vector<graph::MemoryUse> Engine::memory() const {
  std::vector<graph::MemoryUse> uses = state_->executor->memory();
  uses.push_back({"requests", state_->request_bytes()});
  return uses;
}

std::vector<OpTime> Engine::op_times() const {
  const graph::Graph& graph = *state_->graph;
  const std::span<const graph::OpCounter> counters = state_->executor->counters();
  std::vector<OpTime> times;
  for (std::size_t i = 0; i < graph.ops.size(); ++i) {
    times.push_back({graph::op_name(graph.ops[i]), i < graph.op_layer.size() ? graph.op_layer[i] : -1,
                     i < counters.size() ? counters[i] : graph::OpCounter{}});
  }
  return times;
}

void Engine::set_profiling(bool on) {
  state_->profiling = on;
  state_->update_profiling();
}

void Engine::start_trace(TraceSink sink) {
  state_->trace.reset();  // ends an older one first
  state_->trace = std::make_unique<Trace>(std::move(sink), state_->options.clock());
  state_->update_profiling();
}

void Engine::stop_trace() {
  state_->trace.reset();
  state_->update_profiling();
}

}  // namespace wisp::runtime
