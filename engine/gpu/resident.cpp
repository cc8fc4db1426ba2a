#include "gpu/resident.h"

#include <algorithm>

#include "base/checked.h"
#include "base/log.h"
#include "gpu/kernel_cache.h"
#include "gpu/lower.h"
#include "graph/step_check.h"

namespace wisp::gpu {
namespace {

// One decode step in so many is timed by op, so that a kernel's drift is noticed; its passes cost little, seldom.
constexpr std::uint64_t kWatchedStep = 16;

}  // namespace

PlanKey key_of(const graph::Plan& plan) {
  return {plan.graph.get(), std::uint64_t{plan.max_rows} << 32 | plan.max_logit_rows};
}

Resident::Resident(std::unique_ptr<Device> device, LowerOptions options, Tally& tally, Tuning& tuning, Storage* storage)
    : device_(std::move(device)),
      options_(options),
      tally_(tally),
      tuning_(tuning),
      storage_(storage),
      pipelines_(*device_),
      weights_(*device_),
      kv_(*device_) {}

// ---- before the first step ----

Status Resident::begin_load(const graph::Graph& graph, const gguf::File& file) {
  hint_kernels(graph);
  loading_ = true;
  WISP_CHECK(weights_.begin(graph, file));
  step_.prepare(graph);
  layers_worth_ = 0.0;
  std::uint64_t largest = 1;
  for (const graph::KvLayer& layer : graph.kv.layers) {
    largest = std::max(largest, std::uint64_t{layer.kv_heads} * layer.head_dim);
  }
  for (const graph::KvLayer& layer : graph.kv.layers) {
    layers_worth_ += 2.0 * layer.kv_heads * layer.head_dim / static_cast<double>(largest);
  }
  make_buffer(sampled_, kSlots * kSlotDepth * sizeof(std::int32_t), "wisp sampled tokens");
  make_buffer(results_, kSlots * sizeof(std::int32_t), "wisp tokens of a step");
  return check();
}

Result<graph::LoadState> Resident::load_more() {
  WISP_TRY(const graph::LoadState state, weights_.load_more());
  if (state == graph::LoadState::done && loading_) {
    loading_ = false;
    tuning_.count_time(true);
    fill_vectors();
  } else if (device_->info().features.timestamps || !tuning_.active()) {
    // What is measured by the host's clock has to wait until nothing else is on the device.
    tuning_.count_time(false);
    WISP_TRY([[maybe_unused]] const bool ready, poll());
  } else {
    WISP_CHECK(pipelines_.poll());
  }
  WISP_CHECK(check());
  return state;
}

std::optional<std::uint64_t> Resident::kv_room(std::uint64_t wanted) {
  const Limits& limits = device_->info().limits;
  // What can be bound: the largest layer's keys lie in one binding.
  const double bound = static_cast<double>(std::min(limits.max_binding_bytes, limits.max_buffer_bytes)) * layers_worth_;
  wanted = std::min(wanted, static_cast<std::uint64_t>(bound));
  // A tenth more than is wanted, so that it stays free.
  if (!trial_) trial_.emplace(*device_, wanted + wanted / 9);
  std::optional<std::uint64_t> given = trial_->poll();
  while (!given && device_->can_wait() && device_->lost().empty()) {
    device_->wait(trial_->waits_for());
    given = trial_->poll();
  }
  if (!given) return std::nullopt;
  trial_.reset();
  return std::min(wanted, *given - *given / 10);
}

// Another buffer in place of this one. Refused memory is an uncaptured error, which check() tells.
void Resident::make_buffer(Binding& buffer, std::uint64_t bytes, std::string_view label) {
  commands_.clear();
  if (buffer.buffer != BufferId::none) commands_.destroy_buffer(buffer.buffer);
  buffer = {device_->new_buffer(), 0, align_up<std::uint64_t>(bytes, 256)};
  commands_.create_buffer(buffer.buffer, kStorage, buffer.bytes, label);
  device_->run(commands_);
  ++generation_;
}

// The arena starts with the vectors: norms and biases need no binding of their own.
void Resident::grow_arena(std::uint32_t words) {
  if (arena_.bytes >= std::uint64_t{words} * 4) return;
  make_buffer(arena_, std::uint64_t{words} * 4, "wisp activations");
  if (!loading_) fill_vectors();
}

void Resident::fill_vectors() {
  if (weights_.vectors().empty() || arena_.buffer == BufferId::none) return;
  commands_.clear();
  commands_.write_buffer(arena_.buffer, 0, std::as_bytes(std::span(weights_.vectors())));
  device_->run(commands_);
}

LowerContext Resident::context() {
  return {.device = *device_,
          .pipelines = pipelines_,
          .weights = weights_,
          .kv = kv_,
          .step = step_,
          .sampled = sampled_,
          .results = results_,
          .rounding = options_.int8,
          .deterministic = options_.deterministic,
          .attention = options_.attention,
          .choices = &tuning_.choices()};
}

Status Resident::prepare(const graph::Plan& plan) {
  tally_.counters.resize(std::max(tally_.counters.size(), plan.graph->ops.size()));
  plans_.insert_or_assign(key_of(plan), plan);
  if (programs_.contains(key_of(plan))) return {};
  // In deterministic mode nothing may depend on what was measured.
  if (!tuning_.active() || options_.deterministic) return make_program(plan);
  Questions questions;
  WISP_CHECK(ask(plan, context(), questions));
  tuning_.ask(questions);
  return {};
}

Status Resident::make_program(const graph::Plan& plan) {
  WISP_TRY(Program program, lower(plan, context()));
  grow_arena(program.arena_words);
  Prepared& prepared = programs_[key_of(plan)];
  prepared.program = std::move(program);
  commands_.clear();
  prepared.op = device_->new_buffer();
  const auto constants = std::as_bytes(std::span(prepared.program.constants));
  commands_.create_buffer(prepared.op, kUniform, constants.size(), "wisp constants");
  commands_.write_buffer(prepared.op, 0, constants);
  device_->run(commands_);
  return check();
}

// What the same model wanted the last time is compiled while its weights load.
void Resident::hint_kernels(const graph::Graph& graph) {
  cache_name_ = kernel_cache_name(device_->info(), graph);
  cached_kernels_ = storage_ == nullptr ? std::string() : storage_->read(cache_name_);
  if (cached_kernels_.empty()) return;
  const Result<std::vector<Kernel>> kernels = read_kernels(cached_kernels_);
  if (!kernels) return log_warning("kernels of an earlier run are not used: {}", kernels.error().message);
  for (const Kernel& kernel : *kernels) pipelines_.hint(kernel);
  known_kernels_ = static_cast<std::uint32_t>(kernels->size());
}

void Resident::keep_kernels() {
  if (storage_ == nullptr) return;
  std::string text = write_kernels(pipelines_.wanted());
  if (text == cached_kernels_) return;
  storage_->write(cache_name_, text);
  cached_kernels_ = std::move(text);
}

void Resident::bind(Prepared& prepared) {
  if (prepared.bound == generation_) return;
  commands_.clear();
  if (prepared.shared != BindGroupId::none) commands_.destroy_bind_group(prepared.shared);
  prepared.shared = device_->new_bind_group();
  const std::array bindings = {step_buffer_, arena_, Binding{prepared.op, 0, kOpBytes}};
  commands_.create_bind_group(prepared.shared, pipelines_.shared_layout(), bindings, "wisp group 0");
  device_->run(commands_);
  prepared.bound = generation_;
}

// ---- steps ----

Status Resident::submit(const graph::Plan& plan, const graph::StepInputs& step,
                        std::span<const graph::DeviceSample> samples, std::span<const std::uint32_t> logits_wanted) {
  WISP_CHECK(graph::check_step(plan, step, kv_.blocks(), kSlots));
  const auto found = programs_.find(key_of(plan));
  if (found == programs_.end()) return fail(Code::invalid_argument, "the plan was not prepared");
  if (in_flight_ == flying_.size()) return fail(Code::invalid_argument, "{} steps are in flight already", in_flight_);
  kv_written_ = true;
  const auto logit_rows = static_cast<std::uint32_t>(step.logit_rows.size());
  for (const graph::DeviceSample& sample : samples) {
    if (sample.slot >= kSlots || sample.logit_row >= logit_rows) {
      return fail(Code::invalid_argument, "a sample of row {} into slot {}; there are {} rows and {} slots",
                  sample.logit_row, sample.slot, logit_rows, kSlots);
    }
  }
  if (samples.size() > std::min(logit_rows, kSlots) ||
      std::ranges::any_of(logits_wanted, [&](auto row) { return row >= logit_rows; })) {
    return fail(Code::invalid_argument, "{} samples and {} rows of logits asked for; the step has {}", samples.size(),
                logits_wanted.size(), logit_rows);
  }

  Prepared& prepared = found->second;
  const std::span<const std::uint32_t> words = step_.write(*plan.graph, step, samples, slots_);
  if (step_buffer_.bytes < words.size_bytes()) make_buffer(step_buffer_, 2 * words.size_bytes(), "wisp step");
  bind(prepared);
  Flying& flying = flying_[(oldest_ + in_flight_) % flying_.size()];
  flying.tokens.resize(samples.size());
  flying.reads.clear();
  flying.times.ops.clear();
  flying.plan = key_of(plan);

  // Steps before this one have read the buffer by the time it is written: the device's queue keeps the order.
  commands_.clear();
  commands_.write_buffer(step_buffer_.buffer, 0, std::as_bytes(words));
  for (const graph::BlockCopy& copy : step.copies) kv_.copy(copy, commands_);
  record_ops(prepared, plan, flying);
  read_logits(plan, logits_wanted, flying);  // before bias and penalties change them
  record_choice(prepared);
  if (!samples.empty()) read(results_.buffer, 0, std::as_writable_bytes(std::span(flying.tokens)), flying);
  if (flying.reads.empty()) {
    flying.reads.push_back(device_->new_ticket());
    commands_.signal(flying.reads.back());
  }
  if (!flying.times.ops.empty()) flying.reads.push_back(flying.times.read);
  device_->run(commands_);
  if (!device_->lost().empty()) return std::unexpected(failure(nullptr));
  ++in_flight_;
  return {};
}

bool Resident::applies(const Dispatch& dispatch) const {
  const StepCounts& counts = step_.counts();
  const std::uint32_t items = count_of(dispatch.of, counts);
  return items >= dispatch.least && items <= dispatch.most && workgroups(dispatch.grid[0], counts) > 0 &&
         workgroups(dispatch.grid[1], counts) > 0 && workgroups(dispatch.grid[2], counts) > 0;
}

void Resident::record(const Prepared& prepared, const Dispatch& dispatch, PassState& state) {
  const StepCounts& counts = step_.counts();
  if (dispatch.pipeline != state.pipeline) commands_.set_pipeline(state.pipeline = dispatch.pipeline);
  commands_.set_bind_group(0, prepared.shared, std::array{dispatch.slot * kOpBytes});
  if (dispatch.group != BindGroupId::none && dispatch.group != state.group) {
    commands_.set_bind_group(1, state.group = dispatch.group);
  }
  commands_.dispatch(workgroups(dispatch.grid[0], counts), workgroups(dispatch.grid[1], counts),
                     workgroups(dispatch.grid[2], counts));
  ++tally_.dispatches;
}

// One pass for all, or one an op where its time is wanted.
void Resident::record_ops(const Prepared& prepared, const graph::Plan& plan, Flying& step) {
  const bool timed = device_->info().features.timestamps && (tally_.profiling || watches());
  if (timed) {
    timer_.prepare(*device_, plan.graph->ops.size());
  } else {
    commands_.begin_pass("wisp step");
  }
  int op = -1;
  PassState state;
  for (const Dispatch& dispatch : std::span(prepared.program.dispatches).first(prepared.program.choosing)) {
    if (!applies(dispatch)) continue;
    if (dispatch.op != op) {
      if (timed) {
        if (op >= 0) commands_.end_pass();
        const graph::Op& which = plan.graph->ops[static_cast<std::size_t>(dispatch.op)];
        timer_.begin_pass(dispatch.op, graph::op_name(which), commands_, step.times);
        state = {};
      }
      op = dispatch.op;
      graph::OpCounter& counter = tally_.counters[static_cast<std::size_t>(op)];
      ++counter.calls;
      counter.rows += step_.counts().rows;
    }
    record(prepared, dispatch, state);
  }
  if (op >= 0 || !timed) commands_.end_pass();
  if (!step.times.ops.empty()) timer_.read(*device_, commands_, step.times);
}

void Resident::record_choice(const Prepared& prepared) {
  if (step_.counts().samples == 0) return;
  commands_.begin_pass("wisp choice of tokens");
  PassState state;
  for (const Dispatch& dispatch : std::span(prepared.program.dispatches).subspan(prepared.program.choosing)) {
    if (applies(dispatch)) record(prepared, dispatch, state);
  }
  commands_.end_pass();
}

void Resident::read(BufferId buffer, std::uint64_t offset, std::span<std::byte> target, Flying& step) {
  step.reads.push_back(device_->new_ticket());
  commands_.read_buffer(step.reads.back(), buffer, offset, target);
}

void Resident::read_logits(const graph::Plan& plan, std::span<const std::uint32_t> rows, Flying& step) {
  const std::size_t width = graph::output_width(*plan.graph);
  const std::uint64_t values = align_up<std::uint64_t>(weights_.vectors().size(), 64) * 4;
  const std::uint64_t logits = values + plan.offsets[static_cast<std::size_t>(plan.graph->logits)];
  step.logits.resize(rows.size() * width);
  for (std::size_t begin = 0, end = 0; begin < rows.size(); begin = end) {
    // Rows one after another are one read.
    for (end = begin + 1; end < rows.size() && rows[end] == rows[end - 1] + 1;) ++end;
    read(arena_.buffer, logits + std::uint64_t{rows[begin]} * width * sizeof(float),
         std::as_writable_bytes(std::span(step.logits).subspan(begin * width, (end - begin) * width)), step);
  }
}

Result<std::optional<graph::StepOutput>> Resident::collect() {
  if (in_flight_ == 0) return fail(Code::invalid_argument, "no step is in flight");
  Flying& step = flying_[oldest_];
  if (!std::ranges::all_of(step.reads, [&](Ticket ticket) { return device_->has(ticket); })) {
    device_->poll();
    if (!device_->lost().empty()) return std::unexpected(failure(nullptr));
    if (!std::ranges::all_of(step.reads, [&](Ticket ticket) { return device_->has(ticket); }))
      return std::optional<graph::StepOutput>();
  }
  oldest_ = (oldest_ + 1) % kSlotDepth;
  --in_flight_;
  Status outcome;
  for (const Ticket ticket : step.reads) {
    const Event event = *device_->take(ticket);
    if (!event.ok && outcome) outcome = std::unexpected(failure(&event));
  }
  WISP_CHECK(outcome);
  WISP_CHECK(check());
  if (!step.times.ops.empty() && tally_.profiling) {
    OpTimer::report(device_->info(), step.times, tally_.counters, tally_.trace);
  }
  if (!step.times.ops.empty() && tuning_.active()) observe(step);
  // The step's own memory is the next one's.
  output_tokens_.swap(step.tokens);
  output_logits_.swap(step.logits);
  return std::optional(graph::StepOutput{.tokens = output_tokens_, .logits = output_logits_});
}

// ---- what the device says ----

Result<bool> Resident::poll() {
  if (tuning_.drifted()) retuning_ = true;
  if (programs_.size() < plans_.size() || retuning_) {
    WISP_TRY(const bool tuned, tuning_.poll());
    if (!tuned) return false;
    if (retuning_) forget_programs();
    if (!kv_written_ && programs_.empty() && !plans_.empty())
      kv_.set_key_order(chosen_key_order(plans_.begin()->second, context()));
    for (const auto& [key, plan] : plans_) {
      if (!programs_.contains(key)) WISP_CHECK(make_program(plan));
    }
  }
  WISP_TRY(const bool compiled, pipelines_.poll());
  WISP_CHECK(check());
  if (compiled && kept_programs_ != programs_.size()) {
    keep_kernels();
    kept_programs_ = programs_.size();
  }
  return compiled;
}

// Steps in flight have been recorded, and keep what they use.
void Resident::forget_programs() {
  commands_.clear();
  for (const auto& [key, prepared] : programs_) {
    if (prepared.shared != BindGroupId::none) commands_.destroy_bind_group(prepared.shared);
    commands_.destroy_buffer(prepared.op);
  }
  device_->run(commands_);
  programs_.clear();
  retuning_ = false;
  kept_programs_ = 0;
}

// ---- drift ----

bool Resident::watches() { return tuning_.active() && step_.counts().rows == 1 && steps_++ % kWatchedStep == 0; }

void Resident::observe(const Flying& step) {
  const auto found = programs_.find(step.plan);
  if (found == programs_.end() || step.plan.second >> 32 != 1) return;
  const std::vector<std::string>& questions = found->second.program.questions;
  const DeviceInfo& info = device_->info();
  const std::uint64_t resolution = info.nanoseconds(resolution_of(step.times.stamps));
  for (std::size_t i = 0; i < step.times.ops.size(); ++i) {
    const auto op = static_cast<std::size_t>(step.times.ops[i]);
    const std::uint64_t begin = step.times.stamps[2 * i], end = step.times.stamps[2 * i + 1];
    // Rounded stamps may be the same, which counts, too.
    if (op >= questions.size() || questions[op].empty() || end < begin) continue;
    tuning_.observe(questions[op], info.nanoseconds(end - begin), resolution);
  }
}

graph::StartCost Resident::start_cost() const {
  return {.kernels = static_cast<std::uint32_t>(pipelines_.compiled()),
          .known_kernels = known_kernels_,
          .compile_ns = pipelines_.compile_nanoseconds(),
          .tuning_ns = tuning_.spent_nanoseconds()};
}

Ticket Resident::waits_for() const {
  if (loading_) return weights_.waits_for();
  if (const Ticket tuning = tuning_.waits_for(); tuning != Ticket::none) return tuning;
  if (const Ticket compiling = pipelines_.waits_for(); compiling != Ticket::none) return compiling;
  if (in_flight_ == 0) return Ticket::none;
  const auto waits = [&](Ticket ticket) { return !device_->has(ticket); };
  const auto found = std::ranges::find_if(flying_[oldest_].reads, waits);
  return found == flying_[oldest_].reads.end() ? Ticket::none : *found;
}

Error Resident::failure(const Event* event) {
  if (!device_->lost().empty()) return Error(fail(Code::device, "the device was lost: {}", device_->lost()).error());
  std::string error = device_->take_uncaptured_error();
  if (error.empty() && event != nullptr) error = event->message;
  return Error(fail(Code::internal, "{}: {}", device_->info().name, error).error());
}

// What the device complained of since.
Status Resident::check() {
  if (!device_->lost().empty()) return std::unexpected(failure(nullptr));
  const std::string error = device_->take_uncaptured_error();
  if (!error.empty()) return fail(Code::internal, "{}: {}", device_->info().name, error);
  return {};
}

std::vector<graph::MemoryUse> Resident::memory() const {
  return {{"weights", weights_.bytes()},
          {"kv", kv_.bytes()},
          {"activations", arena_.bytes},
          {"step", step_buffer_.bytes + sampled_.bytes + results_.bytes}};
}

}  // namespace wisp::gpu
