// One step: pick rows, execute or submit them, sample, tell.
#include <algorithm>
#include <utility>

#include "runtime/engine_state.h"
#include "runtime/kv_setup.h"

namespace wisp::runtime {

// ---- memory, as the scheduler asks for it ----

bool Engine::State::has_blocks_for(const Sequence& sequence) const {
  const std::uint32_t cached = options.prefix_cache ? kv.match_prefix(sequence.adoptable(), salt_of(sequence)) : 0;
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
  // Copies that are still to be done may read blocks that restoring would write.
  const std::uint32_t saved = restorable(sequence);
  if (saved > 0 && !kv.pending_copies().empty()) return false;
  const Result<kv::SequenceId> opened = kv.open(salt_of(sequence));
  if (!opened) return false;
  sequence.kv = *opened;
  if (options.prefix_cache) {
    const Result<std::uint32_t> cached = kv.adopt_prefix(*opened, sequence.adoptable());
    if (cached) sequence.start_at(*cached);
  }
  if (sequence.computed < saved && !restore(sequence, sequence.computed, saved)) {
    static_cast<void>(kv.release(*std::exchange(sequence.kv, std::nullopt)));
    sequence.start_at(0);
    if (others_running) return false;
    // Alone, and it does not fit: its own tokens are computed as far as they go.
    sequence.request.state = nullptr;
    return admit(job, others_running);
  }
  take_slot(sequence);
  return true;
}

bool Engine::State::extend(Job& job, std::uint32_t rows) {
  const auto& sequence = static_cast<const Sequence&>(job);
  // Also frees what left the window, before more is taken; steps in flight have read it by the time it is written
  // again.
  return kv.drop_out_of_window(*sequence.kv, sequence.certain()).has_value() &&
         kv.extend(*sequence.kv, rows).has_value();
}

void Engine::State::evict(Job& job) {
  auto& sequence = static_cast<Sequence&>(job);
  static_cast<void>(kv.release(*std::exchange(sequence.kv, std::nullopt)));
  if (sequence.slot) free_slots_.push_back(*std::exchange(sequence.slot, std::nullopt));
  totals.dropped_tokens += sequence.unread;
  sequence.evictions += 1;
  sequence.start_at(0);
}

// ---- beginning ----

Result<bool> Engine::State::begin_step() {
  if (ending_) return fail(Code::invalid_argument, "a step cannot begin inside a callback");
  if (device == nullptr && !flight_.empty()) {
    return fail(Code::invalid_argument, "a step is in flight already; end it first");
  }
  if (scheduler_.idle()) return false;
  if (device != nullptr) {
    WISP_TRY(const Device state, see_to_device());
    if (state != Device::takes_steps) return state == Device::failed;
  }
  const std::uint64_t begin_ns = options.clock();

  const std::uint32_t everything = options.row_budget;
  const PromptShare share{
      .chunk = options.prompt_chunk != 0 ? options.prompt_chunk : everything,
      .total = options.prompt_chunk == 0 && scheduler_.generating() ? pace_.prompt_rows() : everything};
  guess();
  picks_ = scheduler_.pick(share, *this, flight_.empty());
  drains_ = scheduler_.short_of_memory() && !flight_.empty();
  for (Job* job : scheduler_.preempted()) note_preempted(static_cast<Sequence&>(*job));
  for (const Pick& pick : picks_) note_admitted(static_cast<Sequence&>(*pick.job), begin_ns);
  if (picks_.empty() && !flight_.empty()) return false;

  StepInFlight& step = flight_.push();
  step.begin_ns = begin_ns;
  note_picks(step);
  if (!picks_.empty()) step.outcome = execute(step);
  kv.clear_copies();
  if (device != nullptr && is_loss(step.outcome)) {
    recover();
    return false;
  }
  if (!step.outcome) drains_ = true;
  step.done = !step.ticket;
  for (std::size_t i = 0; i < picks_.size(); ++i) {
    static_cast<Sequence&>(*picks_[i].job).submit_rows(picks_[i].rows - picks_[i].drafts, step.picks[i].samples);
  }
  totals.most_steps_in_flight = std::max(totals.most_steps_in_flight, flight_.size());
  return true;
}

void Engine::State::note_picks(StepInFlight& step) {
  for (const Pick& pick : picks_) {
    const auto& sequence = static_cast<const Sequence&>(*pick.job);
    step.picks.push_back({.id = sequence.id,
                          .evictions = sequence.evictions,
                          .rows = pick.rows,
                          .drafts = pick.drafts,
                          .logit_rows = sequence.logit_rows(pick.rows),
                          .scores = sequence.scoring,
                          .is_last = pick.rows >= sequence.pending});
  }
  if (device != nullptr) ask_device(step);
}

Status Engine::State::execute(StepInFlight& step) {
  const graph::StepInputs& inputs = batch_.fill(picks_, kv);
  step.rows = batch_.rows();
  step.prompt_rows = batch_.prompt_rows();
  WISP_TRY(const graph::Plan* const plan, plans.plan_for(batch_.rows(), *executor));
  if (device != nullptr) {
    WISP_TRY(step.ticket, device->submit(*plan, inputs, samples_, read_logits_));
    totals.device_tokens += samples_.size();
  } else {
    const std::uint64_t begin = options.clock();
    WISP_TRY(step.output.logits, executor->execute(*plan, inputs));
    totals.execute_ns += options.clock() - begin;
    WISP_CHECK(check_output(step));
  }
  totals.steps += 1;
  totals.rows += batch_.rows();
  totals.logit_rows += batch_.logit_rows();
  return {};
}

Status Engine::State::check_output(const StepInFlight& step) const {
  std::size_t rows = 0, tokens = 0;
  for (const PickInFlight& pick : step.picks) {
    rows += pick.logit_rows;
    tokens += pick.samples ? 1 : 0;
  }
  if (step.output.logits.size() < rows * output_width(*graph) || step.output.tokens.size() < tokens) {
    return fail(Code::internal, "the backend gave {} logits for {} rows of {}, and {} tokens for {} samples",
                step.output.logits.size(), rows, output_width(*graph), step.output.tokens.size(), tokens);
  }
  return {};
}

void Engine::State::note_admitted(Sequence& sequence, std::uint64_t now) {
  if (sequence.phase != "queued" && sequence.phase != "preempted") return;
  if (sequence.phase == "queued") {
    sequence.stats.admitted_ns = now;
    sequence.stats.cached_tokens = sequence.submitted;
    totals.cached_tokens += sequence.submitted;
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
  if (ending_) return fail(Code::invalid_argument, "a step cannot end inside a callback");
  if (flight_.empty()) {
    if (device != nullptr) return {};  // it was lost after the caller had heard of it
    return fail(Code::invalid_argument, "no step is in flight; begin one first");
  }
  while (!step_ready()) {
    if (flight_.empty()) return {};
    if (!device->can_wait()) return fail(Code::invalid_argument, "the step is not ready, and cannot be waited for");
    WISP_CHECK(device->wait());
  }
  ending_ = true;
  const std::uint64_t sampling_begin_ns = options.clock();
  const StepInFlight& step = flight_.oldest();
  if (step.fails_all) finish_all(step.outcome.error());
  tell_picks(step);
  // Alone and still without memory: as far as this sequence can ever get.
  if (Job* const stalled = scheduler_.stalled()) finish(static_cast<Sequence&>(*stalled), FinishReason::context);
  if (any_cancelled_) finish_cancelled();

  const std::uint64_t now = options.clock();
  const std::uint64_t begin_ns = std::max(step.begin_ns, last_end_ns_);  // steps in flight overlap
  totals.step_ns += now - begin_ns;
  if (step.ticket) totals.execute_ns += now - begin_ns;
  if (!step.picks.empty()) {
    pace_.observe(step.prompt_rows, now - begin_ns);
    if (step.prompt_rows == 0) costs_.observe(step.rows, now - begin_ns);
    if (trace) trace_step(step, begin_ns, sampling_begin_ns, now);
  }
  last_end_ns_ = now;
  flight_.pop();
  ending_ = false;
  return {};
}

void Engine::State::tell_picks(const StepInFlight& step) {
  const float* logits = step.output.logits.data();
  const TokenId* token = step.output.tokens.data();
  for (const PickInFlight& pick : step.picks) {
    Sequence* const sequence = find(pick.id);
    const bool concerned = sequence != nullptr && sequence->evictions == pick.evictions;
    if (concerned && !step.outcome) {
      finish(*sequence, FinishReason::error, step.outcome.error());
    } else if (concerned) {
      consume(*sequence, pick, logits, token);
    }
    if (!step.outcome) continue;
    logits += std::size_t{pick.logit_rows} * output_width(*graph);
    if (pick.samples) ++token;
  }
}

void Engine::State::trace_step(const StepInFlight& step, std::uint64_t begin_ns, std::uint64_t sampling_begin_ns,
                               std::uint64_t now) {
  std::uint32_t used = 0;
  for (const kv::LayerGroup& group : kv.groups()) used += kv.pool(static_cast<std::uint32_t>(group.index)).n_used();
  trace->step(totals.steps, step.rows, static_cast<std::uint32_t>(step.picks.size()), begin_ns, now);
  trace->sampling(sampling_begin_ns, now);
  trace->queue(now, static_cast<std::uint32_t>(scheduler_.running().size()),
               static_cast<std::uint32_t>(scheduler_.waiting().size()), used);
}

void Engine::State::consume(Sequence& sequence, const PickInFlight& pick, const float* logits, const TokenId* token) {
  if (pick.scores) deliver_scores(sequence, pick.logit_rows, logits);
  const std::uint32_t rows = pick.rows - pick.drafts;
  const std::uint32_t prompt_end = std::min(sequence.computed + rows, sequence.stats.prompt_tokens);
  if (prompt_end > sequence.computed) totals.prompt_tokens += prompt_end - sequence.computed;
  sequence.computed += rows;
  if (options.prefix_cache) {
    const std::span<const TokenId> tokens = sequence.tokens;
    const Status committed = kv.commit(*sequence.kv, tokens.first(sequence.computed));
    if (!committed) return finish(sequence, FinishReason::error, committed.error());
  }
  if (sequence.cancelled || !pick.is_last) return;
  if (pick.drafts > 0) return verify(sequence, pick, logits);
  const std::size_t before_last = pick.logit_rows == 0 ? 0 : std::size_t{pick.logit_rows - 1} * output_width(*graph);
  const std::span<const float> row(logits + before_last, pick.logit_rows == 0 ? 0 : output_width(*graph));
  generate(sequence, row, pick.samples ? token : nullptr);
}

void Engine::State::deliver_scores(Sequence& sequence, std::uint32_t n, const float* logits) {
  for (std::uint32_t i = 0; i < n && !sequence.cancelled; ++i) {
    sequence.request.on_logits(sequence.next_scored,
                               {logits + std::size_t{i} * output_width(*graph), output_width(*graph)});
    sequence.next_scored += 1;
  }
}

// All tokens are computed: the next one, or the end.
void Engine::State::generate(Sequence& sequence, std::span<const float> row, const TokenId* sampled) {
  RequestStats& stats = sequence.stats;
  if (stats.generated_tokens >= sequence.request.max_new_tokens) return finish(sequence, FinishReason::length);
  if (sequence.length() >= max_positions) return finish(sequence, FinishReason::context);

  if (sampled != nullptr) sequence.unread -= 1;
  if (sequence.request.constraint && sequence.request.constraint->finished()) {
    return finish(sequence, FinishReason::end_token);  // the empty text is all that the constraint allows
  }
  if (!is_forced(sequence)) {
    const Result<TokenId> chosen = sampled != nullptr ? check_sampled(*sampled) : sample(sequence, row);
    if (!chosen) return finish(sequence, FinishReason::error, chosen.error());
    const bool is_end = options.tokenizer != nullptr && options.tokenizer->vocabulary().is_end(*chosen);
    auto& constraint = sequence.request.constraint;
    const bool goes_on = sequence.request.ignore_end && (!constraint || constraint->waiting());
    if (is_end && !goes_on) return finish(sequence, FinishReason::end_token);
    if (constraint) {
      const Status accepted = constraint->accept(*chosen);
      if (!accepted) return finish(sequence, FinishReason::error, accepted.error());
    }
    if (!take(sequence, *chosen, row)) return;
  }
  while (is_forced(sequence) && !sequence.cancelled) {
    if (!take_forced(sequence)) return;
  }
}

bool Engine::State::take(Sequence& sequence, TokenId token, std::span<const float> row) {
  RequestStats& stats = sequence.stats;
  const std::uint32_t position = sequence.length();
  sequence.append(token);
  if (stats.generated_tokens == 0) stats.first_token_ns = options.clock();
  if (sequence.phase != "generate") set_phase(sequence, "generate");
  stats.generated_tokens += 1;
  totals.generated_tokens += 1;

  text_.clear();
  const bool stopped = sequence.text.push(token, text_);
  if (sequence.request.on_token) {
    const sample::Logprobs logprobs = logprobs_of(sequence, row, token);
    if (!sequence.request.token_logits) row = {};
    sequence.request.on_token({sequence.id, token, position, text_, row, logprobs});
  }
  // Found out now rather than after computing a row that nobody needs.
  std::optional<FinishReason> reason;
  if (stopped) {
    reason = FinishReason::stop_string;
  } else if (sequence.request.constraint && sequence.request.constraint->finished()) {
    reason = FinishReason::end_token;
  } else if (stats.generated_tokens >= sequence.request.max_new_tokens) {
    reason = FinishReason::length;
  } else if (sequence.length() >= max_positions) {
    reason = FinishReason::context;
  }
  if (reason) finish(sequence, *reason);
  return !reason;
}

// Directly behind sample(), whose scratch still holds what was left.
sample::Logprobs Engine::State::logprobs_of(const Sequence& sequence, std::span<const float> row, TokenId token) {
  const std::optional<sample::LogprobOptions>& asked = sequence.request.logprobs;
  if (!asked) return {};
  return asked->after_sampling ? sample::sampled_logprobs(*asked, token, sampler_scratch_)
                               : sample::model_logprobs(*asked, row, token, sampler_scratch_);
}

bool Engine::State::is_forced(Sequence& sequence) {
  // Logprobs are of logits, and those take a step.
  if (!sequence.request.constraint || sequence.request.logprobs) return false;
  const Result<std::span<const TokenId>> forced = sequence.request.constraint->forced();
  return forced && !forced->empty();  // a failure is met again where a token is chosen, and told
}

bool Engine::State::take_forced(Sequence& sequence) {
  // A copy: what a callback does may change what the constraint remembers.
  if (const auto forced = sequence.request.constraint->forced()) forced_.assign(forced->begin(), forced->end());
  for (const TokenId token : forced_) {
    if (sequence.cancelled) return true;
    const Status accepted = sequence.request.constraint->accept(token);
    if (!accepted) {
      finish(sequence, FinishReason::error, accepted.error());
      return false;
    }
    sequence.stats.forced_tokens += 1;
    totals.forced_tokens += 1;
    if (!take(sequence, token, {})) return false;
  }
  return true;
}

Result<TokenId> Engine::State::sample(Sequence& sequence, std::span<const float> logits) {
  std::span<const std::uint32_t> mask;
  if (sequence.request.constraint) {
    WISP_TRY(mask, sequence.request.constraint->mask());
  }
  std::copy(logits.begin(), logits.end(), row_.begin());  // the sampler changes them
  return sequence.sampler.sample(row_, sequence.tokens, sequence.length(), sampler_scratch_, mask,
                                 &sequence.sampler_state);
}

void Engine::State::finish(Sequence& sequence, FinishReason reason, Error error) {
  std::shared_ptr<const SavedSequence> state;
  if (sequence.request.keep_state && reason != FinishReason::error) state = save_at_end(sequence);
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
    sequence.request.on_finish({sequence.id, reason, rest, std::move(error), std::move(state), sequence.stats});
  }
}

void Engine::State::finish_all(const Error& error) {
  std::vector<Sequence*> ending;
  for (const auto& [id, sequence] : live_) ending.push_back(sequence.get());
  std::ranges::sort(ending, {}, &Sequence::arrival);
  for (Sequence* sequence : ending) finish(*sequence, FinishReason::error, error);
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
