// Before the first step: what the backend has memory for, and the plans. On a device all of it may take until it has
// been polled for a while.
#include <algorithm>

#include "base/log.h"
#include "runtime/engine_state.h"
#include "runtime/kv_setup.h"

namespace wisp::runtime {
namespace {

constexpr std::string_view type_name(graph::KvType type) {
  switch (type) {
    case graph::KvType::f32: return "f32";
    case graph::KvType::f16: return "f16";
    case graph::KvType::q8_0: return "q8_0";
  }
  return "?";
}

std::uint64_t without_a_tenth(std::uint64_t bytes) { return bytes - bytes / 10; }

}  // namespace

Status Engine::State::check_limit(std::uint64_t taken) const {
  if (options.memory_limit == 0 || taken < without_a_tenth(options.memory_limit)) return {};
  return fail(Code::out_of_memory,
              "the model takes at least {} before any text, and the memory limit of {} allows {}: a tenth stays free",
              format_bytes(taken), format_bytes(options.memory_limit),
              format_bytes(without_a_tenth(options.memory_limit)));
}

Status Engine::State::begin_load(LoadProgress told) {
  std::uint64_t least = 0;  // no backend makes weights smaller
  for (const graph::Weight& weight : graph->weights) {
    if (weight.use.matrix) least += graph::row_bytes(weight) * weight.rows;
  }
  WISP_CHECK(check_limit(least));
  progress_ = std::move(told);
  WISP_CHECK(executor->begin_load(*graph, file));
  // What there is no memory for is refused before the weights come, and on a device kernels compile meanwhile.
  WISP_TRY(const bool done, set_up());
  if (!done && device == nullptr) return fail(Code::internal, "{} does not tell its memory", executor->describe());
  return {};
}

Result<graph::LoadState> Engine::State::load_more() {
  if (loaded) return reload();
  WISP_TRY(const graph::LoadState state, executor->load_more());
  if (device != nullptr) {
    if (device->losses() != losses_seen_) recover();
    WISP_CHECK(check_losses());
    WISP_CHECK(set_up());
  }
  WISP_CHECK(tell_progress());
  if (state != graph::LoadState::done) return state;
  loaded = true;
  progress_ = {};
  // Where what the graph does not use was never there, the engine lives without, and whoever saves is told.
  if (!options.file_stays) static_cast<void>(fingerprint());
  return state;
}

Status Engine::State::tell_progress() {
  const graph::WeightStream* const stream = executor->weight_stream();
  if (!progress_ || stream == nullptr || stream->bytes_done() == told_bytes_) return {};
  told_bytes_ = stream->bytes_done();
  if (progress_(told_bytes_, stream->bytes_total())) return {};
  return fail(Code::cancelled, "loading was cancelled");
}

// After a loss.
Result<graph::LoadState> Engine::State::reload() {
  WISP_TRY(const bool is_ready, poll());
  const graph::WeightStream* const stream = executor->weight_stream();
  if (is_ready || (stream != nullptr && stream->finished())) return graph::LoadState::done;
  switch (device->pending()) {
    case graph::Pending::device: return graph::LoadState::waits;
    case graph::Pending::host: return graph::LoadState::more;
    case graph::Pending::data: return graph::LoadState::wants_data;
  }
  return graph::LoadState::done;
}

Status Engine::State::load_all() {
  while (true) {
    WISP_TRY(const graph::LoadState state, load_more());
    switch (state) {
      case graph::LoadState::done: return {};
      case graph::LoadState::more: break;
      case graph::LoadState::waits:
        if (device == nullptr || !device->can_wait()) {
          return fail(Code::unsupported, "{} cannot be waited for while weights load: load them in steps",
                      executor->describe());
        }
        WISP_CHECK(device->wait());
        break;
      case graph::LoadState::wants_data:
        return fail(Code::need_more_data, "the weights have not arrived: feed them all first, or load in steps");
    }
  }
}

Result<std::uint64_t> Engine::State::within_limit(std::uint64_t room) const {
  if (options.memory_limit == 0) return room;
  WISP_TRY(const graph::Plan largest,
           graph::make_plan(graph, graph::row_bucket(options.row_budget), options.max_logit_rows));
  std::uint64_t taken = largest.arena_bytes;
  for (const graph::MemoryUse& use : executor->memory()) taken += use.bytes;
  WISP_CHECK(check_limit(taken));
  return std::min(room, without_a_tenth(options.memory_limit) - taken);
}

Result<bool> Engine::State::set_up() {
  if (set_up_) return true;
  WISP_TRY(const kv::KvConfig wanted, make_kv_config(graph->kv, max_positions, options));
  const std::uint64_t bytes = kv_pool_bytes(graph->kv, wanted, options.kv_type);
  const std::optional<std::uint64_t> given = executor->kv_room(bytes);
  if (!given) return false;
  WISP_TRY(const std::uint64_t room, within_limit(*given));
  if (bytes > room) WISP_CHECK(settle_for(room, bytes));
  WISP_CHECK(executor->allocate_kv(graph->kv, options.kv_type, options.kv_blocks));
  if (device != nullptr) WISP_CHECK(prepare_plans());
  set_up_ = true;
  return true;
}

Status Engine::State::settle_for(std::uint64_t room, std::uint64_t wanted) {
  EngineOptions asked = options;
  if (!blocks_given_) asked.kv_blocks.clear();
  Result<KvFit> fit = fit_kv(graph->kv, max_positions, asked, room);
  if (!fit) return fail_in(fit.error(), "{} has no memory for keys and values", executor->describe());
  const std::uint64_t bytes = kv_pool_bytes(graph->kv, fit->config, fit->type);
  const bool shorter = fit->config.n_blocks != options.kv_blocks;
  log_warning("keys and values may take {} as {}, and {} has {} for them: {} as {}{}", format_bytes(wanted),
              type_name(options.kv_type), executor->describe(), format_bytes(room), format_bytes(bytes),
              type_name(fit->type), shorter ? ", and longer texts end early" : "");
  options.kv_type = fit->type;
  options.kv_blocks = fit->config.n_blocks;
  WISP_TRY(kv, kv::KvManager::create(std::move(fit->config)));
  return {};
}

Status Engine::State::prepare_plans() {
  for (std::uint32_t rows = 1; rows <= graph::row_bucket(options.row_budget); rows *= 2) {
    WISP_CHECK(plans.plan_for(rows, *executor));
  }
  return {};
}

}  // namespace wisp::runtime
