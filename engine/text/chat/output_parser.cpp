#include "text/chat/output_parser.h"

#include <algorithm>
#include <optional>

#include "text/chat/argument_text.h"
#include "text/chat/match.h"
#include "text/utf8.h"

namespace wisp::text {
namespace {

using Event = OutputEvent::Kind;
using jinja::Value;

constexpr std::size_t kMostBlanksHeld = 1024;
constexpr std::size_t kLongestField = 256;  // names, ids

bool is_name(std::string_view text) {
  constexpr std::string_view kNever = "<>{}[]()\"'`|,;=";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return static_cast<unsigned char>(c) > ' ' && kNever.find(c) == std::string_view::npos;
  });
}

// Nine letters and digits, which is what the strictest of templates wants.
std::string made_id(std::uint64_t seed, std::size_t index) {
  constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::uint64_t x = seed + 0x9E3779B97F4A7C15u * (index + 1);
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  x ^= x >> 31;
  std::string id(9, '0');
  for (char& c : id) {
    c = kDigits[x % kDigits.size()];
    x /= kDigits.size();
  }
  return id;
}

std::string unescaped(const std::string& raw) {
  const auto value = jinja::parse_json("\"" + raw + "\"");
  return value ? std::string(value->as_text()) : raw;
}

// The longest end of `text` that `literal` may begin with.
std::size_t partial_end(std::string_view text, std::string_view literal) {
  for (std::size_t n = std::min(text.size(), literal.size() - 1); n > 0; --n) {
    if (text.substr(text.size() - n) == literal.substr(0, n)) return n;
  }
  return 0;
}

}  // namespace

