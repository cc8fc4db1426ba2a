#include "gpu/tuner/tuning_run.h"

#include <algorithm>
#include <utility>

namespace wisp::gpu {

std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::not_tried: return "not tried";
    case Verdict::past_limits: return "past the limits";
    case Verdict::disabled: return "disabled";
    case Verdict::broken: return "does not compile";
    case Verdict::wrong: return "wrong";
    case Verdict::slower: return "slower";
    case Verdict::chosen: return "chosen";
  }
  return "";
}

void measure_up(const Kernel& kernel, CandidateResult& result) {
  const auto& [x, y, z] = kernel.workgroup;
  result.invocations = std::max(result.invocations, x * y * z);
  result.workgroup_bytes = std::max(result.workgroup_bytes, kernel.workgroup_bytes);
}

namespace {

constexpr std::array kSharedBindings = {BindingKind::storage_read, BindingKind::storage_read_write,
                                        BindingKind::uniform_dynamic};

}  // namespace

TuningRun::TuningRun(Device& device, const TuningMemory& memory, std::string_view key, TuningTask task,
                     TimingEffort effort, std::uint64_t (*clock)())
    : device_(device), memory_(memory), task_(std::move(task)), effort_(effort), clock_(clock) {
  results_.resize(task_.candidates.size());
  ways_.resize(task_.candidates.size());
  answer_.resize(task_.output_words == 0 ? task_.expected.size() : task_.output_words);
  for (std::size_t i = 0; i < task_.candidates.size(); ++i) {
    const TuningCandidate& candidate = task_.candidates[i];
    CandidateResult& result = results_[i];
    result.name = candidate.name;
    if (const std::string* reason = memory_.disabled(key, candidate.name)) refuse(i, Verdict::disabled, *reason);
    for (const TuningDispatch& dispatch : candidate.dispatches) {
      measure_up(dispatch.kernel, result);
      const Status fitting = fits(dispatch.kernel, device_.info().limits);
      if (!fitting) refuse(i, Verdict::past_limits, fitting.error().message);
    }
  }
  start();
}

TuningRun::~TuningRun() {
  commands_.clear();
  for (const Way& way : ways_) {
    for (const Pipeline& pipeline : way.pipelines) {
      commands_.destroy_bind_group(pipeline.group);
      commands_.destroy_pipeline(pipeline.id);
    }
  }
  if (shared_group_ != BindGroupId::none) commands_.destroy_bind_group(shared_group_);
  if (queries_ != QuerySetId::none) commands_.destroy_query_set(queries_);
  for (const BufferId buffer : made_) commands_.destroy_buffer(buffer);
  device_.run(commands_);
}

void TuningRun::refuse(std::size_t way, Verdict verdict, std::string note) {
  if (results_[way].verdict != Verdict::not_tried) return;
  results_[way].verdict = verdict;
  results_[way].note = std::move(note);
}

// ---- compiling ----

void TuningRun::start() {
  for (std::size_t i = 0; i < ways_.size(); ++i) {
    if (!ways_[i].in(results_[i])) continue;
    for (const TuningDispatch& dispatch : task_.candidates[i].dispatches) {
      ways_[i].first_slots.push_back(static_cast<std::uint32_t>(slots_.size()));
      slots_.insert(slots_.end(), dispatch.constants.begin(), dispatch.constants.end());
    }
  }
  if (slots_.empty()) {  // every way was refused
    choose();
    return;
  }

  const auto make = [&](std::uint32_t usage, std::span<const std::byte> content, std::string_view label) {
    const BufferId buffer = device_.new_buffer();
    commands_.create_buffer(buffer, usage, content.size(), label);
    commands_.write_buffer(buffer, 0, content);
    made_.push_back(buffer);
    return buffer;
  };
  const BufferId step = make(kStorage, std::as_bytes(std::span(task_.step)), "tuner step");
  arena_ = make(kStorage, std::as_bytes(std::span(task_.arena)), "tuner arena");
  const BufferId op = make(kUniform, std::as_bytes(std::span(slots_)), "tuner constants");
  for (const std::vector<std::byte>& content : task_.buffers) {
    buffers_.push_back(make(kStorage, content, "tuner weights"));
  }
  shared_layout_ = device_.new_layout();
  shared_group_ = device_.new_bind_group();
  commands_.create_layout(shared_layout_, kSharedBindings, "tuner group 0");
  const std::array<Binding, 3> shared = {Binding{step, 0, task_.step.size() * 4},
                                         Binding{arena_, 0, task_.arena.size() * 4}, Binding{op, 0, kOpBytes}};
  commands_.create_bind_group(shared_group_, shared_layout_, shared, "tuner group 0");
  if (device_.info().features.timestamps) {
    queries_ = device_.new_query_set();
    resolved_ = device_.new_buffer();
    commands_.create_query_set(queries_, 2);
    commands_.create_buffer(resolved_, kQueryResolve, 2 * sizeof(std::uint64_t), "tuner timestamps");
    made_.push_back(resolved_);
  }
  for (std::size_t i = 0; i < ways_.size(); ++i) {
    if (ways_[i].in(results_[i])) compile(ways_[i], task_.candidates[i]);
  }
  device_.run(commands_);
}

