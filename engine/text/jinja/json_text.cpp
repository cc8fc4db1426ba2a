#include "text/jinja/json_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

#include "text/jinja/lexer.h"
#include "text/jinja/operators.h"
#include "text/jinja/sort.h"
#include "text/jinja/utf8.h"

namespace wisp::text::jinja {
namespace {

void append_escaped_unit(std::uint32_t unit, std::string& out) { out += fmt::format("\\u{:04x}", unit); }

void append_json_string(std::string_view text, bool ascii, std::string& out) {
  out.push_back('"');
  while (!text.empty()) {
    const std::string_view character = text.substr(0, character_bytes(text));
    text.remove_prefix(character.size());
    const char32_t c = code_point(character);
    switch (c) {
      case '"': out += "\\\""; continue;
      case '\\': out += "\\\\"; continue;
      case '\n': out += "\\n"; continue;
      case '\r': out += "\\r"; continue;
      case '\t': out += "\\t"; continue;
      case '\b': out += "\\b"; continue;
      case '\f': out += "\\f"; continue;
      default: break;
    }
    if (c >= 0x20 && (c < 0x7F || !ascii)) {
      out += character;
    } else if (c < 0x10000) {
      append_escaped_unit(c, out);
    } else {
      append_escaped_unit(0xD800 + ((c - 0x10000) >> 10), out);
      append_escaped_unit(0xDC00 + ((c - 0x10000) & 0x3FF), out);
    }
  }
  out.push_back('"');
}

std::string json_number(const Value& value) {
  if (value.is(Kind::boolean)) return value.as_boolean() ? "true" : "false";
  if (value.is(Kind::integer)) return fmt::format("{}", value.as_integer());
  if (std::isnan(value.as_real())) return "NaN";
  if (std::isinf(value.as_real())) return value.as_real() < 0 ? "-Infinity" : "Infinity";
  return real_to_text(value.as_real());
}

class JsonWriter {
 public:
  JsonWriter(Context& context, const JsonStyle& style) : context_(context), style_(style) {}

  Status write(const Value& value) {
    const Context::Level level(context_);
    WISP_CHECK(level.ok());
    WISP_CHECK(context_.spend());
    switch (value.kind()) {
      case Kind::none: out_ += "null"; break;
      case Kind::boolean:
      case Kind::integer:
      case Kind::real: out_ += json_number(value); break;
      case Kind::string: WISP_CHECK(write_string(value.as_text())); break;
      case Kind::list:
      case Kind::tuple:
      case Kind::generator:  // Python refuses these, and templates that were only ever run elsewhere hold them
        return write_items(value.items());
      case Kind::dict: return write_entries(*value.as_dict());
      default: return fail(Code::invalid_argument, "Object of type {} is not JSON serializable", type_name(value));
    }
    return {};
  }

  std::string take() { return std::move(out_); }

 private:
  Status write_string(std::string_view text) {
    WISP_CHECK(context_.spend_bytes(text.size()));
    append_json_string(text, style_.ascii, out_);
    return check_size();
  }

  Status check_size() {
    if (out_.size() > context_.limits().max_output_bytes) return context_.spend_bytes(out_.size());
    return {};
  }

  Status start_line() {
    if (!style_.indent) return {};
    WISP_CHECK(context_.spend_bytes(depth_ * style_.indent->size()));
    out_.push_back('\n');
    for (std::size_t i = 0; i < depth_; ++i) out_ += *style_.indent;
    return check_size();
  }

  Status write_items(const std::vector<Value>& items) {
    if (items.empty()) {
      out_ += "[]";
      return {};
    }
    out_.push_back('[');
    ++depth_;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += style_.item_separator;
      WISP_CHECK(start_line());
      WISP_CHECK(write(items[i]));
    }
    --depth_;
    WISP_CHECK(start_line());
    out_.push_back(']');
    return check_size();
  }

  Status write_entries(const Dict& dict) {
    if (dict.size() == 0) {
      out_ += "{}";
      return {};
    }
    std::vector<Value> keys;
    WISP_CHECK(context_.spend(dict.size()));
    for (const auto& [key, value] : dict.entries()) keys.push_back(key);
    if (style_.sort_keys) {
      WISP_CHECK(sort_values(context_, keys, keys, false));
    }
    out_.push_back('{');
    ++depth_;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (i > 0) out_ += style_.item_separator;
      WISP_CHECK(start_line());
      const std::string number = keys[i].is(Kind::none) ? "null" : json_number(keys[i]);
      WISP_CHECK(write_string(keys[i].is(Kind::string) ? keys[i].as_text() : std::string_view(number)));
      out_ += style_.key_separator;
      WISP_CHECK(write(*dict.find(keys[i])));
    }
    --depth_;
    WISP_CHECK(start_line());
    out_.push_back('}');
    return check_size();
  }

  Context& context_;
  const JsonStyle& style_;
  std::size_t depth_ = 0;
  std::string out_;
};

// RFC 8259.
class JsonParser {
 public:
  JsonParser(std::string_view text, std::uint32_t max_depth) : text_(text), max_depth_(max_depth) {}

  Result<Value> parse_text() {
    WISP_TRY(Value value, parse_value());
    skip_blanks();
    if (at_ < text_.size()) return refuse("text after the end of the JSON value");
    return value;
  }

