// The functions of wisp.h on a wisp_engine that make it work; those that tell about it are in engine_report.cpp.
#include <algorithm>
#include <optional>
#include <utility>

#include "api/buffer.h"
#include "api/engine_handle.h"
#include "api/request.h"

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

// An engine's ids begin with 1: 0 is none.
constexpr std::uint64_t number_of(RequestId id) { return static_cast<std::uint64_t>(id); }
constexpr RequestId id_of(std::uint64_t number) { return RequestId{number}; }

// What a request's callbacks share.
struct Teller {
  wisp_engine* engine;
  bool wants_logprobs = false;
  Error failure;  // with a message: why it had to be cancelled

  // Without memory for them the request ends: a caller who asked for logits would miss them in silence.
  Buffer copy(RequestId id, std::span<const float> logits) {
    auto kept = Buffer::allocate(logits.size_bytes(), "the logits that were asked for");
    if (kept) {
      std::ranges::copy(logits, kept->as<float>().begin());
      return std::move(*kept);
    }
    failure = std::move(kept).error();
    static_cast<void>(engine->engine->cancel(id));  // it is running
    return {};
  }

  void tell(const runtime::TokenEvent& token) {
    Event event{.kind = WISP_EVENT_TOKEN,
                .request = number_of(token.request),
                .token = token.token,
                .position = token.position,
                .text = std::string(token.text),
                .logits = copy(token.request, token.logits),
                .top_logprobs = {},
                .message = {},
                .stats = {},
                .state = nullptr};
    if (wants_logprobs) {
      event.has_logprobs = true;
      event.logprob = token.logprobs.chosen;
      event.top_logprobs.assign(token.logprobs.top.begin(), token.logprobs.top.end());
    }
    engine->push(std::move(event));
  }

  void tell(RequestId id, std::uint32_t position, std::span<const float> logits) {
    Event event{.kind = WISP_EVENT_LOGITS,
                .request = number_of(id),
                .position = position,
                .text = {},
                .logits = copy(id, logits),
                .top_logprobs = {},
                .message = {},
                .stats = {},
                .state = nullptr};
    engine->push(std::move(event));
  }

  void tell(const runtime::FinishEvent& end) {
    const bool gave_up = !failure.message.empty();
    const bool failed = gave_up || end.reason == runtime::FinishReason::error;
    const Error& why = gave_up ? failure : end.error;
    Event event{.kind = WISP_EVENT_FINISH,
                .request = number_of(end.request),
                .text = std::string(end.text),
                .logits = {},
                .top_logprobs = {},
                .reason = failed ? WISP_FINISH_ERROR : static_cast<wisp_finish_reason>(end.reason),
                .status = failed ? status_of(why.code) : WISP_OK,
                .message = failed ? why.message : std::string(),
                .stats = end.stats,
                .state = end.state};
    engine->push(std::move(event));
  }
};

// Compiling may take as long as many tokens do, so the latest grammars are kept.
Result<std::shared_ptr<text::grammar::CompiledGrammar>> grammar_of(wisp_engine& engine, const RequestChoice& choice) {
  constexpr std::size_t kMostGrammars = 16;
  std::list<KnownGrammar>& known = engine.grammars;
  const auto found = std::ranges::find_if(known, [&](const KnownGrammar& grammar) {
    return grammar.notation == *choice.notation && grammar.source == choice.grammar;
  });
  if (found != known.end()) {
    known.splice(known.begin(), known, found);
    return found->compiled;
  }
  WISP_TRY(const text::Tokenizer* const tokenizer, engine.model->needed_tokenizer());
  WISP_TRY(auto compiled, text::grammar::compile_grammar(*choice.notation, choice.grammar, *tokenizer));
  known.push_front({*choice.notation, choice.grammar, std::move(compiled)});
  if (known.size() > kMostGrammars) known.pop_back();
  return known.front().compiled;
}

Result<std::uint64_t> submit(wisp_engine* engine, const wisp_request* asked, std::optional<std::uint64_t> parent) {
  WISP_CHECK(check(asked, "the request"));
  WISP_TRY(runtime::Request request, make_request(asked->choice, *engine->model, parent.has_value()));
  if (asked->choice.notation) {
    WISP_TRY(auto grammar, grammar_of(*engine, asked->choice));
    WISP_TRY(request.constraint, text::grammar::Constraint::create(std::move(grammar)));
  }
  auto teller =
      std::make_shared<Teller>(Teller{.engine = engine, .wants_logprobs = request.logprobs.has_value(), .failure = {}});
  request.on_token = [teller](const runtime::TokenEvent& token) { teller->tell(token); };
  request.on_finish = [teller](const runtime::FinishEvent& end) { teller->tell(end); };
  if (asked->choice.logits_from >= 0) {
    request.logits_from = static_cast<std::uint32_t>(asked->choice.logits_from);
    // Callbacks come from steps, when the number is known.
    auto id = std::make_shared<RequestId>();
    request.on_logits = [teller, id](std::uint32_t position, std::span<const float> logits) {
      teller->tell(*id, position, logits);
    };
    WISP_TRY(*id, parent ? engine->engine->fork(id_of(*parent), std::move(request))
                         : engine->engine->submit(std::move(request)));
    return number_of(*id);
  }
  WISP_TRY(const RequestId id, parent ? engine->engine->fork(id_of(*parent), std::move(request))
                                      : engine->engine->submit(std::move(request)));
  return number_of(id);
}

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
  return !is_ready || *is_ready ? WISP_STEP_MORE : WISP_STEP_WAITS;
}

// Whether there is an answer: an event, or that none will come.
Result<bool> wait_for_event(wisp_engine& handle, wisp_event& out) {
  if (handle.events.empty()) {
    WISP_TRY(const bool worked, handle.engine->step());
    if (handle.events.empty()) {
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
  return is_valid(engine) ? engine->engine->vocabulary() : 0;
}
uint32_t wisp_engine_max_positions(const wisp_engine* engine) {
  return is_valid(engine) ? engine->engine->max_positions() : 0;
}

uint64_t wisp_engine_submit(wisp_engine* engine, const wisp_request* request, wisp_error* error) {
  return answer_number(error, [&] { return with_turn(engine, [&] { return submit(engine, request, std::nullopt); }); });
}

uint64_t wisp_engine_fork(wisp_engine* engine, uint64_t parent, const wisp_request* request, wisp_error* error) {
  return answer_number(error, [&] { return with_turn(engine, [&] { return submit(engine, request, parent); }); });
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
