#include "tests/fake_device.h"

#include <algorithm>
#include <set>

namespace wisp::test {

FakeDevice::FakeDevice(const FakeModel& model, std::shared_ptr<FakeControls> controls,
                       std::shared_ptr<DeviceControls> device)
    : FakeExecutor(model, std::move(controls)),
      device_(std::move(device)),
      ready_(device_->polls_to_start == 0),
      polls_until_ready_(device_->polls_to_start),
      slot_tokens_(device_->slots),
      scratch_(model.vocabulary()) {}

// ---- time ----

void FakeDevice::tick() {
  if (device_->polls_to_tell_room > 0) {
    device_->polls_to_tell_room -= 1;
    return;
  }
  if (!ready_) {
    ready_ = polls_until_ready_ == 0 || --polls_until_ready_ == 0;
    return;
  }
  for (Step& step : in_flight_) {
    const auto loss = device_->losses.find(step.number);
    if (step.done && loss != device_->losses.end()) return;  // nothing runs any more
    if (step.done) continue;
    if (--step.polls_left > 0) return;
    if (loss == device_->losses.end()) return run(step);
    if (loss->second == LossShows::in_poll) return lose();
    step.done = true;  // collect() will say so
    return;
  }
}

void FakeDevice::lose() {
  losses_ += 1;
  device_->lost += 1;
  ready_ = false;
  polls_until_ready_ = device_->polls_to_recover;
  in_flight_.clear();
  for (std::vector<TokenId>& tokens : slot_tokens_) tokens.clear();
  forget_cells();
}

Result<bool> FakeDevice::poll() {
  if (device_->gone) return std::unexpected(*device_->gone);
  if (std::exchange(device_->lose_now, false)) lose();
  tick();
  return ready_ && device_->polls_to_tell_room == 0;
}

std::optional<std::uint64_t> FakeDevice::kv_room(std::uint64_t wanted) {
  if (device_->polls_to_tell_room > 0) return std::nullopt;
  return FakeExecutor::kv_room(wanted);
}

Status FakeDevice::wait() {
  device_->waits += 1;
  if (!device_->can_wait) return broken("wait: not on this device");
  if (device_->polls_to_tell_room > 0) {
    while (device_->polls_to_tell_room > 0) tick();
    return {};
  }
  if (ready_ && in_flight_.empty()) return broken("wait: for nothing");
  if (!in_flight_.empty() && in_flight_.front().done) return broken("wait: what is waited for is there");
  const bool was_ready = ready_;
  while (ready_ == was_ready && (in_flight_.empty() || !in_flight_.front().done)) tick();
  return {};
}

// ---- steps ----

Status FakeDevice::check_submit(const graph::StepInputs& step, std::span<const graph::DeviceSample> samples,
                                std::span<const std::uint32_t> read_logits) const {
  if (!ready_) return broken("submit: the device is not ready");
  if (in_flight_.size() >= device_->max_steps_in_flight) return broken("submit: too many steps in flight");
  std::set<std::uint32_t> slots;
  for (const graph::DeviceSample& sample : samples) {
    if (sample.logit_row >= step.logit_rows.size()) return broken("submit: a sample of no logit row");
    if (sample.slot >= device_->slots) return broken("submit: a sample for no slot");
    if (!slots.insert(sample.slot).second) return broken("submit: two samples for a slot");
    if (sample.unread >= device_->max_steps_in_flight)
      return broken("submit: more unread tokens than can be in flight");
    if (!can_sample(sample)) return broken("submit: a sample that the device refuses");
    const auto row = static_cast<std::size_t>(step.logit_rows[sample.logit_row]);
    if (sample.position != static_cast<std::uint64_t>(step.positions[row]) + 1) {
      return broken("submit: a sample for another position than the one after its row");
    }
  }
  for (std::size_t i = 0; i < read_logits.size(); ++i) {
    if (read_logits[i] >= step.logit_rows.size()) return broken("submit: logits of no logit row are to be read");
    if (i > 0 && read_logits[i] <= read_logits[i - 1]) return broken("submit: logits to read do not ascend");
  }
  return {};
}

Result<graph::StepTicket> FakeDevice::submit(const graph::Plan& plan, const graph::StepInputs& step,
                                             std::span<const graph::DeviceSample> samples,
                                             std::span<const std::uint32_t> read_logits) {
  WISP_CHECK(check_submit(step, samples, read_logits));
  if (device_->refuse_submit) return std::unexpected(*std::exchange(device_->refuse_submit, std::nullopt));
  const std::uint64_t number = device_->submitted++;
  const auto loss = device_->losses.find(number);
  if (loss != device_->losses.end() && loss->second == LossShows::in_submit) {
    lose();
    return fail(Code::device, "the fake device was lost");
  }
  if (records()) device_->rows_of_steps.push_back(static_cast<std::uint32_t>(step.tokens.size()));
  device_->logit_rows_read += read_logits.size();
  Step& queued = in_flight_.emplace_back();
  queued.number = number;
  queued.plan = &plan;
  queued.tokens.assign(step.tokens.begin(), step.tokens.end());
  queued.positions.assign(step.positions.begin(), step.positions.end());
  queued.sequences.assign(step.sequences.begin(), step.sequences.end());
  queued.logit_rows.assign(step.logit_rows.begin(), step.logit_rows.end());
  for (const std::span<const std::int32_t> table : step.tables) {
    queued.tables.emplace_back(table.begin(), table.end());
  }
  queued.n_sequences = step.n_sequences;
  queued.copies.assign(step.copies.begin(), step.copies.end());
  for (const graph::DeviceSample& sample : samples) {
    queued.samples.push_back({.asked = sample,
                              .history = {sample.history.begin(), sample.history.end()},
                              .bias = {sample.bias.begin(), sample.bias.end()},
                              .mask = {sample.mask.begin(), sample.mask.end()}});
  }
  queued.read_logits.assign(read_logits.begin(), read_logits.end());
  queued.polls_left = std::max(device_->polls_a_step, 1u);
  return graph::StepTicket{number};
}

void FakeDevice::run(Step& step) {
  step.done = true;
  for (std::int32_t& token : step.tokens) {
    if (token >= 0) continue;
    const auto slot = static_cast<std::size_t>(-1 - token);
    if (slot >= slot_tokens_.size() || slot_tokens_[slot].empty()) {
      step.outcome = broken("a step takes a token from a slot that has none");
      return;
    }
    device_->slot_tokens += 1;
    token = std::max(slot_tokens_[slot].back(), 0);  // any will do where there was nothing to choose
  }
  tables_.assign(step.tables.begin(), step.tables.end());
  const Result<std::span<const float>> logits = execute(*step.plan, {.tokens = step.tokens,
                                                                     .positions = step.positions,
                                                                     .sequences = step.sequences,
                                                                     .logit_rows = step.logit_rows,
                                                                     .tables = tables_,
                                                                     .n_sequences = step.n_sequences,
                                                                     .copies = step.copies});
  if (!logits) {
    step.outcome = std::unexpected(logits.error());
    return;
  }
  const auto row = [&](std::uint32_t i) { return logits->subspan(std::size_t{i} * vocabulary(), vocabulary()); };
  for (const std::uint32_t read : step.read_logits) {
    step.logits.insert(step.logits.end(), row(read).begin(), row(read).end());
  }
  for (const Sample& sample : step.samples) {
    const Result<TokenId> chosen = choose(sample, row(sample.asked.logit_row));
    if (!chosen) {
      step.outcome = std::unexpected(chosen.error());
      return;
    }
    step.chosen.push_back(*chosen);
  }
}

Result<TokenId> FakeDevice::choose(const Sample& sample, std::span<const float> logits) {
  const graph::DeviceSample& asked = sample.asked;
  std::vector<TokenId>& slot = slot_tokens_[asked.slot];
  if (asked.unread > slot.size()) return broken("a sample looks back at tokens that its slot does not have");
  std::vector<TokenId> history = sample.history;
  history.insert(history.end(), slot.end() - static_cast<std::ptrdiff_t>(asked.unread), slot.end());
  sample::SamplingParams params;
  params.temperature = asked.temperature;
  params.top_k = asked.top_k;
  params.top_p = asked.top_p;
  params.min_p = asked.min_p;
  params.repeat_penalty = asked.repeat_penalty;
  params.frequency_penalty = asked.frequency_penalty;
  params.presence_penalty = asked.presence_penalty;
  params.penalty_last_n = -1;
  params.seed = asked.seed;
  params.logit_bias = sample.bias;
  WISP_TRY(const sample::Sampler sampler, sample::Sampler::create(params, vocabulary()));
  std::vector<float> row(logits.begin(), logits.end());
  const Result<TokenId> chosen = sampler.sample(row, history, asked.position, scratch_, sample.mask);
  slot.push_back(chosen ? *chosen : -1);
  return slot.back();
}

Result<std::optional<graph::StepOutput>> FakeDevice::collect(graph::StepTicket ticket) {
  if (in_flight_.empty() || in_flight_.front().number != static_cast<std::uint64_t>(ticket)) {
    return broken("collect: not the oldest step in flight");
  }
  Step& step = in_flight_.front();
  if (!step.done) return std::nullopt;
  if (device_->losses.contains(step.number)) {
    lose();
    return fail(Code::device, "the fake device was lost");
  }
  device_->collected += 1;
  if (!step.outcome) {
    const Error error = step.outcome.error();
    in_flight_.pop_front();
    return std::unexpected(error);
  }
  output_tokens_ = std::move(step.chosen);
  output_logits_ = std::move(step.logits);
  in_flight_.pop_front();
  if (device_->corrupt) device_->corrupt(output_tokens_, output_logits_);
  return graph::StepOutput{output_tokens_, output_logits_};
}

}  // namespace wisp::test
