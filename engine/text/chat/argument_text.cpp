#include "text/chat/argument_text.h"

#include "text/chat/json_scanner.h"
#include "text/utf8.h"

namespace wisp::text {
namespace {

using jinja::Kind;
using jinja::Value;

constexpr std::string_view kBlanks = " \t\r\n";
constexpr int kMaxDepth = 60;

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// Reads Python's literals, and with other quotes Gemma's.
class LiteralReader {
 public:
  LiteralReader(std::string_view text, bool gemma) : text_(text), gemma_(gemma) {}

  bool value(std::string& out, int depth) {
    if (depth > kMaxDepth) return false;
    blanks();
    if (at_ == text_.size()) return false;
    if (gemma_ && text_.substr(at_).starts_with(kQuote)) return gemma_string(out);
    const char c = text_[at_];
    if (c == '"' || c == '\'') return string(out);
    if (c == '{') return object(out, depth);
    if (c == '[' || c == '(') return list(out, depth);
    return word(out);
  }
  bool call(ToolCall& made) {
    blanks();
    const std::size_t begin = at_;
    while (at_ < text_.size() && (is_word(text_[at_]) || text_[at_] == '.' || text_[at_] == '-')) ++at_;
    made.name = text_.substr(begin, at_ - begin);
    if (made.name.empty() || !take('(')) return false;
    made.arguments = "{";
    while (!take(')')) {
      if (made.arguments.size() > 1) {
        if (!take(',')) return false;
        made.arguments += ", ";
        if (take(')')) return false;
      }
      blanks();
      const std::size_t key = at_;
      while (at_ < text_.size() && is_word(text_[at_])) ++at_;
      if (at_ == key) return false;
      made.arguments += json_string(text_.substr(key, at_ - key)) + ": ";
      if (!take('=') || !value(made.arguments, 0)) return false;
    }
    made.arguments += "}";
    return true;
  }
  bool take(char c) {
    blanks();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool at_end() {
    blanks();
    return at_ == text_.size();
  }

 private:
  static constexpr std::string_view kQuote = "<|\"|>";

  void blanks() { at_ = std::min(text_.find_first_not_of(kBlanks, at_), text_.size()); }

  bool gemma_string(std::string& out) {
    at_ += kQuote.size();
    const std::size_t end = text_.find(kQuote, at_);
    if (end == std::string_view::npos) return false;
    out += json_string(text_.substr(at_, end - at_));
    at_ = end + kQuote.size();
    return true;
  }

  bool string(std::string& out) {
    const char quote = text_[at_++];
    out += '"';
    while (at_ < text_.size()) {
      char c = text_[at_++];
      if (c == quote) {
        out += '"';
        return true;
      }
      if (c == '\\' && at_ < text_.size()) {
        c = text_[at_++];
        const int digits = c == 'x' ? 2 : c == 'u' ? 4 : 0;
        if (digits > 0) {
          const std::string_view hex = text_.substr(at_, static_cast<std::size_t>(digits));
          if (hex.size() != static_cast<std::size_t>(digits) ||
              hex.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) {
            return false;
          }
          out += digits == 4 ? "\\u" : "\\u00";
          out += hex;
          at_ += hex.size();
          continue;
        }
        constexpr std::string_view kFrom = "ntrbf0", kTo = "\n\t\r\b\f\0";
        if (const std::size_t which = kFrom.find(c); which < kFrom.size() - 1) {
          c = kTo[which];
        } else if (c != '\\' && c != '\'' && c != '"' && c != '/') {
          append_json_escaped(out, "\\");  // Python keeps what it does not know
        }
      }
      append_json_escaped(out, std::string_view(&c, 1));
    }
    return false;
  }

  bool list(std::string& out, int depth) {
    const char end = text_[at_++] == '(' ? ')' : ']';
    out += '[';
    for (bool first = true; !take(end); first = false) {
      if (!first) {
        if (!take(',')) return false;
        if (take(end)) break;
        out += ", ";
      }
      if (!value(out, depth + 1)) return false;
    }
    out += ']';
    return true;
  }

  bool object(std::string& out, int depth) {
    ++at_;
    out += '{';
    for (bool first = true; !take('}'); first = false) {
      if (!first) {
        if (!take(',')) return false;
        if (take('}')) break;
        out += ", ";
      }
      blanks();
      if (at_ == text_.size()) return false;
      if (text_[at_] == '"' || text_[at_] == '\'') {
        if (!string(out)) return false;
      } else if (gemma_ && text_.substr(at_).starts_with(kQuote)) {
        if (!gemma_string(out)) return false;
      } else {
        const std::size_t end = std::min(text_.find_first_of(":,}", at_), text_.size());
        const std::string_view key = trimmed(text_.substr(at_, end - at_));
        if (key.empty()) return false;
        out += json_string(key);
        at_ = end;
      }
      if (!take(':')) return false;
      out += ": ";
      if (!value(out, depth + 1)) return false;
    }
    out += '}';
    return true;
  }

  bool word(std::string& out) {
    const std::size_t end = std::min(text_.find_first_of(",}])", at_), text_.size());
    const std::string_view text = trimmed(text_.substr(at_, end - at_));
    at_ = end;
    if (text == "True" || text == "true") {
      out += "true";
    } else if (text == "False" || text == "false") {
      out += "false";
    } else if (text == "None" || text == "null" || text == "none") {
      out += "null";
    } else {
      const bool number = !text.empty() && jinja::parse_json(text).has_value();
      if (!number && (!gemma_ || text.empty())) return false;
      out += number ? std::string(text) : json_string(text);
    }
    return true;
  }

  std::string_view text_;
  bool gemma_;
  std::size_t at_ = 0;
};

bool read_nested(std::string_view& text, std::string_view open, std::string_view close, const Value* schema,
                 std::string& out, int depth) {
  if (depth > kMaxDepth) return false;
  const std::size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
  if (!text.substr(begin).starts_with(open) || text.substr(begin).starts_with(close)) {
    const std::size_t end = std::min(text.find(close), text.size());
    out += argument_json(text.substr(0, end), argument_type(schema));
    text.remove_prefix(end);
    return true;
  }
  text.remove_prefix(begin);
  const Value* items = schema != nullptr ? schema->find("items") : nullptr;
  const Value* properties = schema != nullptr ? schema->find("properties") : nullptr;
  bool list = false;
  for (bool first = true; text.starts_with(open) && !text.starts_with(close); first = false) {
    text.remove_prefix(open.size());
    const std::size_t end = text.find('>');
    if (end == std::string_view::npos || end == 0) return false;
    const std::string_view key = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (first) list = key == "item" && properties == nullptr;
    out += first ? (list ? "[" : "{") : ", ";
    if (!list) out += json_string(key) + ": ";
    if (!read_nested(text, open, close,
                     list                    ? items
                     : properties != nullptr ? properties->find(key)
                                             : nullptr,
                     out, depth + 1)) {
      return false;
    }
    if (!text.starts_with(close)) return false;
    text.remove_prefix(close.size());
    if (!text.starts_with(key) || !text.substr(key.size()).starts_with('>')) return false;
    text.remove_prefix(key.size() + 1);
    text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  }
  out += list ? ']' : '}';
  return true;
}

}  // namespace

ArgumentType argument_type(const Value* schema) {
  if (schema == nullptr || !schema->is(Kind::dict)) return ArgumentType::unknown;
  const Value* type = schema->find("type");
  if (type == nullptr || !type->is(Kind::string)) return ArgumentType::unknown;
  return type->as_text() == "string" ? ArgumentType::string : ArgumentType::other;
}

std::string argument_json(std::string_view text, ArgumentType type) {
  if (type != ArgumentType::string) {
    const std::string_view bare = trimmed(text);
    if (bare == "True") return "true";
    if (bare == "False") return "false";
    if (bare == "None" && type == ArgumentType::other) return "null";
    const auto value = jinja::parse_json(bare);
    if (value && (type == ArgumentType::other || !value->is(Kind::string))) return std::string(bare);
  }
  return json_string(text);
}

std::optional<std::vector<ToolCall>> read_python_calls(std::string_view text) {
  LiteralReader reader(text, false);
  const bool list = reader.take('[');
  std::vector<ToolCall> calls;
  do {
    if (list && !calls.empty() && reader.take(']')) return reader.at_end() ? std::optional(calls) : std::nullopt;
    ToolCall call;
    if (!reader.call(call)) return std::nullopt;
    calls.push_back(std::move(call));
  } while (reader.take(','));
  if (list && !reader.take(']')) return std::nullopt;
  return reader.at_end() ? std::optional(std::move(calls)) : std::nullopt;
}

std::optional<std::string> gemma_json(std::string_view text) {
  LiteralReader reader(text, true);
  std::string out;
  if (!reader.value(out, 0) || !reader.at_end()) return std::nullopt;
  return out;
}

std::optional<std::string> nested_json(std::string_view text, std::string_view open, std::string_view close,
                                       const Value* schema) {
  std::string out;
  if (!read_nested(text, open, close, schema, out, 0) || !trimmed(text).empty()) return std::nullopt;
  return out;
}

}  // namespace wisp::text
