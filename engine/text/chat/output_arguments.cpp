// The arguments of calls, whatever they are written as, become JSON.
#include <algorithm>

#include "text/chat/argument_text.h"
#include "text/chat/match.h"
#include "text/chat/output_parser.h"

namespace wisp::text {
namespace {

using Event = OutputEvent::Kind;
using jinja::Value;

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

const Value* OutputParser::parameters() const {
  const auto tool = schemas_.find(name_);
  return tool == schemas_.end() ? nullptr : &tool->second;
}

const Value* OutputParser::schema_of(std::string_view key) const {
  const Value* root = parameters();
  const Value* properties = root != nullptr && root->is(jinja::Kind::dict) ? root->find("properties") : nullptr;
  return properties != nullptr && properties->is(jinja::Kind::dict) ? properties->find(key) : nullptr;
}

ValueTypes OutputParser::types_of_value() const { return member_types(key_, parameters()); }

void OutputParser::begin_value() {
  state_ = State::value;
  const CallFormat& calls = format_.calls;
  add_arguments((n_keys_++ > 0 ? ", " : "") + json_string(key_) + ": ");
  const bool is_string = calls.type_end.empty() ? types_of_value() == ValueTypes::string : type_ == calls.string_type;
  streaming_ = is_string;
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
  if (calls.ends_with_key) {
    const std::string close(without_blanks(calls.value_end));
    const std::string open = close.substr(0, close.size() - 1);  // "</" and "<"
    if (without_blanks(value_).starts_with(open)) {
      if (const auto nested = nested_json(value_, open, close, schema_of(key_), parameters())) {
        add_arguments(*nested);
        return;
      }
    }
  }
  constexpr auto kNoString = static_cast<ValueTypes>(static_cast<unsigned>(ValueTypes::any) ^ 1u);
  add_arguments(argument_json(value_, calls.type_end.empty() ? types_of_value() : kNoString));
}

// ---- payload: python, gemma ----

bool OutputParser::step_literal() {
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
      const Match match = match_literal(kGemmaQuote, text.substr(n));
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

}  // namespace wisp::text
