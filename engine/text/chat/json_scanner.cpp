#include "text/chat/json_scanner.h"

#include "base/format.h"

namespace wisp::text {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool is_scalar(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '+' || c == '.';
}

}  // namespace

JsonScanner::Event JsonScanner::end_value() {
  state_ = open_.empty() ? State::done : State::comma;
  return Event::end;
}

// Where no value is expected: behind one.
JsonScanner::Event JsonScanner::between(char c) {
  if (is_blank(c)) return Event::none;
  if (open_.empty()) return Event::bad;
  const bool object = open_.back() == '{';
  if (c == ',') {
    state_ = object ? State::key : State::value;
    return Event::none;
  }
  if (c != (object ? '}' : ']')) return Event::bad;
  open_.pop_back();
  return end_value();
}

JsonScanner::Event JsonScanner::push(char c) {
  switch (state_) {
    case State::string:
      if (c == '"') {
        if (!string_is_key_) return end_value();
        state_ = State::colon;
        return Event::key;
      }
      if (c == '\\') state_ = State::escape;
      if (keep_text_) text_ += c;
      return Event::none;
    case State::escape:
      state_ = State::string;
      if (keep_text_) text_ += c;
      return Event::none;
    case State::scalar:
      if (is_scalar(c)) return Event::none;
      state_ = State::comma;
      return between(c);
    case State::comma: return between(c);
    case State::colon:
      if (is_blank(c)) return Event::none;
      if (c != ':') return Event::bad;
      state_ = State::value;
      return Event::none;
    case State::first_key:
    case State::key:
      if (is_blank(c)) return Event::none;
      if (c == '}' && state_ == State::first_key) return between(c);
      if (c != '"') return Event::bad;
      state_ = State::string;
      string_is_key_ = true;
      text_.clear();
      return Event::none;
    case State::first_value:
      if (c == ']') return between(c);
      [[fallthrough]];
    case State::value:
      if (is_blank(c)) return Event::none;
      if (c == '"') {
        state_ = State::string;
        string_is_key_ = false;
        text_.clear();
        return Event::begin;
      }
      if (c == '{' || c == '[') {
        if (open_.size() == kMaxDepth) return Event::bad;
        open_ += c;
        state_ = c == '{' ? State::first_key : State::first_value;
        return Event::begin;
      }
      if (open_.empty() || !is_scalar(c)) return Event::bad;
      state_ = State::scalar;
      return Event::begin;
    case State::done: return Event::bad;
  }
  return Event::bad;
}

void append_json_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
          out += c;
        }
    }
  }
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  append_json_escaped(out, text);
  out += '"';
  return out;
}

}  // namespace wisp::text
