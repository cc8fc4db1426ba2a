// What a wisp_engine tells about itself: JSON, profiles, traces, and what is kept about its device.
#include <string>
#include <utility>

#include "api/buffer.h"
#include "api/engine_handle.h"

using wisp::Code;
using wisp::fail;
using wisp::Status;

namespace wisp::api {
namespace {

using text::jinja::Value;

Value object_of(std::initializer_list<std::pair<std::string_view, std::uint64_t>> counts) {
  Value made = Value::dict();
  for (const auto& [name, count] : counts) made.set(name, json_count(count));
  return made;
}

Value counters_of(const runtime::Counters& counters) {
  return object_of({{"steps", counters.steps},
                    {"rows", counters.rows},
                    {"logit_rows", counters.logit_rows},
                    {"prompt_tokens", counters.prompt_tokens},
                    {"cached_tokens", counters.cached_tokens},
                    {"generated_tokens", counters.generated_tokens},
                    {"preemptions", counters.preemptions},
                    {"most_steps_in_flight", counters.most_steps_in_flight},
                    {"device_tokens", counters.device_tokens},
                    {"dropped_tokens", counters.dropped_tokens},
                    {"device_losses", counters.device_losses},
                    {"requests_submitted", counters.requests_submitted},
                    {"requests_refused", counters.requests_refused},
                    {"requests_finished", counters.requests_finished},
                    {"requests_cancelled", counters.requests_cancelled},
                    {"requests_failed", counters.requests_failed},
                    {"execute_ns", counters.execute_ns},
                    {"step_ns", counters.step_ns},
                    {"running", counters.running},
                    {"waiting", counters.waiting}});
}

Value memory_of(const runtime::Engine& engine) {
  Value made = Value::dict();
  for (const graph::MemoryUse& use : engine.memory()) made.set(use.owner, json_count(use.bytes));
  Value groups = Value::list();
  for (const kv::GroupUsage& group : engine.kv_use().groups) {
    groups.append(object_of({{"total", group.n_blocks}, {"used", group.n_used}, {"cached", group.n_cached}}));
  }
  made.set("kv_blocks", std::move(groups));
  return made;
}

std::string_view kv_name(graph::KvType type) {
  switch (type) {
    case graph::KvType::f32: return "f32";
    case graph::KvType::f16: return "f16";
    case graph::KvType::q8_0: return "q8_0";
  }
  return "?";
}

Value description_of(const runtime::Engine& engine) {
  const graph::StartCost cost = engine.executor().start_cost();
  Value made = Value::dict();
  made.set("executor", json_text(engine.executor().describe()));
  made.set("kv", json_text(kv_name(engine.options().kv_type)));
  made.set("kernels", json_count(cost.kernels));
  made.set("known_kernels", json_count(cost.known_kernels));
  made.set("compile_ns", json_count(cost.compile_ns));
  made.set("tuning_ns", json_count(cost.tuning_ns));
  return made;
}

Value profile_of(const runtime::Engine& engine) {
  Value made = Value::list();
  for (const runtime::OpTime& op : engine.op_times()) {
    Value entry = Value::dict();
    entry.set("name", json_text(op.name));
    entry.set("layer", Value::integer(op.layer));
    entry.set("calls", json_count(op.counter.calls));
    entry.set("rows", json_count(op.counter.rows));
    entry.set("nanoseconds", json_count(op.counter.nanoseconds));
    made.append(std::move(entry));
  }
  return made;
}

// Fills `out` with what `describe` makes of the engine.
template <class Describe>
wisp_status tell(wisp_engine* engine, wisp_buffer* out, wisp_error* error, Describe&& describe) {
  return answer(error, [&] {
    return with_loading(engine, [&]() -> Status { return fill_json(out, describe(*engine->engine)); });
  });
}

}  // namespace
}  // namespace wisp::api

using namespace wisp::api;  // NOLINT(google-build-using-namespace): the functions below are its outer side

extern "C" {

wisp_status wisp_engine_counters(wisp_engine* engine, wisp_buffer* out, wisp_error* error) {
  return tell(engine, out, error, [](const auto& it) { return counters_of(it.counters()); });
}
wisp_status wisp_engine_memory(wisp_engine* engine, wisp_buffer* out, wisp_error* error) {
  return tell(engine, out, error, memory_of);
}
wisp_status wisp_engine_describe(wisp_engine* engine, wisp_buffer* out, wisp_error* error) {
  return tell(engine, out, error, description_of);
}
wisp_status wisp_engine_profile(wisp_engine* engine, wisp_buffer* out, wisp_error* error) {
  return tell(engine, out, error, profile_of);
}

wisp_status wisp_engine_set_profiling(wisp_engine* engine, int on, wisp_error* error) {
  return answer(error, [&] {
    return with_turn(engine, [&]() -> Status {
      engine->engine->set_profiling(on != 0);
      return {};
    });
  });
}

wisp_status wisp_engine_start_trace(wisp_engine* engine, wisp_trace_function trace, void* context, wisp_error* error) {
  return answer(error, [&] {
    return with_turn(engine, [&]() -> Status {
      if (trace == nullptr) return fail(Code::invalid_argument, "the trace's function is NULL");
      engine->engine->start_trace(
          [trace, context](std::string_view bytes) { trace(context, bytes.data(), bytes.size()); });
      return {};
    });
  });
}

wisp_status wisp_engine_stop_trace(wisp_engine* engine, wisp_error* error) {
  return answer(error, [&] {
    return with_turn(engine, [&]() -> Status {
      engine->engine->stop_trace();
      return {};
    });
  });
}

wisp_status wisp_engine_take_text(wisp_engine* engine, wisp_buffer* name, wisp_buffer* text, wisp_error* error) {
  return answer(error, [&] {
    return with_loading(engine, [&]() -> Status {
      WISP_CHECK(check(name, "the buffer for the name"));
      WISP_CHECK(check(text, "the buffer for the text"));
      const std::string next = engine->storage->take_written().value_or("");
      WISP_CHECK(fill(name, next));
      return fill(text, next.empty() ? std::string() : engine->storage->read(next));
    });
  });
}

}  // extern "C"
