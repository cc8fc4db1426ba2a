#include "answer_view.h"

#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "output.h"

namespace wisp::cli {
namespace {

// ECMA-48, select graphic rendition: faint, and neither bold nor faint.
constexpr std::string_view kDim = "\x1b[2m", kPlain = "\x1b[22m";

bool is_set(const char* variable) {
  const char* const value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

}  // namespace

AnswerView::AnswerView(text::OutputParser parser, ShowReasoning reasoning, bool silent)
    : parser_(std::move(parser)), silent_(silent) {
  const bool terminal = isatty(STDOUT_FILENO) == 1;
  // Into a pipe goes the answer alone.
  shows_reasoning_ = terminal && reasoning == ShowReasoning::on_terminal;
  dims_ = terminal && !is_set("NO_COLOR");
}

Status AnswerView::end_thought() {
  if (!std::exchange(thinking_, false)) return {};
  return print(dims_ ? fmt::format("{}\n\n", kPlain) : "\n\n");
}

Status AnswerView::show(const std::vector<text::OutputEvent>& events) {
  using Kind = text::OutputEvent::Kind;
  for (const text::OutputEvent& event : events) {
    add_event(parsed_, event);
    if (silent_) continue;
    if (event.kind == Kind::content) {
      WISP_CHECK(end_thought());
      WISP_CHECK(print(event.text));
    } else if (event.kind == Kind::reasoning && shows_reasoning_) {
      if (!std::exchange(thinking_, true) && dims_) WISP_CHECK(print(kDim));
      WISP_CHECK(print(event.text));
    }
  }
  return events.empty() ? Status() : flush_output();
}

Status AnswerView::feed(std::string_view text) {
  std::vector<text::OutputEvent> events;
  parser_.feed(text, events);
  return show(events);
}

Status AnswerView::finish() {
  std::vector<text::OutputEvent> events;
  parser_.finish(events);
  WISP_CHECK(show(events));
  return silent_ ? Status() : end_thought();
}

}  // namespace wisp::cli
