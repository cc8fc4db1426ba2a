#include "text/chat/argument_text.h"

#include <algorithm>
#include <utility>

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
    if (gemma_ && text_.substr(at_).starts_with(kGemmaQuote)) return gemma_string(out);
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
  void blanks() { at_ = std::min(text_.find_first_not_of(kBlanks, at_), text_.size()); }

  bool gemma_string(std::string& out) {
    at_ += kGemmaQuote.size();
    const std::size_t end = text_.find(kGemmaQuote, at_);
    if (end == std::string_view::npos) return false;
    out += json_string(text_.substr(at_, end - at_));
    at_ = end + kGemmaQuote.size();
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
      } else if (gemma_ && text_.substr(at_).starts_with(kGemmaQuote)) {
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

ValueTypes type_of(const Value& value) {
  switch (value.kind()) {
    case Kind::none: return ValueTypes::null;
    case Kind::boolean: return ValueTypes::boolean;
    case Kind::integer:
    case Kind::real: return ValueTypes::number;
    case Kind::string: return ValueTypes::string;
    case Kind::list: return ValueTypes::list;
    case Kind::dict: return ValueTypes::object;
    default: return ValueTypes::any;
  }
}

ValueTypes type_called(const Value& name) {
  constexpr std::pair<std::string_view, ValueTypes> kNames[] = {
      {"string", ValueTypes::string},   {"number", ValueTypes::number}, {"integer", ValueTypes::number},
      {"boolean", ValueTypes::boolean}, {"null", ValueTypes::null},     {"array", ValueTypes::list},
      {"object", ValueTypes::object}};
  for (const auto& [known, type] : kNames) {
    if (name.is(Kind::string) && name.as_text() == known) return type;
  }
  return ValueTypes::any;
}

// What "#/$defs/x" names in `root`.
const Value* referred(const Value& reference, const Value* root) {
  if (root == nullptr || !reference.is(Kind::string) || !reference.as_text().starts_with("#/")) return nullptr;
  std::string_view rest = reference.as_text().substr(1);
  while (root != nullptr && !rest.empty()) {
    const std::size_t end = std::min(rest.find('/', 1), rest.size());
    root = root->is(Kind::dict) ? root->find(rest.substr(1, end - 1)) : nullptr;
    rest.remove_prefix(end);
  }
  return root;
}

// `patience`: schemas that are still looked at, since alternatives multiply and references lead in circles.
ValueTypes types_of(const Value& schema, const Value* root, int& patience) {
  if (--patience < 0 || !schema.is(Kind::dict)) return ValueTypes::any;
  ValueTypes types = ValueTypes::any;
  if (const Value* type = schema.find("type")) {
    if (type->is(Kind::list)) {
      ValueTypes listed = ValueTypes::none;
      for (const Value& name : type->items()) listed = listed | type_called(name);
      types = types & listed;
    } else {
      types = types & type_called(*type);
    }
  }
  if (const Value* constant = schema.find("const")) types = types & type_of(*constant);
  if (const Value* values = schema.find("enum"); values != nullptr && values->is(Kind::list)) {
    ValueTypes listed = ValueTypes::none;
    for (const Value& value : values->items()) listed = listed | type_of(value);
    types = types & listed;
  }
  for (const std::string_view keyword : {"anyOf", "oneOf"}) {
    const Value* ways = schema.find(keyword);
    if (ways == nullptr || !ways->is(Kind::list)) continue;
    ValueTypes either = ValueTypes::none;
    for (const Value& way : ways->items()) either = either | types_of(way, root, patience);
    types = types & either;
  }
  if (const Value* parts = schema.find("allOf"); parts != nullptr && parts->is(Kind::list)) {
    for (const Value& part : parts->items()) types = types & types_of(part, root, patience);
  }
  if (const Value* reference = schema.find("$ref")) {
    if (const Value* target = referred(*reference, root)) types = types & types_of(*target, root, patience);
  }
  return types == ValueTypes::none ? ValueTypes::any : types;
}

// `none` where the schema does not mention the member.
ValueTypes types_of_member(const Value& schema, std::string_view name, const Value* root, int& patience) {
  if (--patience < 0 || !schema.is(Kind::dict)) return ValueTypes::none;
  ValueTypes types = ValueTypes::none;
  const auto both = [&types](ValueTypes more) {
    if (more != ValueTypes::none) types = types == ValueTypes::none ? more : types & more;
  };
  const Value* properties = schema.find("properties");
  const Value* property = properties != nullptr ? properties->find(name) : nullptr;
  if (property == nullptr) property = schema.find("additionalProperties");
  if (property != nullptr && property->is(Kind::dict)) both(types_of(*property, root, patience));
  for (const std::string_view keyword : {"anyOf", "oneOf"}) {
    const Value* ways = schema.find(keyword);
    if (ways == nullptr || !ways->is(Kind::list)) continue;
    ValueTypes either = ValueTypes::none;
    for (const Value& way : ways->items()) either = either | types_of_member(way, name, root, patience);
    both(either);
  }
  if (const Value* parts = schema.find("allOf"); parts != nullptr && parts->is(Kind::list)) {
    for (const Value& part : parts->items()) both(types_of_member(part, name, root, patience));
  }
  if (const Value* reference = schema.find("$ref")) {
    if (const Value* target = referred(*reference, root)) both(types_of_member(*target, name, root, patience));
  }
  return types;
}

bool read_nested(std::string_view& text, std::string_view open, std::string_view close, const Value* schema,
                 const Value* root, std::string& out, int depth) {
  if (depth > kMaxDepth) return false;
  const std::size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
  if (!text.substr(begin).starts_with(open) || text.substr(begin).starts_with(close)) {
    const std::size_t end = std::min(text.find(close), text.size());
    out += argument_json(text.substr(0, end), value_types(schema, root));
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
                     root, out, depth + 1)) {
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

ValueTypes value_types(const Value* schema, const Value* root) {
  int patience = 1000;
  return schema == nullptr ? ValueTypes::any : types_of(*schema, root, patience);
}

ValueTypes member_types(std::string_view name, const Value* root) {
  int patience = 1000;
  const ValueTypes types = root == nullptr ? ValueTypes::none : types_of_member(*root, name, root, patience);
  return types == ValueTypes::none ? ValueTypes::any : types;
}

std::string argument_json(std::string_view text, ValueTypes types) {
  if (types == ValueTypes::string) return json_string(text);
  const std::string_view bare = trimmed(text);
  const bool no_string = !may_be(types, ValueTypes::string);
  if (no_string || may_be(types, ValueTypes::boolean)) {
    if (bare == "True") return "true";
    if (bare == "False") return "false";
  }
  if (bare == "None" && (no_string || (types != ValueTypes::any && may_be(types, ValueTypes::null)))) return "null";
  const auto value = jinja::parse_json(bare);
  if (value && (no_string || (!value->is(Kind::string) && may_be(types, type_of(*value))))) return std::string(bare);
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
                                       const Value* schema, const Value* root) {
  std::string out;
  if (!read_nested(text, open, close, schema, root, out, 0) || !trimmed(text).empty()) return std::nullopt;
  return out;
}

}  // namespace wisp::text