OutputParser::OutputParser(OutputFormat format, const std::vector<Tool>& tools, OutputOptions options)
    : format_(std::move(format)), options_(options) {
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
  feed(prompt_end, unseen);
  if (state_ == State::content && without_blanks(rest()).empty()) take(rest().size());
  if (!begun_) {
    swallow_ = held_.size() + rest().size();
    fresh_ = true;
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
  for (std::size_t at = 0; at < text.size(); ++at) {
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

// ---- calls ----

bool OutputParser::give_up() {
  state_ = State::content;
  in_section_ = false;
  const std::string text = std::exchange(held_, {});
  if (!text.empty()) say_content(text);
  if (format_.calls.bare) fresh_ = false;  // what was no call is not looked at again
  return true;
}

bool OutputParser::fail_call(std::string_view why) {
  flush_character();
  const std::string name = name_.empty() ? "" : fmt::format(" of '{}'", printable(name_));
  events_->push_back({.kind = Event::error,
                      .index = n_calls_ - 1,
                      .text = fmt::format("tool call {}{}: {}", n_calls_ - 1, name, why)});
  begun_ = false;
  in_section_ = false;
  state_ = State::content;
  strip_ = true;
  return true;
}

void OutputParser::enter_head(std::size_t index) {
  state_ = State::head;
  head_ = index;
  piece_ = 1;
  begun_ = false;
  name_.clear();
  id_.clear();
  head_text_.clear();
  if (index == format_.calls.heads.size()) enter_payload();
}

void OutputParser::enter_payload() {
  call_arguments_.clear();
  unsaid_.clear();
  scanner_ = {};
  n_keys_ = 0;
  scanned_ = 0;
  depth_ = 0;
  quote_ = 0;
  value_.clear();
  switch (format_.calls.payload) {
    case Payload::none:
    case Payload::json: enter_json(); break;
    case Payload::arguments:
      begin_call(std::move(id_), name_);
      state_ = State::arguments;
      break;
    case Payload::tagged:
      begin_call(std::move(id_), name_);
      add_arguments("{");
      state_ = State::argument;
      break;
    case Payload::python: state_ = State::literal; break;
    case Payload::gemma:
      begin_call(std::move(id_), name_);
      state_ = State::literal;
      break;
  }
}

bool OutputParser::step_section() {
  if (!skip_blanks()) return false;
  const CallFormat& calls = format_.calls;
  const bool first = !held_.empty();
  if (!first && !rest().empty() && (rest()[0] == ',' || rest()[0] == ';')) {
    take(1);
    return true;
  }
  if (calls.bare && !in_section_) {
    if (!rest().empty() && rest()[0] == '{') {
      enter_head(calls.heads.size());
      return true;
    }
    state_ = State::content;
    return true;
  }
  bool wait = false;
  std::optional<std::size_t> head;
  std::size_t length = 0;
  for (std::size_t i = 0; i < calls.heads.size(); ++i) {
    const Match match = match_literal(without_blanks(calls.heads[i].front().text), rest());
    wait |= match.partial;
    if (match.yes && match.length > length) {
      head = i;
      length = match.length;
    }
  }
  const Match end = match_literal(without_blanks(calls.section_end), rest());
  wait |= end.partial;
  if (wait && !ending_) return false;
  if (head && length > end.length) {
    hold(length);
    enter_head(*head);
    return true;
  }
  if (first) return give_up();
  if (end.yes) take(end.length);
  in_section_ = false;
  state_ = State::content;
  return true;
}

bool OutputParser::step_head() {
  const Pattern& head = format_.calls.heads[head_];
  const bool arguments_follow = format_.calls.payload == Payload::arguments;
  if (arguments_follow && name_.empty() && piece_ == 1) {
    // Older models of a family write a list of objects behind the same mark.
    if (!skip_blanks()) return false;
    if (!rest().empty() && (rest()[0] == '[' || rest()[0] == '{')) {
      enter_json();
      return true;
    }
  }
  if (piece_ == head.size()) {
    enter_payload();
    return true;
  }
  const SyntaxPiece& piece = head[piece_];
  if (piece.kind == SyntaxPiece::Kind::literal || piece.kind == SyntaxPiece::Kind::optional) {
    if (!skip_blanks()) return false;
    const Match match = match_literal(without_blanks(piece.text), rest());
    if (match.partial && !ending_) return false;
    if (match.yes) {
      head_text_ += rest().substr(0, match.length);
      hold(match.length);
    } else if (piece.kind == SyntaxPiece::Kind::literal) {
      if (!arguments_follow || name_.empty() || rest().empty() || rest()[0] != '{') return give_up();
      piece_ = head.size();
      return true;
    }
    ++piece_;
    return true;
  }
  // A field: up to the next literal, or to where the payload begins.
  std::vector<std::string_view> ends;
  bool any_follows = false;
  for (std::size_t i = piece_ + 1; i < head.size() && ends.empty(); ++i) {
    any_follows |= head[i].kind == SyntaxPiece::Kind::any;
    if (head[i].kind == SyntaxPiece::Kind::literal) {
      if (const auto end = without_blanks(head[i].text); !end.empty()) ends.push_back(end);
    }
  }
  if (ends.empty() && format_.calls.payload == Payload::tagged) {
    ends.push_back(format_.calls.argument_begin);
    if (!format_.calls.tails.empty()) ends.push_back(format_.calls.tails.front());
  }
  const bool brace_ends = arguments_follow || format_.calls.payload == Payload::gemma || ends.empty();
  const std::string_view text = rest();
  std::size_t at = 0;
  bool found = false;
  for (; at < text.size() && at <= kLongestField; ++at) {
    if (brace_ends && text[at] == '{') found = true;
    if (piece.kind == SyntaxPiece::Kind::name && any_follows && at > 0 &&
        (is_text_blank(text[at]) || text[at] == '<')) {
      found = true;
    }
    for (const std::string_view end : ends) {
      const Match match = match_literal(end, text.substr(at));
      if (match.partial && !ending_) return false;
      found |= match.yes;
    }
    if (found) break;
  }
  if (!found && (ending_ || at > kLongestField)) return give_up();
  if (!found) return false;
  const std::string_view field = without_blanks(text.substr(0, at));
  if (piece.kind == SyntaxPiece::Kind::name) {
    if (!is_name(field)) return give_up();
    name_ = field;
  } else if (piece.kind == SyntaxPiece::Kind::id) {
    id_ = field;
  }
  head_text_ += field;
  // "functions.get_weather:0" is an id as a whole.
  if (piece.kind == SyntaxPiece::Kind::any && piece_ > 1 && head[1].kind == SyntaxPiece::Kind::optional)
    id_ = head_text_;
  hold(at);
  ++piece_;
  return true;
}

void OutputParser::begin_call(std::string id, std::string name) {
  flush_character();
  name_ = name;
  if (id.empty()) id = made_id(options_.id_seed, n_calls_);
  held_.clear();
  blanks_.clear();
  swallow_ = 0;
  begun_ = true;
  fresh_ = false;
  strip_ = true;
  events_->push_back({.kind = Event::call_begin, .index = n_calls_, .id = std::move(id), .name = std::move(name)});
  ++n_calls_;
}

void OutputParser::add_arguments(std::string_view text) {
  call_arguments_ += text;
  if (begun_) say(Event::arguments, text);
}

void OutputParser::end_call() {
  const auto value = jinja::parse_json(call_arguments_);
  if (!value || !value->is(jinja::Kind::dict)) {
    fail_call(value ? std::string("its arguments are not a JSON object")
                    : "its arguments are not JSON: " + value.error().message);
    return;
  }
  flush_character();
  events_->push_back({.kind = Event::call_end, .index = n_calls_ - 1});
  begun_ = false;
  call_arguments_.clear();
  after_call();
}

void OutputParser::after_call() {
  tail_ = 0;
  state_ = State::tail;
}

bool OutputParser::step_tail() {
  const auto& tails = format_.calls.tails;
  begun_ = true;  // nothing is held
  const bool more = skip_blanks();
  begun_ = false;
  if (!more) return false;
  while (tail_ < tails.size()) {
    const Match match = match_literal(without_blanks(tails[tail_]), rest());
    if (match.partial && !ending_) return false;
    ++tail_;
    if (match.yes) {
      take(match.length);
      return true;
    }
  }
  held_.clear();
  state_ = in_section_ || format_.calls.bare ? State::section : State::content;
  return !rest().empty();
}

// ---- payload: json, arguments ----

void OutputParser::enter_json() {
  scanner_ = {};
  state_ = State::json;
  json_key_.clear();
  call_arguments_.clear();
  unsaid_.clear();
  in_arguments_ = have_arguments_ = arguments_are_text_ = false;
  call_depth_ = 0;
  first_call_ = n_calls_;
}

bool OutputParser::step_json() {
  if (rest().empty()) return false;
  if (scanner_.depth() == 0 && is_text_blank(rest()[0])) {
    hold(1);
    return true;
  }
  if (scanner_.depth() == 0 && rest()[0] != '{' && rest()[0] != '[') return give_up();
  while (!rest().empty()) {
    if (held_.size() + call_arguments_.size() > options_.max_call_bytes) {
      return begun_ ? fail_call("it is longer than the limit") : give_up();
    }
    const char c = rest()[0];
    const bool in_string = scanner_.in_string();
    const auto event = scanner_.push(c);
    if (in_arguments_ && !arguments_are_text_ && event != JsonScanner::Event::bad) {
      if (in_string && static_cast<unsigned char>(c) < 0x20) {
        append_json_escaped(unsaid_, std::string_view(&c, 1));
      } else {
        unsaid_ += c;
      }
    }
    hold(1);
    if (!json_event(event, c)) return true;
    if (unsaid_.size() > 512 || rest().empty()) {
      add_arguments(unsaid_);
      unsaid_.clear();
    }
    if (scanner_.done()) {
      if (n_calls_ == first_call_) return give_up();
      held_.clear();
      after_call();
      return true;
    }
  }
  return false;
}

// One byte of a call that is a JSON object; false when the state has changed.
bool OutputParser::json_event(JsonScanner::Event event, char c) {
  using Scan = JsonScanner::Event;
  const CallFormat& calls = format_.calls;
  if (event == Scan::bad) {
    begun_ ? fail_call("its JSON is broken") : give_up();
    return false;
  }
  if (in_arguments_) {
    if (event != Scan::end || scanner_.depth() != arguments_depth_) return true;
    in_arguments_ = false;
    scanner_.keep_text(true);
    if (arguments_are_text_) {
      unsaid_.clear();
      add_arguments(unescaped(scanner_.text()));
    } else {
      add_arguments(unsaid_);
      unsaid_.clear();
    }
    return true;
  }
  if (event == Scan::begin && c == '{') {
    if (call_depth_ == 0 || scanner_.depth() == call_depth_) {
      call_depth_ = scanner_.depth();
      name_.clear();
      id_.clear();
      call_arguments_.clear();
      have_arguments_ = false;
      json_key_.clear();
      return true;
    }
  }
  const std::size_t inner = scanner_.depth() - (event == Scan::begin && (c == '{' || c == '[') ? 1 : 0);
  if (event == Scan::key) {
    json_key_ = inner <= call_depth_ + 1 ? unescaped(scanner_.text()) : std::string();
    if (calls.name_is_key && inner == call_depth_ && name_.empty() && is_name(json_key_)) name_ = json_key_;
    return true;
  }
  const bool near = inner == call_depth_ || inner == call_depth_ + 1;
  const bool names_arguments =
      calls.name_is_key ? json_key_ == name_ && inner == call_depth_
                        : json_key_ == calls.arguments_key || json_key_ == "arguments" || json_key_ == "parameters";
  if (event == Scan::begin && near && names_arguments && !have_arguments_ && (c == '{' || c == '"')) {
    in_arguments_ = have_arguments_ = true;
    arguments_are_text_ = c == '"';
    arguments_depth_ = inner;
    scanner_.keep_text(arguments_are_text_);
    if (!arguments_are_text_) unsaid_ = "{";
  }
  if (event == Scan::end && c == '"' && near && !calls.name_is_key) {
    if (json_key_ == calls.name_key || json_key_ == "name") name_ = unescaped(scanner_.text());
    if (!calls.id_key.empty() && json_key_ == calls.id_key) id_ = unescaped(scanner_.text());
  }
  const bool closes = event == Scan::end && c == '}' && scanner_.depth() + 1 == call_depth_;
  // Unmarked objects are calls once they have a known name and arguments; others once they have a name.
  const bool known = !calls.bare || schemas_.empty() || schemas_.contains(name_);
  const bool id_may_follow = !calls.id_key.empty() && id_.empty();
  if (!begun_ && is_name(name_) && known && (have_arguments_ || (closes && !calls.bare)) &&
      (!id_may_follow || closes)) {
    const std::string early = call_arguments_;
    begin_call(std::move(id_), name_);
    call_arguments_.clear();
    add_arguments(early);
  }
  if (!closes) return true;
  if (!begun_) {
    give_up();
    return false;
  }
  if (!have_arguments_) add_arguments("{}");
  const State before = state_;
  end_call();
  if (state_ == State::content) return false;
  state_ = before;
  name_.clear();
  have_arguments_ = false;
  return true;
}

bool OutputParser::step_arguments() {
  if (scanner_.depth() == 0) {
    if (!skip_blanks()) return false;
    if (rest().empty()) return false;
    if (rest()[0] != '{') {
      add_arguments("{}");  // a call without any
      end_call();
      return true;
    }
  }
  std::string text;
  std::size_t n = 0;
  bool bad = false;
  while (n < rest().size() && !scanner_.done() && !bad) {
    const char c = rest()[n++];
    const bool in_string = scanner_.in_string();
    scanner_.keep_text(false);
    bad = scanner_.push(c) == JsonScanner::Event::bad;
    if (in_string && static_cast<unsigned char>(c) < 0x20) {
      append_json_escaped(text, std::string_view(&c, 1));
    } else {
      text += c;
    }
  }
  take(n);
  if (bad) return fail_call("its arguments are not JSON");
  add_arguments(text);
  if (call_arguments_.size() > options_.max_call_bytes) return fail_call("it is longer than the limit");
  if (!scanner_.done()) return false;
  end_call();
  return true;
}

// ---- payload: tagged ----

bool OutputParser::step_argument() {
  if (!skip_blanks()) return false;
  const CallFormat& calls = format_.calls;
  const Match begin = match_literal(without_blanks(calls.argument_begin), rest());
  const Match end = match_literal(calls.tails.empty() ? std::string_view("\n") : calls.tails.front(), rest());
  if ((begin.partial || end.partial) && !ending_) return false;
  if (end.yes && end.length >= begin.length) {
    add_arguments("}");
    end_call();
    return true;
  }
  if (!begin.yes) return fail_call("neither another argument nor its end follows");
  take(begin.length);
  key_.clear();
  type_.clear();
  state_ = State::key;
  return true;
}

// The text up to `end`, which is taken too.
bool OutputParser::step_field(std::string_view end, std::string& field) {
  const std::string_view literal = without_blanks(end);
  const std::string_view text = rest();
  for (std::size_t at = 0; at < text.size() && at <= kLongestField; ++at) {
    const Match match = match_literal(literal, text.substr(at));
    if (match.partial && !ending_) return false;
    if (!match.yes) continue;
    field = without_blanks(text.substr(0, at));
    take(at + match.length);
    return true;
  }
  if (text.size() > kLongestField || ending_) fail_call("the name of an argument has no end");
  return false;
}

const Value* OutputParser::schema_of(std::string_view key) const {
  const auto tool = schemas_.find(name_);
  const Value* properties = tool == schemas_.end() ? nullptr : tool->second.find("properties");
  return properties == nullptr ? nullptr : properties->find(key);
}

void OutputParser::begin_value() {
  state_ = State::value;
  const CallFormat& calls = format_.calls;
  add_arguments((n_keys_++ > 0 ? ", " : "") + json_string(key_) + ": ");
  ArgumentType type = argument_type(schema_of(key_));
  if (!calls.type_end.empty()) type = type_ == calls.string_type ? ArgumentType::string : ArgumentType::other;
  streaming_ = type == ArgumentType::string;
  value_.clear();
  scanned_ = 0;
  value_end_ = without_blanks(calls.value_end);
  if (calls.ends_with_key) value_end_ += key_ + calls.after_end_key;
}

bool OutputParser::step_value() {
  constexpr std::string_view kCdata = "<![CDATA[", kCdataEnd = "]]>";
  const std::string_view text = rest();
  if (scanned_ == 0 && value_.empty()) {
    // A line end in front of the value, and how it is quoted.
    std::string_view start = text;
    std::size_t padding = 0;
    if (start.starts_with("\r\n"))
      padding = 2;
    else if (start.starts_with('\n'))
      padding = 1;
    if (start.empty() || (start == "\r" && !ending_)) return false;
    start.remove_prefix(padding);
    if (kCdata.starts_with(start.substr(0, kCdata.size())) && start.size() < kCdata.size() && !ending_) return false;
    if (format_.calls.padded) take(padding);
    scanned_ = 1;
    if (start.starts_with(kCdata)) {
      if (!format_.calls.padded) take(padding);
      take(kCdata.size());
      value_end_ = kCdataEnd;
      value_end_ += without_blanks(format_.calls.value_end);
    }
    if (streaming_) add_arguments("\"");
    return true;
  }
  const std::size_t end = text.find(value_end_);
  std::size_t n = end;
  if (end == std::string_view::npos) {
    n = text.size() - partial_end(text, value_end_);
    // The line end that may belong to the end.
    for (int i = 0; i < 2 && n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'); ++i) --n;
  }
  std::string_view piece = text.substr(0, n);
  if (end != std::string_view::npos && format_.calls.padded) {
    if (piece.ends_with('\n')) piece.remove_suffix(1);
    if (piece.ends_with('\r')) piece.remove_suffix(1);
  }
  if (streaming_) {
    std::string escaped;
    append_json_escaped(escaped, piece);
    add_arguments(escaped);
  } else {
    value_ += piece;
  }
  take(n);
  if (call_arguments_.size() + value_.size() > options_.max_call_bytes) {
    return fail_call("it is longer than the limit");
  }
  if (end == std::string_view::npos) return false;
  take(value_end_.size());
  end_value();
  state_ = State::argument;
  return true;
}

void OutputParser::end_value() {
  if (streaming_) {
    add_arguments("\"");
    return;
  }
  const CallFormat& calls = format_.calls;
  const Value* schema = schema_of(key_);
  if (calls.ends_with_key) {
    const std::string close(without_blanks(calls.value_end));
    const std::string open = close.substr(0, close.size() - 1);  // "</" and "<"
    if (without_blanks(value_).starts_with(open)) {
      if (const auto nested = nested_json(value_, open, close, schema)) {
        add_arguments(*nested);
        return;
      }
    }
  }
  ArgumentType type = argument_type(schema);
  if (!calls.type_end.empty()) type = ArgumentType::other;
  add_arguments(argument_json(value_, type));
}

// ---- payload: python, gemma ----

bool OutputParser::step_literal() {
  constexpr std::string_view kQuote = "<|\"|>";
  const bool gemma = format_.calls.payload == Payload::gemma;
  if (value_.empty() && !gemma) {
    if (!skip_blanks() || rest().empty()) return false;
    const std::size_t next = rest().find_first_not_of(kTextBlanks, 1);
    if (rest()[0] == '[' && next == std::string_view::npos && !ending_) return false;
    if (rest()[0] == '{' || (rest()[0] == '[' && next != std::string_view::npos && rest()[next] == '{')) {
      enter_json();
      return true;
    }
  }
  const std::string_view text = rest();
  std::size_t n = 0;
  bool ended = false;
  while (n < text.size() && !ended) {
    const char c = text[n];
    if (gemma && c == '<') {
      const Match match = match_literal(kQuote, text.substr(n));
      if (match.partial && !ending_) break;
      if (match.yes) {
        quote_ = quote_ == 0 ? 'q' : '\0';
        n += match.length;
        continue;
      }
    }
    ++n;
    if (quote_ != 0) {
      if (gemma) continue;
      if (quote_ == '\\') {
        quote_ = key_.empty() ? '"' : key_[0];
      } else if (c == '\\') {
        key_ = quote_;
        quote_ = '\\';
      } else if (c == quote_) {
        quote_ = 0;
      }
    } else if (!gemma && (c == '"' || c == '\'')) {
      quote_ = c;
    } else if (c == '{' || c == '[' || c == '(') {
      ++depth_;
    } else if (c == '}' || c == ']' || c == ')') {
      ended = --depth_ <= 0;
    }
  }
  value_ += text.substr(0, n);
  hold(n);
  if (value_.size() > options_.max_call_bytes) {
    return begun_ ? fail_call("it is longer than the limit") : give_up();
  }
  if (!ended) return false;
  if (gemma) {
    const auto arguments = gemma_json(value_);
    if (!arguments) return fail_call("its arguments cannot be read");
    add_arguments(*arguments);
    end_call();
    return true;
  }
  const auto calls = read_python_calls(value_);
  if (!calls || calls->empty()) return give_up();
  if (format_.calls.bare && !schemas_.empty() &&
      !std::all_of(calls->begin(), calls->end(), [&](const ToolCall& call) { return schemas_.contains(call.name); })) {
    return give_up();
  }
  for (const ToolCall& call : *calls) {
    call_arguments_.clear();
    begin_call({}, call.name);
    add_arguments(call.arguments);
    end_call();
  }
  return true;
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
