#include "text/chat/output_parser.h"

#include <algorithm>

#include "text/chat/match.h"
#include "text/utf8.h"

namespace wisp::text {
namespace {

using Event = OutputEvent::Kind;
using jinja::Value;

constexpr std::size_t kMostBlanksHeld = 1024;

}  // namespace

OutputParser::OutputParser(OutputFormat format, const std::vector<Tool>& tools, OutputOptions options)
    : format_(std::move(format)), options_(options), strip_(format_.blank_first) {
  for (const Tool& tool : tools) {
    const auto definition = jinja::parse_json(tool.definition);
    const Value* function = definition ? definition->find("function") : nullptr;
    const Value* parameters = function != nullptr                               ? function->find("parameters")
                              : definition && definition->is(jinja::Kind::dict) ? definition->find("parameters")
                                                                                : nullptr;
    schemas_.insert_or_assign(tool.name, parameters != nullptr ? *parameters : Value::dict());
  }
  const auto add = [&](std::string_view text, Action action, std::size_t index) {
    const std::string_view core = without_blanks(text);
    if (core.empty()) return;
    marks_.push_back({std::string(core), action, index});
    first_byte_[static_cast<unsigned char>(core[0])] = true;
  };
  for (std::size_t i = 0; i < format_.reasoning.size(); ++i) {
    add(format_.reasoning[i].begin, Action::reasoning, i);
    add(format_.reasoning[i].end, Action::reasoning_end, i);
  }
  for (const std::string& mark : format_.ignored) add(mark, Action::ignored, 0);
  if (!options_.calls || format_.calls.payload == Payload::none) return;
  add(format_.calls.section_begin, Action::section, 0);
  for (std::size_t i = 0; i < format_.calls.heads.size(); ++i) {
    if (!format_.calls.heads[i].empty()) add(format_.calls.heads[i].front().text, Action::head, i);
  }
}

void OutputParser::prime(std::string_view prompt_end) {
  std::vector<OutputEvent> unseen;
  priming_ = true;
  feed(prompt_end, unseen);
  priming_ = false;
  if (state_ == State::content && without_blanks(rest()).empty()) take(rest().size());
  if (!begun_) {
    swallow_ = held_.size() + rest().size();
    fresh_ = true;
    if (state_ == State::content) strip_ = format_.blank_first;
    blanks_.clear();
  }
  character_.clear();
}

void OutputParser::feed(std::string_view text, std::vector<OutputEvent>& events) {
  events_ = &events;
  buffer_ += text;
  run();
}

void OutputParser::finish(std::vector<OutputEvent>& events) {
  events_ = &events;
  ending_ = true;
  run();
  switch (state_) {
    case State::content: break;
    case State::reasoning: blanks_.clear(); break;
    case State::section:
    case State::tail: break;
    default:
      if (begun_) {
        fail_call("the text ends inside it");
      } else {
        give_up();
      }
  }
  if (state_ == State::section && !held_.empty()) give_up();
  if (state_ == State::content && !strip_ && !blanks_.empty()) say(Event::content, blanks_);
  flush_character();
}

void OutputParser::run() {
  while (step()) {
  }
  if (at_ > 4096 || at_ == buffer_.size()) {
    buffer_.erase(0, at_);
    at_ = 0;
  }
}

bool OutputParser::step() {
  switch (state_) {
    case State::content: return step_content();
    case State::reasoning: return step_reasoning();
    case State::section: return step_section();
    case State::head: return step_head();
    case State::json: return step_json();
    case State::arguments: return step_arguments();
    case State::argument: return step_argument();
    case State::key:
      if (!step_field(format_.calls.key_end, key_)) return state_ != State::key;
      state_ = State::type;
      if (format_.calls.type_end.empty()) begin_value();
      return true;
    case State::type:
      if (!step_field(format_.calls.type_end, type_)) return state_ != State::type;
      begin_value();
      return true;
    case State::value: return step_value();
    case State::literal: return step_literal();
    case State::tail: return step_tail();
  }
  return false;
}

void OutputParser::hold(std::size_t n) {
  if (!begun_) held_ += rest().substr(0, n);
  take(n);
}

bool OutputParser::skip_blanks() {
  const std::size_t n = std::min(rest().find_first_not_of(kTextBlanks), rest().size());
  hold(n);
  return at_ < buffer_.size() || ending_;
}

// ---- content and reasoning ----

bool OutputParser::step_content() {
  const std::string_view text = rest();
  if (format_.calls.bare && options_.calls && fresh_ && swallow_ == 0) {
    const std::size_t begin = text.find_first_not_of(kTextBlanks);
    if (begin == std::string_view::npos && !ending_ && text.size() < kMostBlanks) return false;
    if (begin != std::string_view::npos && (text[begin] == '{' || text[begin] == '[')) {
      hold(begin);
      enter_head(format_.calls.heads.size());
      return true;
    }
  }
  // Of a text with a form only what stands in front may be marks.
  const bool anywhere = !options_.formed || priming_;
  const std::size_t front = text.find_first_not_of(kTextBlanks);
  for (std::size_t at = 0; at < text.size() && (anywhere || (!said_ && at <= front)); ++at) {
    if (!first_byte_[static_cast<unsigned char>(text[at])]) continue;
    const Mark* best = nullptr;
    std::size_t length = 0;
    bool wait = false;
    const bool start =
        fresh_ && std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), is_text_blank);
    for (const Mark& mark : marks_) {
      if (!start && (mark.action == Action::reasoning_end ||
                     (mark.action == Action::reasoning && format_.reasoning[mark.index].only_at_start))) {
        continue;
      }
      const Match match = match_literal(mark.text, text.substr(at));
      wait |= match.partial;
      if (match.yes && match.length > length) {
        best = &mark;
        length = match.length;
      }
    }
    if (wait && !ending_) {
      say_content(text.substr(0, at));
      take(at);
      return false;
    }
    if (best == nullptr) continue;
    say_content(text.substr(0, at));
    take(at);
    if (best->action == Action::section || best->action == Action::head) {
      held_.clear();
      begun_ = false;
      hold(length);
    } else {
      take(length);
      swallow_ = 0;
    }
    act(*best);
    return true;
  }
  say_content(text);
  take(text.size());
  return false;
}

