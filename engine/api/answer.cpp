// A wisp_answer: what a model writes, taken apart while it comes.
#include <memory>
#include <utility>
#include <vector>

#include "api/buffer.h"
#include "api/handle.h"
#include "api/opened_model.h"
#include "text/chat/output_parser.h"

struct wisp_answer : wisp::api::Tagged<wisp::api::Tag::answer> {
  explicit wisp_answer(wisp::text::OutputParser made) : parser(std::move(made)) {}
  wisp::text::OutputParser parser;
  wisp::text::ParsedOutput whole;
  bool ended = false;
};

namespace wisp::api {
namespace {

using text::OutputEvent;
using text::jinja::Value;

Value event_json(const OutputEvent& event) {
  using Kind = OutputEvent::Kind;
  Value made = Value::dict();
  const auto of_call = [&](std::string_view type) {
    made.set("type", json_text(type));
    made.set("index", json_count(event.index));
  };
  switch (event.kind) {
    case Kind::content: made.set("type", json_text("content")); break;
    case Kind::reasoning: made.set("type", json_text("reasoning")); break;
    case Kind::call_begin:
      of_call("call_begin");
      made.set("id", json_text(event.id));
      made.set("name", json_text(event.name));
      return made;
    case Kind::arguments: of_call("arguments"); break;
    case Kind::call_end: of_call("call_end"); return made;
    case Kind::error: of_call("error"); break;
  }
  made.set("text", json_text(event.text));
  return made;
}

// Adds `events` to the whole, and gives them as JSON.
Status tell(wisp_answer& answer, const std::vector<OutputEvent>& events, wisp_buffer* out) {
  Value list = Value::list();
  for (const OutputEvent& event : events) {
    add_event(answer.whole, event);
    list.append(event_json(event));
  }
  return fill_json(out, list);
}

Value message_json(const text::ParsedOutput& parsed) {
  Value made = Value::dict();
  made.set("role", json_text("assistant"));
  made.set("content", json_text(parsed.message.content));
  if (!parsed.message.reasoning.empty()) made.set("reasoning_content", json_text(parsed.message.reasoning));
  if (!parsed.message.tool_calls.empty()) {
    Value calls = Value::list();
    for (const text::ToolCall& call : parsed.message.tool_calls) {
      Value function = Value::dict();
      function.set("name", json_text(call.name));
      function.set("arguments", json_text(call.arguments));
      Value one = Value::dict();
      one.set("id", json_text(call.id));
      one.set("type", json_text("function"));
      one.set("function", std::move(function));
      calls.append(std::move(one));
    }
    made.set("tool_calls", std::move(calls));
  }
  if (!parsed.errors.empty()) {
    Value errors = Value::list();
    for (const std::string& error : parsed.errors) errors.append(json_text(error));
    made.set("errors", std::move(errors));
  }
  return made;
}

}  // namespace
}  // namespace wisp::api

using namespace wisp::api;  // NOLINT(google-build-using-namespace): the functions below are its outer side
using wisp::Code;
using wisp::Result;
using wisp::Status;

extern "C" {

wisp_answer* wisp_answer_create(const wisp_model* model, const char* request, size_t length, wisp_error* error) {
  return answer_handle(error, [&]() -> Result<std::unique_ptr<wisp_answer>> {
    WISP_CHECK(check(model, "the model"));
    WISP_TRY(const std::string_view json, text_argument("the request", request, length));
    WISP_TRY(wisp::text::OutputParser parser, model->opened->answer_parser(json));
    return std::make_unique<wisp_answer>(std::move(parser));
  });
}

void wisp_answer_destroy(wisp_answer* answer) { destroy(answer); }

wisp_status wisp_answer_feed(wisp_answer* parsed, const char* text, size_t length, wisp_buffer* out,
                             wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(parsed, "the answer"));
    WISP_CHECK(check(out, "the buffer"));
    WISP_TRY(const std::string_view piece, text_argument("the text", text, length));
    if (parsed->ended) return wisp::fail(Code::invalid_argument, "the answer was finished");
    std::vector<wisp::text::OutputEvent> events;
    parsed->parser.feed(piece, events);
    return tell(*parsed, events, out);
  });
}

wisp_status wisp_answer_finish(wisp_answer* parsed, wisp_buffer* out, wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(parsed, "the answer"));
    WISP_CHECK(check(out, "the buffer"));
    if (parsed->ended) return wisp::fail(Code::invalid_argument, "the answer was finished");
    parsed->ended = true;
    std::vector<wisp::text::OutputEvent> events;
    parsed->parser.finish(events);
    return tell(*parsed, events, out);
  });
}

wisp_status wisp_answer_message(const wisp_answer* parsed, wisp_buffer* out, wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(parsed, "the answer"));
    WISP_CHECK(check(out, "the buffer"));
    return fill_json(out, message_json(parsed->whole));
  });
}

}  // extern "C"
