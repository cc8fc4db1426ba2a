// The heads of calls: where one begins, what it is called, and what lies between one and the next.
#include <algorithm>
#include <optional>

#include "text/chat/match.h"
#include "text/chat/output_parser.h"

namespace wisp::text {
namespace {

using Event = OutputEvent::Kind;

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

}  // namespace

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

}  // namespace wisp::text
