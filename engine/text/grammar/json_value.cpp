#include "text/grammar/json_value.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <unordered_set>
#include <utility>

#include "text/utf8.h"

namespace wisp::text::grammar {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

class JsonParser {
 public:
  explicit JsonParser(std::string_view text) : text_(text) {}

  Result<JsonValue> parse() {
    if (text_.size() > kMaxJsonBytes) {
      return fail(Code::limit, "the JSON text has {}; the limit is {}", format_bytes(text_.size()),
                  format_bytes(kMaxJsonBytes));
    }
    if (!is_utf8(text_)) return fail(Code::invalid_argument, "the JSON text is not UTF-8");
    skip_blanks();
    WISP_TRY(JsonValue value, this->value(0));
    skip_blanks();
    if (at_ < text_.size()) return wrong("something follows the value");
    return value;
  }

 private:
  template <class... Args>
  [[nodiscard]] std::unexpected<Error> wrong(fmt::format_string<Args...> text, Args&&... args) const {
    const std::string_view before = text_.substr(0, std::min(at_, text_.size()));
    const auto line = 1 + std::ranges::count(before, '\n');
    const std::size_t column = before.size() - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0
    return fail(Code::invalid_argument, "line {}, column {}: {}", line, column,
                fmt::format(text, std::forward<Args>(args)...));
  }
  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_blanks() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").contains(text_[at_])) ++at_;
  }

  Result<JsonValue> value(std::uint32_t depth) {
    if (depth > kMaxJsonNesting) return wrong("values lie more than {} deep in each other", kMaxJsonNesting);
    switch (peek()) {
      case '{': return object(depth);
      case '[': return array(depth);
      case '"': {
        JsonValue made = JsonValue::of(JsonKind::string);
        WISP_TRY(made.text, string());
        return made;
      }
      default: break;
    }
    if (peek() == '-' || is_digit(peek())) return number();
    for (const std::string_view word : {"null", "true", "false"}) {
      if (!text_.substr(at_).starts_with(word)) continue;
      at_ += word.size();
      return word == "null" ? JsonValue{} : JsonValue::of(word == "true");
    }
    return wrong("a JSON value is expected");
  }

  Result<JsonValue> object(std::uint32_t depth) {
    JsonValue made = JsonValue::of(JsonKind::object);
    std::unordered_set<std::string> names;
    ++at_;
    skip_blanks();
    if (peek() == '}') return ++at_, made;
    while (true) {
      if (peek() != '"') return wrong("the name of a member is expected");
      WISP_TRY(std::string name, string());
      if (!names.insert(name).second) return wrong("the member '{}' is there twice", printable(name));
      skip_blanks();
      if (peek() != ':') return wrong("':' is expected");
      ++at_;
      skip_blanks();
      WISP_TRY(JsonValue member, value(depth + 1));
      made.members.push_back({std::move(name), std::move(member)});
      skip_blanks();
      if (peek() == '}') return ++at_, made;
      if (peek() != ',') return wrong("',' or '}}' is expected");
      ++at_;
      skip_blanks();
    }
  }

  Result<JsonValue> array(std::uint32_t depth) {
    JsonValue made = JsonValue::of(JsonKind::array);
    ++at_;
    skip_blanks();
    if (peek() == ']') return ++at_, made;
    while (true) {
      WISP_TRY(made.items.emplace_back(), value(depth + 1));
      skip_blanks();
      if (peek() == ']') return ++at_, made;
      if (peek() != ',') return wrong("',' or ']' is expected");
      ++at_;
      skip_blanks();
    }
  }

  Result<std::uint32_t> hex4() {
    std::uint32_t code = 0;
    const std::string_view digits = text_.substr(std::min(at_, text_.size()), 4);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (error != std::errc{} || end != digits.data() + 4) return wrong("\\u needs 4 hexadecimal digits");
    at_ += 4;
    return code;
  }

  Result<std::string> string() {
    ++at_;
    std::string made;
    while (true) {
      if (at_ >= text_.size()) return wrong("a string is not closed");
      const char c = text_[at_];
      if (static_cast<unsigned char>(c) < 0x20) return wrong("a control character inside a string");
      ++at_;
      if (c == '"') return made;
      if (c != '\\') {
        made.push_back(c);
        continue;
      }
      const char escape = peek();
      ++at_;
      switch (escape) {
        case 'b': made.push_back('\b'); break;
        case 'f': made.push_back('\f'); break;
        case 'n': made.push_back('\n'); break;
        case 'r': made.push_back('\r'); break;
        case 't': made.push_back('\t'); break;
        case '"':
        case '\\':
        case '/': made.push_back(escape); break;
        case 'u': {
          WISP_TRY(std::uint32_t code, hex4());
          if (code >= 0xD800 && code <= 0xDBFF && text_.substr(at_).starts_with("\\u")) {
            at_ += 2;
            WISP_TRY(const std::uint32_t low, hex4());
            if (low < 0xDC00 || low > 0xDFFF) return wrong("half a surrogate pair");
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
          }
          if (code >= 0xD800 && code <= 0xDFFF) return wrong("half a surrogate pair");
          append_utf8(made, static_cast<char32_t>(code));
          break;
        }
        default: return wrong("an unknown escape");
      }
    }
  }

