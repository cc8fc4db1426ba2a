// Python's two ways to format strings: "%s" % values, and "{}".format(values) with its format specifications.
#include <charconv>
#include <cmath>
#include <optional>
#include <system_error>

#include "text/jinja/operators.h"
#include "text/jinja/utf8.h"

namespace wisp::text::jinja {
namespace {

// Widths and precisions past this are refused; Python would build such strings.
constexpr std::int64_t kMaxWidth = 1'000'000;
constexpr int kMaxPrecision = 300;

// [[fill]align][sign][#][0][width][,][.precision][type]
struct Spec {
  std::string fill = " ";
  char align = 0;  // < > ^ =
  char sign = '-';
  bool alternate = false;
  bool grouped = false;
  std::int64_t width = 0;
  int precision = -1;
  char type = 0;
};

std::unexpected<Error> bad_spec() { return fail(Code::invalid_argument, "invalid format specifier"); }

// Reads digits at `at`; nothing when there are none or they are too large.
std::optional<std::int64_t> read_number(std::string_view text, std::size_t& at) {
  std::int64_t number = 0;
  const auto read = std::from_chars(text.data() + at, text.data() + text.size(), number);
  if (read.ec != std::errc{} || number < 0 || number > kMaxWidth) return std::nullopt;
  at = static_cast<std::size_t>(read.ptr - text.data());
  return number;
}

bool at_digit(std::string_view text, std::size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '9'; }

Result<Spec> parse_spec(std::string_view text) {
  Spec spec;
  std::size_t at = 0;
  const auto is_align = [](char c) { return c == '<' || c == '>' || c == '^' || c == '='; };
  const std::size_t first = text.empty() ? 0 : character_bytes(text);
  if (first < text.size() && is_align(text[first])) {
    spec.fill = text.substr(0, first);
    spec.align = text[first];
    at = first + 1;
  } else if (!text.empty() && is_align(text[0])) {
    spec.align = text[0];
    at = 1;
  }
  if (at < text.size() && (text[at] == '+' || text[at] == '-' || text[at] == ' ')) spec.sign = text[at++];
  if (at < text.size() && text[at] == '#') {
    spec.alternate = true;
    ++at;
  }
  if (at < text.size() && text[at] == '0' && spec.align == 0) {
    spec.fill = "0";
    spec.align = '=';
    ++at;
  }
  if (at_digit(text, at)) {
    const auto width = read_number(text, at);
    if (!width) return bad_spec();
    spec.width = *width;
  }
  if (at < text.size() && text[at] == ',') {
    spec.grouped = true;
    ++at;
  }
  if (at < text.size() && text[at] == '.') {
    ++at;
    const auto precision = read_number(text, at);
    if (!precision) return bad_spec();
    spec.precision = static_cast<int>(*precision);
  }
  if (at < text.size()) spec.type = text[at++];
  if (at < text.size()) return bad_spec();
  return spec;
}

// Commas between groups of three digits of the whole part.
std::string grouped(std::string digits) {
  const std::size_t point = std::min(digits.find_first_of(".e"), digits.size());
  for (std::size_t at = point; at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

Result<std::string> real_digits(double value, char type, int precision) {
  if (!std::isfinite(value)) return std::string(std::isnan(value) ? "nan" : "inf");
  const int digits = precision < 0 ? 6 : precision;
  if (digits > kMaxPrecision) return bad_spec();
  switch (type) {
    case 'f':
    case 'F': return fmt::format("{:.{}f}", value, digits);
    case 'e': return fmt::format("{:.{}e}", value, digits);
    case 'E': return fmt::format("{:.{}E}", value, digits);
    case 'g':
    case 'G': return fmt::format("{:.{}g}", value, digits == 0 ? 1 : digits);
    case '%': return fmt::format("{:.{}f}%", value * 100, digits);
    default: break;
  }
  if (precision < 0) return real_to_text(value);
  std::string text = fmt::format("{:.{}g}", value, precision == 0 ? 1 : precision);
  return text;
}

Result<std::string> integer_digits(std::uint64_t magnitude, const Spec& spec) {
  switch (spec.type) {
    case 0:
    case 'd':
    case 'i':
    case 'u': return fmt::format("{}", magnitude);
    case 'x': return (spec.alternate ? "0x" : "") + fmt::format("{:x}", magnitude);
    case 'X': return (spec.alternate ? "0X" : "") + fmt::format("{:X}", magnitude);
    case 'o': return (spec.alternate ? "0o" : "") + fmt::format("{:o}", magnitude);
    case 'b': return (spec.alternate ? "0b" : "") + fmt::format("{:b}", magnitude);
    default: return fail(Code::invalid_argument, "Unknown format code '{}' for an integer", printable({&spec.type, 1}));
  }
}

void pad(std::string_view sign, std::string_view body, const Spec& spec, char default_align, std::string& out) {
  const std::int64_t used = static_cast<std::int64_t>(count_characters(body) + sign.size());
  const std::int64_t missing = std::max<std::int64_t>(0, spec.width - used);
  const char align = spec.align != 0 ? spec.align : default_align;
  const std::int64_t before = align == '>' || align == '=' ? missing : align == '^' ? missing / 2 : 0;
  if (align == '=') out += sign;
  for (std::int64_t i = 0; i < before; ++i) out += spec.fill;
  if (align != '=') out += sign;
  out += body;
  for (std::int64_t i = before; i < missing; ++i) out += spec.fill;
}

bool is_real_type(char type) { return std::string_view("eEfFgG%").find(type) != std::string_view::npos && type != 0; }

Status append_formatted(Context& context, const Value& value, const Spec& spec, std::string& out) {
  WISP_CHECK(context.spend_bytes(static_cast<std::uint64_t>(spec.width) * spec.fill.size()));
  if (value.is_number() && !(value.is(Kind::boolean) && spec.type == 0)) {
    const bool real = value.is(Kind::real) || is_real_type(spec.type);
    const bool negative = real ? std::signbit(value.as_real()) : value.as_integer() < 0;
    std::string body;
    if (real) {
      WISP_TRY(body, real_digits(std::abs(value.as_real()), spec.type, spec.precision));
    } else {
      const auto bits = static_cast<std::uint64_t>(value.as_integer());
      WISP_TRY(body, integer_digits(negative ? 0 - bits : bits, spec));
    }
    const std::string sign = negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
    pad(sign, spec.grouped ? grouped(std::move(body)) : body, spec, '>', out);
    return {};
  }
  if (spec.type != 0 && spec.type != 's')
    return fail(Code::invalid_argument, "Unknown format code '{}' for object of type '{}'", printable({&spec.type, 1}),
                type_name(value));
  WISP_TRY(std::string body, to_text(context, value));
  if (spec.precision >= 0) body.resize(character_offset(body, static_cast<std::size_t>(spec.precision)));
  pad("", body, spec, '<', out);
  return {};
}

Status check_size(Context& context, const std::string& out) {
  return out.size() > context.limits().max_output_bytes ? context.spend_bytes(out.size()) : Status();
}

// name.attribute[index] of a {} field.
Result<Value> field(Context& context, std::string_view text, std::size_t& automatic, const Arguments& arguments) {
  std::size_t at = std::min(text.find_first_of(".["), text.size());
  const std::string_view name = text.substr(0, at);
  Value value;
  if (name.empty() || at_digit(name, 0)) {
    std::size_t index = automatic;
    if (name.empty()) {
      ++automatic;
    } else {
      std::size_t read = 0;
      const auto number = read_number(name, read);
      if (!number || read != name.size()) return fail(Code::invalid_argument, "malformed field in format string");
      index = static_cast<std::size_t>(*number);
    }
    if (index >= arguments.positional.size())
      return fail(Code::invalid_argument, "Replacement index {} out of range for positional args tuple", index);
    value = arguments.positional[index];
  } else {
    bool found = false;
    for (const auto& [key, held] : arguments.named)
      if (key == name) {
        value = held;
        found = true;
      }
    if (!found) return fail(Code::invalid_argument, "format() has no argument '{}'", printable(name));
  }
  while (at < text.size()) {
    const bool bracket = text[at] == '[';
    const std::size_t end = bracket ? text.find(']', at) : std::min(text.find_first_of(".[", at + 1), text.size());
    if (end == std::string_view::npos) return fail(Code::invalid_argument, "Missing ']' in format string");
    const std::string_view part = text.substr(at + 1, end - at - 1);
    std::size_t read = 0;
    const auto number = bracket && at_digit(part, 0) ? read_number(part, read) : std::nullopt;
    WISP_TRY(value, number && read == part.size() ? item(context, value, Value::integer(*number))
                    : bracket                     ? item(context, value, Value::string(std::string(part)))
                                                  : attribute(context, value, part));
    at = bracket ? end + 1 : end;
  }
  return value;
}

}  // namespace

Result<Value> format_braces(Context& context, std::string_view format, Arguments& arguments) {
  WISP_CHECK(context.spend_bytes(format.size()));
  std::string out;
  std::size_t automatic = 0;
  for (std::size_t at = 0; at < format.size();) {
    const char c = format[at++];
    if (c != '{' && c != '}') {
      out.push_back(c);
      continue;
    }
    if (at < format.size() && format[at] == c) {
      out.push_back(c);
      ++at;
      continue;
    }
    if (c == '}') return fail(Code::invalid_argument, "Single '}}' encountered in format string");
    const std::size_t end = format.find('}', at);
    if (end == std::string_view::npos) return fail(Code::invalid_argument, "expected '}}' before end of string");
    std::string_view text = format.substr(at, end - at);
    at = end + 1;
    Spec spec;
    if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
      WISP_TRY(spec, parse_spec(text.substr(colon + 1)));
      text = text.substr(0, colon);
    }
    char conversion = 0;
    if (text.size() >= 2 && text[text.size() - 2] == '!') {
      conversion = text.back();
      text.remove_suffix(2);
    }
    WISP_CHECK(context.spend());
    WISP_TRY(Value value, field(context, text, automatic, arguments));
    if (conversion == 'r') {
      std::string shown;
      WISP_CHECK(append_repr(context, value, shown));
      value = Value::string(std::move(shown));
    }
    WISP_CHECK(append_formatted(context, value, spec, out));
    WISP_CHECK(check_size(context, out));
  }
  return Value::string(std::move(out));
}

Result<Value> format_percent(Context& context, std::string_view format, const Value& values) {
  WISP_CHECK(context.spend_bytes(format.size()));
  std::string out;
  std::size_t used = 0;
  const auto take = [&]() -> Result<Value> {
    if (values.is(Kind::tuple) ? used < values.items().size() : used == 0)
      return values.is(Kind::tuple) ? values.items()[used++] : (++used, values);
    return fail(Code::invalid_argument, "not enough arguments for format string");
  };
  for (std::size_t at = 0; at < format.size();) {
    const char c = format[at++];
    if (c != '%') {
      out.push_back(c);
      continue;
    }
    std::optional<Value> named;
    if (at < format.size() && format[at] == '(') {
      const std::size_t end = format.find(')', at);
      if (end == std::string_view::npos) return fail(Code::invalid_argument, "incomplete format key");
      if (!values.is(Kind::dict)) return fail(Code::invalid_argument, "format requires a mapping");
      const std::string_view key = format.substr(at + 1, end - at - 1);
      const Value* found = values.find(key);
      if (found == nullptr) return fail(Code::invalid_argument, "format has no key '{}'", printable(key));
      named = *found;
      used = 1;
      at = end + 1;
    }
    Spec spec;
    for (; at < format.size() && std::string_view("-+ 0#").find(format[at]) != std::string_view::npos; ++at) {
      if (format[at] == '-') spec.align = '<';
      if (format[at] == '+') spec.sign = '+';
      if (format[at] == ' ' && spec.sign == '-') spec.sign = ' ';
      if (format[at] == '#') spec.alternate = true;
      if (format[at] == '0' && spec.align == 0) {
        spec.fill = "0";
        spec.align = '=';
      }
    }
    if (spec.align == '<') spec.fill = " ";
    if (at_digit(format, at)) {
      const auto width = read_number(format, at);
      if (!width) return bad_spec();
      spec.width = *width;
    }
    if (at < format.size() && format[at] == '.') {
      ++at;
      const auto precision = at_digit(format, at) ? read_number(format, at) : std::optional<std::int64_t>(0);
      if (!precision) return bad_spec();
      spec.precision = static_cast<int>(*precision);
    }
    if (at >= format.size()) return fail(Code::invalid_argument, "incomplete format");
    spec.type = format[at++];
    if (spec.type == '%') {
      out.push_back('%');
      continue;
    }
    WISP_CHECK(context.spend());
    Value value;
    if (named) {
      value = std::move(*named);
    } else {
      WISP_TRY(value, take());
    }
    if (spec.type == 's' || spec.type == 'r') {
      std::string shown;
      WISP_CHECK(spec.type == 's' ? append_text(context, value, shown) : append_repr(context, value, shown));
      value = Value::string(std::move(shown));
      spec.type = 0;
      if (spec.align == 0 || spec.align == '=') spec.align = '>';
      spec.fill = " ";
    } else {
      if (!value.is_number())
        return fail(Code::invalid_argument, "%{} format: a real number is required, not {}", printable({&spec.type, 1}),
                    type_name(value));
      const bool integer_type = std::string_view("diuxXo").find(spec.type) != std::string_view::npos;
      if (integer_type && value.is(Kind::real)) {
        if (!(std::abs(value.as_real()) < 9.2e18))
          return fail(Code::invalid_argument, "the number does not fit 64 bits");
        value = Value::integer(static_cast<std::int64_t>(value.as_real()));
      }
      if (integer_type) spec.precision = -1;
    }
    WISP_CHECK(append_formatted(context, value, spec, out));
    WISP_CHECK(check_size(context, out));
  }
  const std::size_t given = values.is(Kind::tuple) ? values.items().size() : values.is(Kind::dict) ? used : 1;
  if (used < given) return fail(Code::invalid_argument, "not all arguments converted during string formatting");
  return Value::string(std::move(out));
}

}  // namespace wisp::text::jinja
