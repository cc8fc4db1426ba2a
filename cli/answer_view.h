// An answer as a person reads it: what the model says as it is, what it thinks dimmed, calls of tools as calls.
#pragma once

#include <string_view>

#include "base/result.h"
#include "text/chat/output_parser.h"

namespace wisp::cli {

enum class ShowReasoning : std::uint8_t { on_terminal, never };

class AnswerView {
 public:
  // `parser` has seen the end of the prompt. `silent`: nothing is printed, all is kept.
  AnswerView(text::OutputParser parser, ShowReasoning reasoning, bool silent);

  // Takes the next text apart, and prints what became certain. A failure of stdout.
  Status feed(std::string_view text);
  Status finish();
  // All so far.
  [[nodiscard]] const text::ParsedOutput& parsed() const { return parsed_; }

 private:
  Status show(const std::vector<text::OutputEvent>& events);
  Status end_thought();

  text::OutputParser parser_;
  text::ParsedOutput parsed_;
  bool silent_, shows_reasoning_, dims_;
  bool thinking_ = false;
};

}  // namespace wisp::cli
