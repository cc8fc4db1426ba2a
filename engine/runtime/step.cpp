// One step: pick rows, execute them, sample, tell.
#include <algorithm>
#include <utility>

#include "runtime/engine_state.h"
#include "runtime/kv_setup.h"

namespace wisp::runtime {

// ---- memory, as the scheduler asks for it ----

bool Engine::State::has_blocks_for(const Sequence& sequence) const {
  const std::uint32_t cached =
      options.prefix_cache
          ? kv.match_prefix(sequence.adoptable(), cache_salt(*graph, options.kv_type, sequence.request.salt))
          : 0;
  // Each running sequence may soon want one more.
  const auto spare = static_cast<std::uint32_t>(scheduler_.running().size());
  for (const kv::LayerGroup& group : kv.groups()) {
    const std::uint32_t wanted = std::min(kv::blocks_for(sequence.length() - cached),
                                          kv::most_blocks(group, sequence.length(), options.row_budget));
    if (kv.pool(static_cast<std::uint32_t>(group.index)).n_available() < wanted + spare) return false;
  }
  return true;
}

bool Engine::State::admit(Job& job, bool others_running) {
  auto& sequence = static_cast<Sequence&>(job);
  if (others_running && !has_blocks_for(sequence)) return false;
  const Result<kv::SequenceId> opened = kv.open(cache_salt(*graph, options.kv_type, sequence.request.salt));
  if (!opened) return false;
  sequence.kv = *opened;
  if (options.prefix_cache) {
    const Result<std::uint32_t> cached = kv.adopt_prefix(*opened, sequence.adoptable());
    if (cached) sequence.set_computed(*cached);
  }
  return true;
}

bool Engine::State::extend(Job& job, std::uint32_t rows) {
  const auto& sequence = static_cast<const Sequence&>(job);
  // Also frees what left the window, before more is taken.
  return kv.drop_out_of_window(*sequence.kv, sequence.computed).has_value() &&
         kv.extend(*sequence.kv, rows).has_value();
}

void Engine::State::evict(Job& job) {
  auto& sequence = static_cast<Sequence&>(job);
  static_cast<void>(kv.release(*std::exchange(sequence.kv, std::nullopt)));
  sequence.set_computed(0);
}

// ---- beginning ----

Result<bool> Engine::State::begin_step() {
  if (in_step_) return fail(Code::invalid_argument, "a step is in flight already; end it first");
  if (scheduler_.idle()) return false;
  in_step_ = true;
  step_begin_ns_ = options.clock();

  const std::uint32_t everything = options.row_budget;
  const PromptShare share{
      .chunk = options.prompt_chunk != 0 ? options.prompt_chunk : everything,
      .total = options.prompt_chunk == 0 && scheduler_.generating() ? pace_.prompt_rows() : everything};
  picks_ = scheduler_.pick(share, *this);
  for (Job* job : scheduler_.preempted()) note_preempted(static_cast<Sequence&>(*job));
  for (const Pick& pick : picks_) note_admitted(static_cast<Sequence&>(*pick.job));
  logits_ = {};
  executed_ = picks_.empty() ? Status{} : execute();
  kv.clear_copies();
  return true;
}

Status Engine::State::execute() {
  const graph::StepInputs& inputs = batch_.fill(picks_, kv);
  WISP_TRY(const graph::Plan* const plan, plans.plan_for(batch_.rows(), *executor));
  const std::uint64_t begin = options.clock();
  WISP_TRY(logits_, executor->execute(*plan, inputs));
  totals.execute_ns += options.clock() - begin;
  if (logits_.size() < std::size_t{batch_.logit_rows()} * graph->vocabulary) {
    return fail(Code::internal, "the backend gave {} logits for {} rows of {}", logits_.size(), batch_.logit_rows(),
                graph->vocabulary);
  }
  totals.steps += 1;
  totals.rows += batch_.rows();
  totals.logit_rows += batch_.logit_rows();
  return {};
}

void Engine::State::note_admitted(Sequence& sequence) {
  if (sequence.phase != "queued" && sequence.phase != "preempted") return;
  if (sequence.phase == "queued") {
    sequence.stats.admitted_ns = step_begin_ns_;
    sequence.stats.cached_tokens = sequence.computed;
    totals.cached_tokens += sequence.computed;
  }
  set_phase(sequence, "prompt");
}

void Engine::State::note_preempted(Sequence& sequence) {
  sequence.stats.preemptions += 1;
  totals.preemptions += 1;
  set_phase(sequence, "preempted");
}

void Engine::State::set_phase(Sequence& sequence, std::string_view phase) {
  const std::uint64_t now = options.clock();
  if (trace) trace->request(sequence.id, sequence.phase, sequence.phase_begin_ns, now);
  sequence.phase = phase;
  sequence.phase_begin_ns = now;
}

// ---- ending ----

Status Engine::State::end_step() {
  if (!in_step_) return fail(Code::invalid_argument, "no step is in flight; begin one first");
  const std::uint64_t sampling_begin_ns = options.clock();
  const float* logits = logits_.data();
  for (const Pick& pick : picks_) {
    auto& sequence = static_cast<Sequence&>(*pick.job);
    if (!executed_) {
      finish(sequence, FinishReason::error, executed_.error());
      continue;
    }
    const std::uint32_t n_logits = sequence.logit_rows(pick.rows);
    consume(sequence, pick.rows, logits);
    logits += std::size_t{n_logits} * graph->vocabulary;
  }
  // Alone and still without memory: as far as this sequence can ever get.
  if (Job* const stalled = scheduler_.stalled()) finish(static_cast<Sequence&>(*stalled), FinishReason::context);
  if (any_cancelled_) finish_cancelled();

  const std::uint64_t now = options.clock();
  totals.step_ns += now - step_begin_ns_;
  if (!picks_.empty()) {
    pace_.observe(batch_.prompt_rows(), now - step_begin_ns_);
    if (trace) trace_step(sampling_begin_ns, now);
  }
  picks_ = {};
  in_step_ = false;
  return {};
}

void Engine::State::trace_step(std::uint64_t sampling_begin_ns, std::uint64_t now) {
  std::uint32_t used = 0;
  for (const kv::LayerGroup& group : kv.groups()) used += kv.pool(static_cast<std::uint32_t>(group.index)).n_used();
  trace->step(totals.steps, batch_.rows(), batch_.sequences(), step_begin_ns_, now);
  trace->sampling(sampling_begin_ns, now);
  trace->queue(now, static_cast<std::uint32_t>(scheduler_.running().size()),
               static_cast<std::uint32_t>(scheduler_.waiting().size()), used);
}

void Engine::State::consume(Sequence& sequence, std::uint32_t rows, const float* logits) {
  const std::uint32_t n_logits = sequence.logit_rows(rows);
  if (n_logits != 0 && sequence.scoring) deliver_scores(sequence, n_logits, logits);
  const std::uint32_t prompt_end = std::min(sequence.computed + rows, sequence.stats.prompt_tokens);
  if (prompt_end > sequence.computed) totals.prompt_tokens += prompt_end - sequence.computed;
  sequence.set_computed(sequence.computed + rows);
  if (options.prefix_cache) {
    const std::span<const TokenId> tokens = sequence.tokens;
    const Status committed = kv.commit(*sequence.kv, tokens.first(sequence.computed));
    if (!committed) return finish(sequence, FinishReason::error, committed.error());
  }
  if (sequence.cancelled || sequence.pending > 0) return;
  generate(sequence, logits + std::size_t{n_logits - 1} * graph->vocabulary);
}

void Engine::State::deliver_scores(Sequence& sequence, std::uint32_t n, const float* logits) {
  for (std::uint32_t i = 0; i < n && !sequence.cancelled; ++i) {
    sequence.request.on_logits(sequence.next_scored, {logits + std::size_t{i} * graph->vocabulary, graph->vocabulary});
    sequence.next_scored += 1;
  }
}

// All tokens are computed: the next one, or the end.
void Engine::State::generate(Sequence& sequence, const float* logits) {
  RequestStats& stats = sequence.stats;
  if (stats.generated_tokens >= sequence.request.max_new_tokens) return finish(sequence, FinishReason::length);
  if (sequence.length() >= max_positions) return finish(sequence, FinishReason::context);

  const std::span<const float> row(logits, graph->vocabulary);
  const Result<TokenId> chosen = sample(sequence, row);
  if (!chosen) return finish(sequence, FinishReason::error, chosen.error());
  const bool is_end = options.tokenizer != nullptr && options.tokenizer->vocabulary().is_end(*chosen);
  if (is_end && !sequence.request.ignore_end) return finish(sequence, FinishReason::end_token);

  const std::uint32_t position = sequence.length();
  sequence.tokens.push_back(*chosen);
  sequence.set_computed(sequence.computed);
  if (stats.generated_tokens == 0) stats.first_token_ns = options.clock();
  if (sequence.phase != "generate") set_phase(sequence, "generate");
  stats.generated_tokens += 1;
  totals.generated_tokens += 1;

  text_.clear();
  const bool stopped = sequence.text.push(*chosen, text_);
  if (sequence.request.on_token) sequence.request.on_token({sequence.id, *chosen, position, text_, row});
  if (stopped) return finish(sequence, FinishReason::stop_string);
  // Found out now rather than after computing a row that nobody needs.
  if (stats.generated_tokens >= sequence.request.max_new_tokens) return finish(sequence, FinishReason::length);
  if (sequence.length() >= max_positions) return finish(sequence, FinishReason::context);
}

Result<TokenId> Engine::State::sample(const Sequence& sequence, std::span<const float> logits) {
  std::copy(logits.begin(), logits.end(), row_.begin());  // the sampler changes them
  return sequence.sampler.sample(row_, sequence.tokens, sequence.length(), sampler_scratch_);
}

void Engine::State::finish(Sequence& sequence, FinishReason reason, Error error) {
  if (sequence.kv) evict(sequence);
  scheduler_.remove(sequence);
  const auto kept = live_.extract(sequence.arrival);  // out of reach for the callback, alive until it returns

  sequence.stats.finished_ns = options.clock();
  set_phase(sequence, "done");
  totals.requests_finished += 1;
  if (reason == FinishReason::cancelled) totals.requests_cancelled += 1;
  if (reason == FinishReason::error) totals.requests_failed += 1;
  std::string rest;
  sequence.text.finish(rest);
  if (sequence.request.on_finish) {
    sequence.request.on_finish({sequence.id, reason, rest, std::move(error), sequence.stats});
  }
}

void Engine::State::finish_cancelled() {
  // Callbacks may cancel more and submit more.
  while (std::exchange(any_cancelled_, false)) {
    std::vector<Sequence*> ending;
    for (const auto& [id, sequence] : live_) {
      if (sequence->cancelled) ending.push_back(sequence.get());
    }
    std::ranges::sort(ending, {}, &Sequence::arrival);
    for (Sequence* sequence : ending) finish(*sequence, FinishReason::cancelled);
  }
}

// ---- what is known ----

Counters Engine::State::counters() const {
  Counters now = totals;
  now.running = static_cast<std::uint32_t>(scheduler_.running().size());
  now.waiting = static_cast<std::uint32_t>(scheduler_.waiting().size());
  return now;
}

std::uint64_t Engine::State::request_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [id, sequence] : live_) bytes += sizeof(Sequence) + sequence->tokens.capacity() * sizeof(TokenId);
  return bytes;
}

void Engine::State::update_profiling() {
  if (!trace) return executor->set_profiling(profiling, {});
  executor->set_profiling(true, [this](int op, std::uint64_t begin, std::uint64_t end) {
    const auto index = static_cast<std::size_t>(op);
    if (!trace || index >= graph->ops.size()) return;
    trace->op(graph::op_name(graph->ops[index]), graph->op_layer[index], begin, end);
  });
}

}  // namespace wisp::runtime