void OutputParser::act(const Mark& mark) {
  switch (mark.action) {
    case Action::reasoning:
      state_ = State::reasoning;
      reasoning_ = mark.index;
      blanks_.clear();
      strip_ = true;
      break;
    case Action::reasoning_end:
      blanks_.clear();
      strip_ = true;
      break;
    case Action::ignored:
      if (!fresh_) break;
      blanks_.clear();
      strip_ = true;
      break;
    case Action::section:
      in_section_ = true;
      state_ = State::section;
      break;
    case Action::head: enter_head(mark.index); break;
  }
}

bool OutputParser::step_reasoning() {
  const std::string_view text = rest();
  const std::string_view end = without_blanks(format_.reasoning[reasoning_].end);
  for (std::size_t at = text.find(end[0]); at < text.size(); at = text.find(end[0], at + 1)) {
    const Match match = match_literal(end, text.substr(at));
    if (match.yes || (match.partial && !ending_)) {
      say_reasoning(text.substr(0, at));
      take(at + match.length);
      if (!match.yes) return false;
      flush_character();
      state_ = State::content;
      blanks_.clear();
      strip_ = true;
      swallow_ = 0;
      return true;
    }
  }
  say_reasoning(text);
  take(text.size());
  return false;
}

void OutputParser::say_content(std::string_view text) {
  const std::size_t swallowed = std::min(swallow_, text.size());
  swallow_ -= swallowed;
  text.remove_prefix(swallowed);
  if (strip_) text.remove_prefix(std::min(text.find_first_not_of(kTextBlanks), text.size()));
  if (text.empty()) return;
  strip_ = false;
  const std::size_t end = text.find_last_not_of(kTextBlanks) + 1;
  if (end > 0) {
    fresh_ = false;
    said_ = !priming_;
    say(Event::content, blanks_);
    say(Event::content, text.substr(0, end));
    blanks_.clear();
  }
  blanks_ += text.substr(end);
  if (blanks_.size() > kMostBlanksHeld) {
    say(Event::content, blanks_.substr(0, blanks_.size() - kMostBlanksHeld));
    blanks_.erase(0, blanks_.size() - kMostBlanksHeld);
  }
}

void OutputParser::say_reasoning(std::string_view text) {
  if (strip_) text.remove_prefix(std::min(text.find_first_not_of(kTextBlanks), text.size()));
  if (text.empty()) return;
  strip_ = false;
  const std::size_t end = text.find_last_not_of(kTextBlanks) + 1;
  if (end > 0) {
    say(Event::reasoning, blanks_);
    say(Event::reasoning, text.substr(0, end));
    blanks_.clear();
  }
  blanks_ += text.substr(end);
  if (blanks_.size() > kMostBlanksHeld) {
    say(Event::reasoning, blanks_.substr(0, blanks_.size() - kMostBlanksHeld));
    blanks_.erase(0, blanks_.size() - kMostBlanksHeld);
  }
}

// Events hold whole characters; what is no UTF-8 passes as it is.
void OutputParser::say(Event kind, std::string_view text) {
  if (text.empty()) return;
  if (kind != character_kind_) flush_character();
  character_kind_ = kind;
  character_ += text;
  std::size_t whole = character_.size();
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, character_.size()); ++back) {
    const std::size_t at = character_.size() - back;
    if ((static_cast<unsigned char>(character_[at]) & 0xC0u) == 0x80u) continue;
    if (decode_utf8(character_, at).state == Utf8State::incomplete) whole = at;
    break;
  }
  if (whole == 0) return;
  events_->push_back({.kind = kind, .index = n_calls_ == 0 ? 0 : n_calls_ - 1, .text = character_.substr(0, whole)});
  character_.erase(0, whole);
}

void OutputParser::flush_character() {
  if (character_.empty()) return;
  events_->push_back({.kind = character_kind_, .index = n_calls_ == 0 ? 0 : n_calls_ - 1, .text = character_});
  character_.clear();
}

// ---- whole answers ----

void add_event(ParsedOutput& output, const OutputEvent& event) {
  ChatMessage& message = output.message;
  switch (event.kind) {
    case Event::content: message.content += event.text; break;
    case Event::reasoning: message.reasoning += event.text; break;
    case Event::call_begin: message.tool_calls.push_back({event.id, event.name, {}}); break;
    case Event::arguments:
      if (!message.tool_calls.empty()) message.tool_calls.back().arguments += event.text;
      break;
    case Event::call_end: break;
    case Event::error:
      output.errors.push_back(event.text);
      if (!message.tool_calls.empty()) message.tool_calls.pop_back();
      break;
  }
}

ParsedOutput parse_output(const OutputFormat& format, const std::vector<Tool>& tools, std::string_view prompt_end,
                          std::string_view text, const OutputOptions& options) {
  OutputParser parser(format, tools, options);
  parser.prime(prompt_end);
  std::vector<OutputEvent> events;
  parser.feed(text, events);
  parser.finish(events);
  ParsedOutput output;
  output.message.role = "assistant";
  for (const OutputEvent& event : events) add_event(output, event);
  return output;
}

}  // namespace wisp::text