void TuningRun::compile(Way& way, const TuningCandidate& candidate) {
  for (const TuningDispatch& dispatch : candidate.dispatches) {
    const Pipeline pipeline = {device_.new_pipeline(), device_.new_layout(), device_.new_bind_group()};
    std::vector<Binding> bindings;
    for (const std::size_t index : dispatch.buffers) {
      bindings.push_back({buffers_[index], 0, task_.buffers[index].size()});
    }
    const Ticket ticket = device_.new_ticket();
    commands_.create_layout(pipeline.layout, dispatch.kernel.bindings, dispatch.kernel.label);
    commands_.create_bind_group(pipeline.group, pipeline.layout, bindings, dispatch.kernel.label);
    const std::array<LayoutId, 2> layouts = {shared_layout_, pipeline.layout};
    commands_.create_pipeline(pipeline.id, ticket, dispatch.kernel.wgsl, layouts, dispatch.kernel.label);
    way.pipelines.push_back(pipeline);
    way.compiling.push_back(ticket);
    pending_.push_back(ticket);
  }
}

void TuningRun::finish_compiling() {
  for (std::size_t i = 0; i < ways_.size(); ++i) {
    for (const Ticket ticket : std::exchange(ways_[i].compiling, {})) {
      const std::optional<Event> event = device_.take(ticket);
      if (event && !event->ok) refuse(i, Verdict::broken, event->message);
    }
  }
  pending_.clear();
  phase_ = Phase::probe;
  if (next_way(true)) {
    start_probe();
  } else {
    choose();
  }
}

// The first way from the start, or the next after this one, that is still in. False: there is none.
bool TuningRun::next_way(bool from_start) {
  std::size_t at = from_start ? 0 : way_ + 1;
  while (at < ways_.size() && !ways_[at].in(results_[at])) ++at;
  if (at == ways_.size()) return false;
  way_ = at;
  return true;
}

void TuningRun::record(Commands& commands, std::size_t way, std::uint32_t repeats) const {
  const TuningCandidate& candidate = task_.candidates[way];
  const bool one_pipeline = candidate.dispatches.size() == 1;
  for (std::uint32_t repeat = 0; repeat < repeats; ++repeat) {
    for (std::size_t i = 0; i < candidate.dispatches.size(); ++i) {
      const TuningDispatch& dispatch = candidate.dispatches[i];
      const Pipeline& pipeline = ways_[way].pipelines[i];
      const std::uint32_t turn = repeat % static_cast<std::uint32_t>(dispatch.constants.size());
      const std::array<std::uint32_t, 1> offset = {(ways_[way].first_slots[i] + turn) * kOpBytes};
      if (repeat == 0 || !one_pipeline) {
        commands.set_pipeline(pipeline.id);
        commands.set_bind_group(1, pipeline.group);
      }
      commands.set_bind_group(0, shared_group_, offset);
      commands.dispatch(dispatch.workgroups[0], dispatch.workgroups[1], dispatch.workgroups[2]);
    }
  }
}

// ---- probing ----

void TuningRun::start_probe() {
  const Ticket ticket = device_.new_ticket();
  commands_.clear();
  commands_.write_buffer(arena_, 0, std::as_bytes(std::span(task_.arena)));
  commands_.begin_pass("tuner probe");
  record(commands_, way_, 1);
  commands_.end_pass();
  commands_.read_buffer(ticket, arena_, std::uint64_t{task_.output} * 4, std::as_writable_bytes(std::span(answer_)));
  device_.run(commands_);
  pending_ = {ticket};
}

