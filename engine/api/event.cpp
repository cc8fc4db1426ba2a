#include "api/event.h"

#include <cmath>
#include <utility>

#include "api/buffer.h"

using wisp::runtime::FinishReason;

namespace wisp::api {
namespace {

static_assert(static_cast<int>(FinishReason::length) == WISP_FINISH_LENGTH);
static_assert(static_cast<int>(FinishReason::end_token) == WISP_FINISH_END_TOKEN);
static_assert(static_cast<int>(FinishReason::stop_string) == WISP_FINISH_STOP_STRING);
static_assert(static_cast<int>(FinishReason::context) == WISP_FINISH_CONTEXT);
static_assert(static_cast<int>(FinishReason::cancelled) == WISP_FINISH_CANCELLED);
static_assert(static_cast<int>(FinishReason::error) == WISP_FINISH_ERROR);

const Event& event_of(const wisp_event* event) {
  static const Event kNone;
  return is_valid(event) ? event->event : kNone;
}

text::jinja::Value logprobs_of(const Event& event) {
  using text::jinja::Value;
  Value made = Value::dict();
  // Of what cannot come -infinity, which JSON has not.
  const auto number = [](float logprob) { return std::isfinite(logprob) ? Value::real(logprob) : Value::none(); };
  made.set("logprob", number(event.logprob));
  Value top = Value::list();
  for (const sample::TokenLogprob& other : event.top_logprobs) {
    Value entry = Value::dict();
    entry.set("token", Value::integer(other.id));
    entry.set("logprob", number(other.logprob));
    top.append(std::move(entry));
  }
  made.set("top", std::move(top));
  return made;
}

}  // namespace
}  // namespace wisp::api

using wisp::api::Event;
using wisp::api::event_of;

extern "C" {

wisp_event* wisp_event_create(void) { return wisp::api::create<wisp_event>(); }
void wisp_event_destroy(wisp_event* event) { wisp::api::destroy(event); }

wisp_kind wisp_event_kind(const wisp_event* event) { return event_of(event).kind; }
uint64_t wisp_event_request(const wisp_event* event) { return event_of(event).request; }
int32_t wisp_event_token(const wisp_event* event) { return event_of(event).token; }
uint32_t wisp_event_position(const wisp_event* event) { return event_of(event).position; }
const char* wisp_event_text(const wisp_event* event) { return event_of(event).text.c_str(); }
size_t wisp_event_text_size(const wisp_event* event) { return event_of(event).text.size(); }
const float* wisp_event_logits(const wisp_event* event) { return event_of(event).logits.as<float>().data(); }
size_t wisp_event_logit_count(const wisp_event* event) { return event_of(event).logits.as<float>().size(); }
const float* wisp_event_embedding(const wisp_event* event) {
  const Event& told = event_of(event);
  return told.embedding.empty() ? nullptr : told.embedding.data();
}
size_t wisp_event_embedding_count(const wisp_event* event) { return event_of(event).embedding.size(); }
wisp_finish_reason wisp_event_finish_reason(const wisp_event* event) { return event_of(event).reason; }
wisp_status wisp_event_status(const wisp_event* event) { return event_of(event).status; }
const char* wisp_event_message(const wisp_event* event) { return event_of(event).message.c_str(); }

wisp_status wisp_event_logprobs(const wisp_event* event, wisp_buffer* out, wisp_error* error) {
  return wisp::api::answer(error, [&]() -> wisp::Status {
    WISP_CHECK(wisp::api::check(event, "the event"));
    if (!event->event.has_logprobs) {
      return wisp::fail(wisp::Code::not_found,
                        "this event has no probabilities; a token of a request with logprobs has");
    }
    return wisp::api::fill_json(out, wisp::api::logprobs_of(event->event));
  });
}

wisp_status wisp_event_state(const wisp_event* event, wisp_buffer* out, wisp_error* error) {
  return wisp::api::answer(error, [&]() -> wisp::Status {
    WISP_CHECK(wisp::api::check(event, "the event"));
    if (event->event.state == nullptr) {
      return wisp::fail(wisp::Code::not_found, "this event has no state; the end of a request with keep_state has one");
    }
    WISP_TRY(const std::vector<std::byte> bytes, wisp::runtime::write_saved(*event->event.state));
    return wisp::api::fill(out, bytes);
  });
}

uint64_t wisp_event_figure(const wisp_event* event, wisp_figure figure) {
  const wisp::runtime::RequestStats& stats = event_of(event).stats;
  switch (static_cast<int>(figure)) {
    case WISP_FIGURE_PROMPT_TOKENS: return stats.prompt_tokens;
    case WISP_FIGURE_CACHED_TOKENS: return stats.cached_tokens;
    case WISP_FIGURE_GENERATED_TOKENS: return stats.generated_tokens;
    case WISP_FIGURE_PREEMPTIONS: return stats.preemptions;
    case WISP_FIGURE_DRAFTED_TOKENS: return stats.drafted_tokens;
    case WISP_FIGURE_ACCEPTED_TOKENS: return stats.accepted_tokens;
    case WISP_FIGURE_FORCED_TOKENS: return stats.forced_tokens;
    case WISP_FIGURE_SUBMITTED_NS: return stats.submitted_ns;
    case WISP_FIGURE_ADMITTED_NS: return stats.admitted_ns;
    case WISP_FIGURE_FIRST_TOKEN_NS: return stats.first_token_ns;
    case WISP_FIGURE_FINISHED_NS: return stats.finished_ns;
    default: return 0;
  }
}

}  // extern "C"
