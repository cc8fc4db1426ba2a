// A backend that runs by itself: what it is asked in a step, how far it may get ahead, and what becomes of all that it
// held when it is lost.
#include <algorithm>
#include <limits>

#include "base/checked.h"
#include "runtime/engine_state.h"

namespace wisp::runtime {
namespace {

// Without a step that came through in between. A driver that fails at the same step each time would go on for ever.
constexpr std::uint32_t kMostLossesInARow = 3;

}  // namespace

// ---- how it is ----

Result<bool> Engine::State::poll() {
  if (device == nullptr) return true;
  Result<bool> is_ready = device->poll();
  if (device->losses() != losses_seen_) recover();
  if (is_ready && !set_up_) {
    WISP_TRY(const bool done, set_up());
    if (!done) return false;
    is_ready = device->poll();  // what has just been prepared may have to be compiled
  }
  if (is_ready) WISP_CHECK(check_losses());
  return is_ready;
}

Status Engine::State::check_losses() const {
  if (losses_in_a_row_ < kMostLossesInARow) return {};
  return fail(Code::device, "{} was lost {} times before it finished a step: its driver or its memory fails",
              executor->describe(), losses_in_a_row_);
}

Result<Engine::State::Device> Engine::State::see_to_device() {
  if (!flight_.empty() && flight_.oldest().fails_all) return Device::busy;
  Result<bool> is_ready = poll();
  if (!is_ready) {
    fail_all(std::move(is_ready).error());
    return Device::failed;
  }
  return *is_ready && may_run_ahead() ? Device::takes_steps : Device::busy;
}

bool Engine::State::may_run_ahead() const {
  if (flight_.empty()) return true;
  if (flight_.full() || drains_ || scheduler_.stalled() != nullptr) return false;
  // Who needs the host takes part in every step like anybody else: the others wait for it.
  return std::ranges::none_of(scheduler_.running(),
                              [](const Job* job) { return static_cast<const Sequence*>(job)->awaits_host(); });
}

bool Engine::State::step_ready() {
  if (flight_.empty()) return false;
  if (flight_.oldest().done) return true;
  if (Result<bool> polled = poll(); !polled) {
    fail_all(std::move(polled).error());
    return true;
  }
  if (flight_.empty()) return false;  // lost
  StepInFlight& step = flight_.oldest();
  const Result<std::optional<graph::StepOutput>> collected = device->collect(*step.ticket);
  if (!collected) {
    step.outcome = std::unexpected(collected.error());
    if (is_loss(step.outcome)) {
      recover();
      return false;
    }
  } else {
    if (!*collected) return false;
    step.output = **collected;
    step.outcome = check_output(step);
    losses_in_a_row_ = 0;
  }
  step.done = true;
  return true;
}

Result<bool> Engine::State::step_device() {
  must_wait = false;
  bool begun = true;
  while (begun) {
    WISP_TRY(begun, begin_step());
  }
  if (scheduler_.idle()) return false;
  while (!step_ready()) {
    if (flight_.empty()) {
      const Result<bool> is_ready = poll();
      if (!is_ready || *is_ready || device->pending() == graph::Pending::host) return true;  // there is more to do
      must_wait = device->pending() == graph::Pending::data;
      if (must_wait) return true;
    }
    if (!device->can_wait()) {
      must_wait = true;
      return true;
    }
    WISP_CHECK(device->wait());
  }
  WISP_CHECK(end_step());
  return true;
}

// ---- losing it ----

void Engine::State::recover() {
  totals.device_losses += std::max<std::uint64_t>(device->losses() - losses_seen_, 1);
  losses_seen_ = device->losses();
  losses_in_a_row_ += 1;
  flight_.clear();
  drains_ = false;
  while (!scheduler_.running().empty()) {
    auto& sequence = static_cast<Sequence&>(*scheduler_.running().back());
    scheduler_.preempt(sequence, *this);
    set_phase(sequence, "preempted");
  }
  static_cast<void>(kv.forget_all());  // refuses only while somebody holds blocks
}

void Engine::State::fail_all(Error error) {
  losses_in_a_row_ = 0;  // who asks from now on gets a chance of its own
  flight_.clear();
  StepInFlight& step = flight_.push();
  step.done = step.fails_all = true;
  step.outcome = std::unexpected(std::move(error));
}

// ---- what it is asked ----

void Engine::State::take_slot(Sequence& sequence) {
  if (free_slots_.empty()) return;
  sequence.slot = free_slots_.back();
  free_slots_.pop_back();
}

void Engine::State::ask_device(StepInFlight& step) {
  samples_.clear();
  read_logits_.clear();
  std::uint32_t row = 0;  // of the step's logit rows
  for (std::size_t i = 0; i < picks_.size(); ++i) {
    auto& sequence = static_cast<Sequence&>(*picks_[i].job);
    PickInFlight& pick = step.picks[i];
    const std::uint32_t end = row + pick.logit_rows;
    const bool wants_token = pick.is_last && sequence.wants_token() && !is_forced(sequence);
    // Who guesses looks at each token before the next.
    const bool guesses = sequence.speculator != nullptr && !sequence.speculator->length.paused();
    if (wants_token && sequence.slot && !guesses && !sequence.host_chooses() && pick.drafts == 0) {
      graph::DeviceSample sample = device_sample(sequence);
      sample.logit_row = end - 1;
      pick.samples = mask_sample(sequence, sample) && device->can_sample(sample);
      if (pick.samples) samples_.push_back(sample);
    }
    const bool sees_logits = pick.scores || (wants_token && (!pick.samples || sequence.shows_logits()));
    if (!sees_logits) pick.logit_rows = 0;
    for (std::uint32_t seen = end - pick.logit_rows; seen < end; ++seen) read_logits_.push_back(seen);
    row = end;
  }
}

graph::DeviceSample Engine::State::device_sample(const Sequence& sequence) const {
  const sample::SamplingParams& params = sequence.sampler.params();
  graph::DeviceSample sample{.slot = *sequence.slot,
                             .temperature = params.temperature,
                             .top_k = params.top_k,
                             .top_p = params.top_p,
                             .min_p = params.min_p,
                             .seed = params.seed,
                             .position = std::uint64_t{sequence.length()} + sequence.unread,
                             .history = {},
                             .bias = params.logit_bias,
                             .mask = {}};
  if (!params.penalizes()) return sample;
  sample.repeat_penalty = params.repeat_penalty;
  sample.frequency_penalty = params.frequency_penalty;
  sample.presence_penalty = params.presence_penalty;
  const std::uint32_t last_n = params.penalty_last_n < 0 ? std::numeric_limits<std::uint32_t>::max()
                                                         : static_cast<std::uint32_t>(params.penalty_last_n);
  sample.unread = std::min(sequence.unread, last_n);
  sample.history = std::span(sequence.tokens).last(std::min(sequence.length(), last_n - sample.unread));
  return sample;
}

bool Engine::State::mask_sample(Sequence& sequence, graph::DeviceSample& sample) const {
  if (!sequence.request.constraint) return true;
  const Result<std::span<const std::uint32_t>> mask = sequence.request.constraint->mask();
  if (!mask) return false;  // the host meets the same failure, and tells
  sample.mask = *mask;
  return mask->empty() || mask->size() == div_up(std::size_t{graph->vocabulary}, std::size_t{32});
}

Result<TokenId> Engine::State::check_sampled(TokenId token) const {
  if (token < 0) {
    return fail(Code::invalid_file,
                "no token can be chosen: the model computed nothing but NaN, or logit bias or a constraint bans all");
  }
  if (static_cast<std::uint32_t>(token) >= graph->vocabulary) {
    return fail(Code::internal, "the device sampled token {} of a vocabulary of {}", token, graph->vocabulary);
  }
  return token;
}

}  // namespace wisp::runtime