void TuningRun::finish_probe() {
  const std::optional<Event> event = device_.take(pending_.front());
  pending_.clear();
  CandidateResult& result = results_[way_];
  if (task_.probes.empty()) {
    result.error = relative_error(std::span(answer_).first(task_.expected.size()), task_.expected);
  } else {
    probed_.clear();
    for (const std::uint32_t at : task_.probes) probed_.push_back(answer_[at]);
    result.error = relative_error(probed_, task_.expected);
  }
  if (!event || !event->ok) {
    refuse(way_, Verdict::broken, event ? event->message : "the device did not answer");
  } else if (!(result.error <= task_.tolerance)) {
    refuse(
        way_, Verdict::wrong,
        fmt::format("its numbers are off by {:.2g} of their size; {:.2g} is allowed", result.error, task_.tolerance));
  }
  if (next_way(false)) return start_probe();
  phase_ = Phase::time;
  round_ = 0;
  if (!next_way(true) || !start_sample()) choose();
}

// ---- timing ----

// Round 0 warms up and finds how often to repeat, each way by a few tries; the ways then take turns, so that a drifting
// clock slows all alike.
bool TuningRun::start_sample() {
  const Ticket ticket = device_.new_ticket();
  const bool stamped = queries_ != QuerySetId::none;
  commands_.clear();
  commands_.begin_pass("tuner timing", queries_, 0);
  record(commands_, way_, ways_[way_].repeats);
  commands_.end_pass();
  if (stamped) {
    commands_.resolve_queries(queries_, 0, 2, resolved_, 0);
    commands_.read_buffer(ticket, resolved_, 0, std::as_writable_bytes(std::span(stamps_)));
  } else {
    commands_.signal(ticket);
  }
  begin_ns_ = clock_();
  device_.run(commands_);
  pending_ = {ticket};
  return true;
}

void TuningRun::finish_sample() {
  static_cast<void>(device_.take(pending_.front()));
  pending_.clear();
  Way& way = ways_[way_];
  std::uint64_t elapsed = clock_() - begin_ns_;
  std::uint64_t resolution = 1;
  // A driver that has no timestamps after all leaves zeros.
  if (queries_ != QuerySetId::none && stamps_[1] != 0) {
    stamp_bits_ |= stamps_[0] | stamps_[1];
    elapsed = device_.info().nanoseconds(stamps_[1] - std::min(stamps_[0], stamps_[1]));
    resolution = device_.info().nanoseconds(resolution_of({&stamp_bits_, 1}));
  }
  if (round_ == 0) {
    const SampleLength length = sample_length(effort_, way.repeats, elapsed, resolution);
    way.repeats = length.repeats;
    if (!length.found) {
      start_sample();
      return;
    }
  } else {
    way.samples.push_back(std::max<std::uint64_t>(elapsed / way.repeats, 1));
  }
  if (next_way(false) || (++round_ <= effort_.samples && next_way(true))) {
    start_sample();
  } else {
    choose();
  }
}

void TuningRun::choose() {
  phase_ = Phase::done;
  for (std::size_t i = 0; i < ways_.size(); ++i) {
    if (!ways_[i].in(results_[i])) continue;
    std::vector<std::uint64_t>& samples = ways_[i].samples;
    if (!samples.empty()) {
      const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
      std::ranges::nth_element(samples, middle);
      results_[i].nanoseconds = *middle;
    }
    if (chosen_ < 0 || results_[i].nanoseconds < results_[static_cast<std::size_t>(chosen_)].nanoseconds) {
      chosen_ = static_cast<int>(i);
    }
  }
  for (std::size_t i = 0; i < ways_.size(); ++i) {
    if (!ways_[i].in(results_[i])) continue;
    results_[i].verdict = static_cast<int>(i) == chosen_ ? Verdict::chosen : Verdict::slower;
  }
}

Result<bool> TuningRun::poll() {
  device_.poll();
  if (!device_.lost().empty()) return fail(Code::device, "the device was lost while it was tuned: {}", device_.lost());
  // Everything that this phase waits for; events may come in any order.
  for (const Ticket ticket : pending_) {
    if (!device_.has(ticket)) return false;
  }
  switch (phase_) {
    case Phase::compile: finish_compiling(); break;
    case Phase::probe: finish_probe(); break;
    case Phase::time: finish_sample(); break;
    case Phase::done: break;
  }
  return phase_ == Phase::done;
}

}  // namespace wisp::gpu
