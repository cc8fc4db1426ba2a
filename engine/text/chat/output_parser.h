// The text that a model writes, taken apart while it comes: answer, reasoning, tool calls. However the text is cut into
// pieces, also within characters and marks, the events add up to the same. Time is linear in the text, and memory is
// bounded by OutputOptions::max_call_bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/chat/argument_text.h"
#include "text/chat/json_scanner.h"
#include "text/chat/output_format.h"
#include "text/jinja/value.h"

namespace wisp::text {

struct OutputEvent {
  enum class Kind : std::uint8_t {
    content,     // text: more of the answer
    reasoning,   // text: more of what the model thinks
    call_begin,  // index, id, name
    arguments,   // index, text: more of the JSON object
    call_end,    // index: the arguments are a whole JSON object
    error,       // index, text: call `index` was begun and is not a call; a sentence that says why
  };
  Kind kind = Kind::content;
  std::size_t index = 0;
  std::string text = {};
  std::string id = {}, name = {};
};

struct OutputOptions {
  bool calls = true;          // else what looks like a call is content
  std::uint64_t id_seed = 0;  // ids for formats that have none are made of this and the call's index
  std::size_t max_call_bytes = 4u << 20;
  // What is said has a form of its own (AnswerForm of answer_grammar.h): once it has begun, marks in it mean
  // themselves.
  bool formed = false;
};

// What becomes no call stays content, marks included: a call begins when its name is known. Once begun, it either ends
// or fails with an error event, also at the end of the text. Blanks around reasoning and before calls are dropped.
// Its parts are output_parser.cpp (the answer and the reasoning), output_calls.cpp (heads of calls) and
// output_arguments.cpp.
class OutputParser {
 public:
  // `tools` give the types of arguments; where a format does not mark its calls, only these names are calls.
  OutputParser(OutputFormat format, const std::vector<Tool>& tools, OutputOptions options);
  // First: the end of the prompt, which the answer goes on from. It may open reasoning, or a call.
  void prime(std::string_view prompt_end);
  void feed(std::string_view text, std::vector<OutputEvent>& events);
  void finish(std::vector<OutputEvent>& events);

 private:
  enum class State : std::uint8_t {
    content,
    reasoning,
    section,  // in a section or behind a bare call: another call or its end
    head,
    json,
    arguments,
    argument,  // the next key, or the end of the arguments
    key,
    type,
    value,
    literal,  // python and gemma
    tail,
  };
  enum class Action : std::uint8_t { reasoning, reasoning_end, ignored, section, head };
  struct Mark {
    std::string text;
    Action action;
    std::size_t index;
  };

  void run();
  bool step();
  bool step_content();
  bool step_reasoning();
  bool step_section();
  bool step_head();
  bool step_json();
  bool step_arguments();
  bool step_argument();
  bool step_field(std::string_view end, std::string& field);
  bool step_value();
  bool step_literal();
  bool step_tail();

  [[nodiscard]] std::string_view rest() const { return std::string_view(buffer_).substr(at_); }
  void take(std::size_t n) { at_ += n; }
  void hold(std::size_t n);
  bool skip_blanks();  // false: all that is there are blanks, and more may come

  void act(const Mark& mark);
  void enter_head(std::size_t index);
  void enter_payload();
  void enter_json();
  void begin_call(std::string id, std::string name);
  void add_arguments(std::string_view text);
  void end_call();
  void after_call();
  bool give_up();                        // what was held is content
  bool fail_call(std::string_view why);  // the call was begun
  bool json_event(JsonScanner::Event event, char c);
  void begin_value();
  void end_value();
  [[nodiscard]] const jinja::Value* parameters() const;
  [[nodiscard]] ValueTypes types_of_value() const;
  [[nodiscard]] const jinja::Value* schema_of(std::string_view key) const;

  void say_content(std::string_view text);
  void say_reasoning(std::string_view text);
  void say(OutputEvent::Kind kind, std::string_view text);
  void flush_character();

  const OutputFormat format_;
  const OutputOptions options_;
  std::map<std::string, jinja::Value, std::less<>> schemas_;  // of each tool's parameters
  std::vector<Mark> marks_;
  std::array<bool, 256> first_byte_{};

  State state_ = State::content;
  std::string buffer_;  // text that is not decided yet starts at at_
  std::size_t at_ = 0;
  bool ending_ = false;
  std::vector<OutputEvent>* events_ = nullptr;
  std::string character_;  // the start of a character, of kind character_kind_
  OutputEvent::Kind character_kind_ = OutputEvent::Kind::content;

  std::string blanks_;         // at the end of content or reasoning so far
  bool fresh_ = true;          // nothing was said yet
  bool strip_ = false;         // blanks that come next are dropped
  std::size_t swallow_ = 0;    // bytes of the prompt that are no content
  std::size_t reasoning_ = 0;  // which marks
  bool in_section_ = false;

  // The call that is being read.
  std::string held_;  // its text, until it has begun
  bool begun_ = false;
  std::size_t n_calls_ = 0, first_call_ = 0;
  std::size_t head_ = 0, piece_ = 0, tail_ = 0;
  std::string name_, id_, head_text_, call_arguments_, unsaid_;
  JsonScanner scanner_;
  std::string json_key_;
  bool in_arguments_ = false, arguments_are_text_ = false, have_arguments_ = false;
  std::size_t arguments_depth_ = 0, call_depth_ = 0;
  std::string key_, type_, value_;
  std::string value_end_;
  std::size_t n_keys_ = 0, scanned_ = 0;
  bool streaming_ = false;
  int depth_ = 0;
  char quote_ = 0;
  bool priming_ = false;  // what is fed is the end of the prompt
  bool said_ = false;     // content has begun
};

// A whole answer. `errors` are the sentences of error events; such calls are not in the message.
struct ParsedOutput {
  ChatMessage message;
  std::vector<std::string> errors;
};
void add_event(ParsedOutput& output, const OutputEvent& event);
ParsedOutput parse_output(const OutputFormat& format, const std::vector<Tool>& tools, std::string_view prompt_end,
                          std::string_view text, const OutputOptions& options = {});

}  // namespace wisp::text