  Result<JsonValue> number() {
    const std::size_t begin = at_;
    const auto digits = [this] {
      const std::size_t from = at_;
      while (is_digit(peek())) ++at_;
      return at_ > from;
    };
    if (peek() == '-') ++at_;
    if (peek() == '0') {
      ++at_;
    } else if (!digits()) {
      return wrong("a number needs a digit");
    }
    if (peek() == '.') {
      ++at_;
      if (!digits()) return wrong("a number needs a digit behind its point");
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!digits()) return wrong("a number needs a digit in its exponent");
    }
    JsonValue made = JsonValue::of(JsonKind::number);
    made.text = text_.substr(begin, at_ - begin);
    return made;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

JsonValue::JsonValue() = default;
JsonValue::JsonValue(const JsonValue&) = default;
JsonValue::JsonValue(JsonValue&&) noexcept = default;
JsonValue& JsonValue::operator=(const JsonValue&) = default;
JsonValue& JsonValue::operator=(JsonValue&&) noexcept = default;
JsonValue::~JsonValue() = default;

const JsonValue* JsonValue::find(std::string_view name) const {
  const auto found = std::ranges::find(members, name, &JsonMember::name);
  return found == members.end() ? nullptr : &found->value;
}

JsonValue* JsonValue::find(std::string_view name) { return const_cast<JsonValue*>(std::as_const(*this).find(name)); }

void JsonValue::set(std::string_view name, JsonValue value) {
  kind = JsonKind::object;
  if (JsonValue* const known = find(name)) {
    *known = std::move(value);
  } else {
    members.push_back({std::string(name), std::move(value)});
  }
}

void JsonValue::remove(std::string_view name) {
  std::erase_if(members, [name](const JsonMember& member) { return member.name == name; });
}

bool operator==(const JsonValue& a, const JsonValue& b) {
  if (a.kind != b.kind) return false;
  switch (a.kind) {
    case JsonKind::null: return true;
    case JsonKind::boolean: return a.boolean == b.boolean;
    case JsonKind::number: return compare(Decimal::of(a.text), Decimal::of(b.text)) == 0;
    case JsonKind::string: return a.text == b.text;
    case JsonKind::array: return a.items == b.items;
    case JsonKind::object: break;
  }
  if (a.members.size() != b.members.size()) return false;
  return std::ranges::all_of(a.members, [&b](const JsonMember& member) {
    const JsonValue* const other = b.find(member.name);
    return other != nullptr && *other == member.value;
  });
}

JsonValue JsonValue::of(JsonKind kind) {
  JsonValue made;
  made.kind = kind;
  return made;
}
JsonValue JsonValue::of(bool value) {
  JsonValue made = of(JsonKind::boolean);
  made.boolean = value;
  return made;
}
JsonValue JsonValue::of(std::string_view text) {
  JsonValue made = of(JsonKind::string);
  made.text = text;
  return made;
}
JsonValue JsonValue::array(std::vector<JsonValue> items) {
  JsonValue made = of(JsonKind::array);
  made.items = std::move(items);
  return made;
}

Result<JsonValue> parse_json(std::string_view text) { return JsonParser(text).parse(); }

Decimal Decimal::of(std::string_view number) {
  constexpr std::int64_t kFar = 1'000'000'000;
  Decimal made;
  std::size_t at = 0;
  if (at < number.size() && number[at] == '-') {
    made.negative = true;
    ++at;
  }
  bool behind_point = false;
  for (; at < number.size() && (is_digit(number[at]) || number[at] == '.'); ++at) {
    if (number[at] == '.') {
      behind_point = true;
      continue;
    }
    made.digits.push_back(number[at]);
    if (!behind_point) made.exponent += 1;
  }
  if (at < number.size()) {  // e or E
    const bool minus = number.substr(at + 1).starts_with('-');
    const bool sign = minus || number.substr(at + 1).starts_with('+');
    const std::string_view text = number.substr(at + (sign ? 2 : 1));
    std::int64_t power = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), power);
    if (error != std::errc{} || end != text.data() + text.size()) power = kFar;
    power = std::min(power, kFar);
    made.exponent += minus ? -power : power;
  }
  const std::size_t zeros = std::min(made.digits.find_first_not_of('0'), made.digits.size());
  made.digits.erase(0, zeros);
  made.exponent -= static_cast<std::int64_t>(zeros);
  while (made.digits.ends_with('0')) made.digits.pop_back();
  if (made.digits.empty()) return {};
  return made;
}

std::string Decimal::whole() const {
  if (exponent <= 0) return {};
  const auto n = static_cast<std::size_t>(exponent);
  std::string text = digits.substr(0, n);
  text.resize(n, '0');
  return text;
}

std::string Decimal::fraction() const {
  if (exponent < 0) return std::string(static_cast<std::size_t>(-exponent), '0') + digits;
  return static_cast<std::size_t>(exponent) < digits.size() ? digits.substr(static_cast<std::size_t>(exponent))
                                                            : std::string();
}

int compare(const Decimal& a, const Decimal& b) {
  if (a.is_zero() && b.is_zero()) return 0;
  const int sign_a = a.is_zero() ? 0 : a.negative ? -1 : 1;
  const int sign_b = b.is_zero() ? 0 : b.negative ? -1 : 1;
  if (sign_a != sign_b) return sign_a < sign_b ? -1 : 1;
  if (a.exponent != b.exponent) return (a.exponent < b.exponent) == (sign_a > 0) ? -1 : 1;
  const int digits = a.digits.compare(b.digits);  // without zeros at the end this is the order of values
  if (digits == 0) return 0;
  return (digits < 0) == (sign_a > 0) ? -1 : 1;
}

std::string json_string(std::string_view text) {
  std::string made = "\"";
  for (const char c : text) {
    switch (c) {
      case '"': made += "\\\""; break;
      case '\\': made += "\\\\"; break;
      case '\b': made += "\\b"; break;
      case '\f': made += "\\f"; break;
      case '\n': made += "\\n"; break;
      case '\r': made += "\\r"; break;
      case '\t': made += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          made += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
          made.push_back(c);
        }
    }
  }
  made.push_back('"');
  return made;
}

}  // namespace wisp::text::grammar
