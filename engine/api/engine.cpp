// The functions of wisp.h on a wisp_engine that make it work; how a request becomes one of the engine's is in
// submit.cpp, what tells about it in engine_report.cpp.
#include <optional>
#include <utility>

#include "api/buffer.h"
#include "api/engine_handle.h"

using wisp::Code;
using wisp::fail;
using wisp::Result;
using wisp::Status;
using wisp::runtime::RequestId;

void wisp_engine::push(wisp::api::Event event) {
  event_bytes += event.bytes();
  events.push_back(std::move(event));
}

wisp::api::Event wisp_engine::take() {
  if (events.empty()) return {};
  wisp::api::Event event = std::move(events.front());
  events.pop_front();
  event_bytes -= event.bytes();
  return event;
}

namespace wisp::api {
namespace {

constexpr RequestId id_of(std::uint64_t number) { return RequestId{number}; }

bool is_idle(const wisp_engine& handle) {
  const runtime::Counters counters = handle.engine->counters();
  return counters.running == 0 && counters.waiting == 0;
}

// One step without waiting for a device.
Result<wisp_step_state> step(wisp_engine& handle) {
  if (handle.event_bytes >= handle.most_event_bytes) return WISP_STEP_FULL;
  runtime::Engine& engine = *handle.engine;
  if (!handle.runs_by_itself) {
    WISP_CHECK(engine.step());
    return is_idle(handle) ? WISP_STEP_FINISHED : WISP_STEP_MORE;
  }
  bool begun = true;
  while (begun) {
    WISP_TRY(begun, engine.begin_step());
  }
  if (is_idle(handle)) return WISP_STEP_FINISHED;
  if (engine.step_ready()) {
    WISP_CHECK(engine.end_step());
    return is_idle(handle) ? WISP_STEP_FINISHED : WISP_STEP_MORE;
  }
  if (engine.steps_in_flight() > 0) return WISP_STEP_WAITS;
  const Result<bool> is_ready = engine.ready();
  if (!is_ready || *is_ready) return WISP_STEP_MORE;
  switch (engine.pending()) {
    case graph::Pending::device: return WISP_STEP_WAITS;
    case graph::Pending::host: return WISP_STEP_MORE;
    case graph::Pending::data: return WISP_STEP_WANTS_DATA;
  }
  return WISP_STEP_WAITS;
}

// Whether there is an answer: an event, or that none will come.
Result<bool> wait_for_event(wisp_engine& handle, wisp_event& out) {
  if (handle.events.empty()) {
    WISP_TRY(const bool worked, handle.engine->step());
    if (handle.events.empty()) {
      if (handle.engine->must_wait() && handle.engine->pending() == graph::Pending::data) {
        return fail(Code::need_more_data, "the device was lost, and the source has not got what the next one needs");
      }
      if (handle.engine->must_wait()) {
        return fail(Code::unsupported, "this device cannot be waited for; use wisp_engine_step");
      }
      if (worked) return false;
    }
  }
  out.event = handle.take();
  return true;
}

}  // namespace
}  // namespace wisp::api

using namespace wisp::api;  // NOLINT(google-build-using-namespace): the functions below are its outer side

extern "C" {

wisp_engine* wisp_engine_create(const wisp_model* model, const wisp_options* options, wisp_error* error) {
  return answer_handle(error, [&] { return make_engine(model, options); });
}

void wisp_engine_destroy(wisp_engine* engine) {
  if (is_valid(engine) && !engine->turn.is_mine()) destroy(engine);
}

uint32_t wisp_engine_vocabulary(const wisp_engine* engine) {
  return is_valid(engine) && engine->engine != nullptr ? engine->engine->vocabulary() : 0;
}
uint32_t wisp_engine_max_positions(const wisp_engine* engine) {
  return is_valid(engine) && engine->engine != nullptr ? engine->engine->max_positions() : 0;
}
uint32_t wisp_engine_embedding_width(const wisp_engine* engine) {
  if (!is_valid(engine) || engine->engine->options().output != wisp::graph::Output::hidden) return 0;
  return wisp::graph::output_width(engine->engine->graph());
}

uint64_t wisp_engine_submit(wisp_engine* engine, const wisp_request* request, wisp_error* error) {
  return answer_number(error,
                       [&] { return with_turn(engine, [&] { return submit(*engine, request, std::nullopt); }); });
}

uint64_t wisp_engine_fork(wisp_engine* engine, uint64_t parent, const wisp_request* request, wisp_error* error) {
  return answer_number(error, [&] { return with_turn(engine, [&] { return submit(*engine, request, parent); }); });
}

wisp_status wisp_engine_cancel(wisp_engine* engine, uint64_t request, wisp_error* error) {
  return answer(error,
                [&] { return with_turn(engine, [&]() -> Status { return engine->engine->cancel(id_of(request)); }); });
}

wisp_status wisp_engine_save(wisp_engine* engine, uint64_t request, wisp_buffer* out, wisp_error* error) {
  return answer(error, [&] {
    return with_turn(engine, [&]() -> Status {
      WISP_CHECK(check(out, "the buffer"));
      WISP_TRY(const wisp::runtime::SavedSequence saved, engine->engine->save(id_of(request)));
      WISP_TRY(const std::vector<std::byte> bytes, wisp::runtime::write_saved(saved));
      return fill(out, bytes);
    });
  });
}

wisp_status wisp_engine_set_draft(wisp_engine* engine, wisp_engine* draft, wisp_error* error) {
  return answer(error, [&] {
    return with_turn(engine, [&]() -> Status {
      WISP_CHECK(check(draft, "the draft"));
      if (draft == engine) return fail(Code::invalid_argument, "an engine cannot guess for itself");
      const std::unique_ptr<wisp_engine> taken(draft);
      if (taken->engine == nullptr) return std::unexpected(taken->failure);
      if (!taken->engine->is_loaded()) return fail(Code::invalid_argument, "the draft is still loading");
      // Requests of its own end here, and so do their callbacks.
      WISP_CHECK(engine->engine->set_draft_model(std::move(taken->engine)));
      engine->draft_model = taken->model;
      return {};
    });
  });
}

wisp_status wisp_engine_step(wisp_engine* engine, wisp_step_state* state, wisp_error* error) {
  return answer(error, [&] {
    return with_turn(engine, [&]() -> Status {
      WISP_TRY(const wisp_step_state now, step(*engine));
      if (state != nullptr) *state = now;
      return {};
    });
  });
}

wisp_status wisp_engine_next_event(wisp_engine* engine, wisp_event* event, wisp_error* error) {
  return answer(error, [&] {
    return with_turn(engine, [&]() -> Status {
      WISP_CHECK(check(event, "the event"));
      event->event = engine->take();
      return {};
    });
  });
}

wisp_status wisp_engine_wait_event(wisp_engine* engine, wisp_event* event, wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(event, "the event"));
    event->event = {};
    bool answered = false;
    while (!answered) {
      WISP_TRY(answered, with_turn(engine, [&] { return wait_for_event(*engine, *event); }));
    }
    return {};
  });
}

wisp_status wisp_engine_ready(wisp_engine* engine, int* ready, wisp_error* error) {
  return answer(error, [&] {
    return with_turn(engine, [&]() -> Status {
      WISP_TRY(const bool is_ready, engine->engine->ready());
      if (ready != nullptr) *ready = is_ready ? 1 : 0;
      return {};
    });
  });
}

}  // extern "C"