 private:
  std::unexpected<Error> refuse(std::string_view what) {
    return fail(Code::invalid_argument, "{}: {}", place(text_, static_cast<std::uint32_t>(at_)), what);
  }

  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
      ++at_;
  }

  bool skip(char c) {
    const bool there = at_ < text_.size() && text_[at_] == c;
    if (there) ++at_;
    return there;
  }

  bool skip_word(std::string_view word) {
    const bool there = text_.substr(at_).starts_with(word);
    if (there) at_ += word.size();
    return there;
  }

  Result<Value> parse_value() {
    skip_blanks();
    if (at_ >= text_.size()) return refuse("the JSON text ends where a value is missing");
    const char c = text_[at_];
    if (c == '{' || c == '[') {
      if (depth_ >= max_depth_)
        return fail(Code::limit, "{}: the JSON text nests deeper than {}",
                    place(text_, static_cast<std::uint32_t>(at_)), max_depth_);
      ++depth_;
      ++at_;
      auto value = c == '{' ? parse_object() : parse_array();
      --depth_;
      return value;
    }
    if (c == '"') {
      WISP_TRY(std::string text, parse_string());
      return Value::string(std::move(text));
    }
    if (c == '-' || (c >= '0' && c <= '9')) return parse_number();
    if (skip_word("true")) return Value::boolean(true);
    if (skip_word("false")) return Value::boolean(false);
    if (skip_word("null")) return Value::none();
    return refuse("expected a JSON value");
  }

  Result<Value> parse_object() {
    Value made = Value::dict();
    skip_blanks();
    if (skip('}')) return made;
    while (true) {
      skip_blanks();
      if (at_ >= text_.size() || text_[at_] != '"') return refuse("expected a key in quotes");
      WISP_TRY(const std::string key, parse_string());
      skip_blanks();
      if (!skip(':')) return refuse("expected ':'");
      WISP_TRY(Value value, parse_value());
      made.set(key, std::move(value));
      skip_blanks();
      if (skip('}')) return made;
      if (!skip(',')) return refuse("expected ',' or '}'");
    }
  }

  Result<Value> parse_array() {
    std::vector<Value> items;
    skip_blanks();
    if (skip(']')) return Value::list();
    while (true) {
      WISP_TRY(Value value, parse_value());
      items.push_back(std::move(value));
      skip_blanks();
      if (skip(']')) return Value::list(std::move(items));
      if (!skip(',')) return refuse("expected ',' or ']'");
    }
  }

  Result<Value> parse_number() {
    const std::size_t start = at_;
    const auto digits = [&] {
      const std::size_t first = at_;
      while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
      return at_ > first;
    };
    skip('-');
    const std::size_t first = at_;
    bool valid = digits() && (text_[first] != '0' || at_ == first + 1);
    bool real = false;
    if (skip('.')) {
      real = true;
      valid = digits() && valid;
    }
    if (at_ < text_.size() && (text_[at_] | 0x20) == 'e') {
      real = true;
      ++at_;
      if (!skip('+')) skip('-');
      valid = digits() && valid;
    }
    if (!valid) return refuse("malformed number");
    const char* from = text_.data() + start;
    const char* to = text_.data() + at_;
    if (std::int64_t integer = 0; !real && std::from_chars(from, to, integer).ec == std::errc{})
      return Value::integer(integer);
    double value = 0;
    const auto read = std::from_chars(from, to, value);
    if (read.ec == std::errc::result_out_of_range) return refuse("the number does not fit 64 bits");
    return Value::real(value);
  }

  // The four hexadecimal digits of \uXXXX.
  Result<std::uint32_t> parse_unit() {
    std::uint32_t unit = 0;
    const std::string_view digits = text_.substr(std::min(at_, text_.size()), 4);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), unit, 16);
    if (digits.size() != 4 || read.ec != std::errc{} || read.ptr != digits.data() + 4)
      return refuse("\\u needs four hexadecimal digits");
    at_ += 4;
    return unit;
  }

  Status parse_escape(std::string& out) {
    if (at_ >= text_.size()) return refuse("the string is not closed");
    const char c = text_[at_++];
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kValues = "\"\\/\b\f\n\r\t";
    if (const std::size_t known = kNames.find(c); known != std::string_view::npos) {
      out.push_back(kValues[known]);
      return {};
    }
    if (c != 'u') return refuse("unknown escape in a string");
    WISP_TRY(std::uint32_t code, parse_unit());
    if (code >= 0xD800 && code <= 0xDBFF && text_.substr(at_).starts_with("\\u")) {
      const std::size_t back = at_;
      at_ += 2;
      WISP_TRY(const std::uint32_t low, parse_unit());
      if (low >= 0xDC00 && low <= 0xDFFF) {
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      } else {
        at_ = back;
      }
    }
    append_utf8(out, code >= 0xD800 && code <= 0xDFFF ? 0xFFFD : code);  // half a pair names no character
    return {};
  }

  Result<std::string> parse_string() {
    ++at_;
    std::string out;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (static_cast<unsigned char>(text_[at_]) < 0x20) return refuse("a control character stands in a string");
      if (text_[at_] != '\\') {
        out.push_back(text_[at_++]);
        continue;
      }
      ++at_;
      WISP_CHECK(parse_escape(out));
    }
    if (!skip('"')) return refuse("the string is not closed");
    return out;
  }

  std::string_view text_;
  std::uint32_t max_depth_;
  std::size_t at_ = 0;
  std::uint32_t depth_ = 0;
};

}  // namespace

Result<std::string> to_json(Context& context, const Value& value, const JsonStyle& style) {
  JsonWriter writer(context, style);
  WISP_CHECK(writer.write(value));
  return writer.take();
}

Result<Value> parse_json(std::string_view text, std::uint32_t max_depth) {
  return JsonParser(text, max_depth).parse_text();
}

}  // namespace wisp::text::jinja
