// Filters that give one string, number or flag.
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

#include "text/jinja/filters.h"
#include "text/jinja/json_text.h"
#include "text/jinja/letter_case.h"
#include "text/jinja/operators.h"
#include "text/jinja/string_functions.h"
#include "text/jinja/utf8.h"
#include "text/jinja/word_wrap.h"

namespace wisp::text::jinja {
namespace {

// Most text filters take anything and work on its str().
Result<std::string> input_text(Context& context, const Value& input) { return to_text(context, input); }

template <std::string (*function)(std::string_view)>
Result<Value> transformed(Context& context, Value& input, Arguments& arguments) {
  WISP_CHECK(bind("the filter", {}, arguments));
  WISP_TRY(const std::string text, input_text(context, input));
  return Value::string(function(text));
}

// Each word starts in upper case; words end at blanks, hyphens and opening brackets.
std::string title_words(std::string_view text) {
  std::string out;
  const auto parts = [](std::string_view rest) {
    const char32_t c = code_point(rest.substr(0, character_bytes(rest)));
    return is_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
  };
  while (!text.empty()) {
    std::size_t end = character_bytes(text);
    while (!parts(text) && end < text.size() && !parts(text.substr(end))) end += character_bytes(text.substr(end));
    const std::size_t first = character_bytes(text);
    out += upper(text.substr(0, first));
    out += lower(text.substr(first, end - first));
    text.remove_prefix(end);
  }
  return out;
}

Result<Value> trim(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("trim", {{"chars"}}, arguments));
  WISP_TRY(const std::string text, input_text(context, input));
  std::optional<std::string_view> characters;
  if (bound.given[0] && !bound[0].is(Kind::none)) {
    WISP_TRY(characters, text_argument("trim's argument", bound[0]));
    if (characters->size() > kBytesPerStep) WISP_CHECK(context.spend(text.size() / kBytesPerStep * characters->size()));
  }
  return Value::string(std::string(strip(text, characters, Side::both)));
}

Result<Value> replace_filter(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("replace", {{"old", true}, {"new", true}, {"count"}}, arguments));
  WISP_TRY(const std::string text, input_text(context, input));
  WISP_TRY(const std::string old, to_text(context, bound[0]));
  WISP_TRY(const std::string fresh, to_text(context, bound[1]));
  std::int64_t count = -1;
  if (bound.given[2] && !bound[2].is(Kind::none)) {
    WISP_TRY(count, integer_argument("count", bound[2]));
  }
  WISP_TRY(std::string replaced, replace(context, text, old, fresh, count));
  return Value::string(std::move(replaced));
}

Result<Value> indent(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("indent", {{"width"}, {"first"}, {"blank"}}, arguments));
  WISP_TRY(const std::string text, input_text(context, input));
  std::string indention(4, ' ');
  if (bound.given[0] && bound[0].is(Kind::string)) {
    indention = bound[0].as_text();
  } else if (bound.given[0]) {
    WISP_TRY(const std::int64_t width, integer_argument("width", bound[0]));
    WISP_TRY(indention, justify(context, "", width, " ", Side::left));
  }
  // Jinja adds a newline before it splits, so that one at the end of the text stays.
  const std::string ended = text + "\n";
  std::string out = truth(bound[1]) ? indention : "";
  bool first = true;
  for (const std::string_view line : split_lines(ended, false)) {
    WISP_CHECK(context.spend_bytes(indention.size() + line.size()));
    if (!first) {
      out.push_back('\n');
      if (!line.empty() || truth(bound[2])) out += indention;
    }
    first = false;
    out += line;
    if (out.size() > context.limits().max_output_bytes) WISP_CHECK(context.spend_bytes(out.size()));
  }
  return Value::string(std::move(out));
}

Result<Value> center(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("center", {{"width"}}, arguments));
  WISP_TRY(const std::string text, input_text(context, input));
  std::int64_t width = 80;
  if (bound.given[0]) {
    WISP_TRY(width, integer_argument("width", bound[0]));
  }
  WISP_TRY(std::string made, justify(context, text, width, " ", Side::both));
  return Value::string(std::move(made));
}

Result<Value> truncate(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("truncate", {{"length"}, {"killwords"}, {"end"}, {"leeway"}}, arguments));
  WISP_TRY(const std::string text, input_text(context, input));
  std::int64_t limit = 255;
  std::int64_t leeway = 5;
  std::string_view end = "...";
  if (bound.given[0]) {
    WISP_TRY(limit, integer_argument("length", bound[0]));
  }
  if (bound.given[2]) {
    WISP_TRY(end, text_argument("end", bound[2]));
  }
  if (bound.given[3] && !bound[3].is(Kind::none)) {
    WISP_TRY(leeway, integer_argument("leeway", bound[3]));
  }
  const auto end_size = static_cast<std::int64_t>(count_characters(end));
  if (limit < end_size) return fail(Code::invalid_argument, "truncate: expected length >= {}, got {}", end_size, limit);
  const auto size = static_cast<std::int64_t>(count_characters(text));
  if (leeway < 0 || size - limit <= leeway)
    if (leeway >= 0) return Value::string(text);
  std::string_view kept =
      std::string_view(text).substr(0, character_offset(text, static_cast<std::size_t>(limit - end_size)));
  if (!truth(bound[1])) kept = kept.substr(0, kept.rfind(' '));
  return make_string(context, std::string(kept) + std::string(end));
}

Result<Value> word_count(Context& context, Value& input, Arguments& arguments) {
  WISP_CHECK(bind("wordcount", {}, arguments));
  WISP_TRY(const std::string text, input_text(context, input));
  std::int64_t words = 0;
  bool inside = false;
  for (std::string_view rest = text; !rest.empty(); rest.remove_prefix(character_bytes(rest))) {
    const char32_t c = code_point(rest.substr(0, character_bytes(rest)));
    const bool part = is_alphanumeric(c) || c == '_';
    words += part && !inside ? 1 : 0;
    inside = part;
  }
  return Value::integer(words);
}

Result<Value> word_wrap(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound,
           bind("wordwrap", {{"width"}, {"break_long_words"}, {"wrapstring"}, {"break_on_hyphens"}}, arguments));
  WISP_TRY(const std::string text, input_text(context, input));
  WrapStyle style;
  if (bound.given[0]) {
    WISP_TRY(style.width, integer_argument("width", bound[0]));
  }
  if (bound.given[1]) style.break_long_words = truth(bound[1]);
  if (bound.given[3]) style.break_on_hyphens = truth(bound[3]);
  std::string_view between = "\n";
  if (bound.given[2] && truth(bound[2])) {
    WISP_TRY(between, text_argument("wrapstring", bound[2]));
  }
  std::string out;
  bool first = true;
  for (const std::string_view line : split_lines(text, false)) {
    WISP_TRY(std::vector<std::string> lines, wrap_line(context, line, style));
    if (lines.empty()) lines.emplace_back();  // an empty line stays one
    for (const std::string& made : lines) {
      WISP_CHECK(context.spend_bytes(between.size() + made.size()));
      if (!std::exchange(first, false)) out += between;
      out += made;
      if (out.size() > context.limits().max_output_bytes) WISP_CHECK(context.spend_bytes(out.size()));
    }
  }
  return Value::string(std::move(out));
}

Result<Value> format_filter(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(const std::string text, input_text(context, input));
  if (arguments.named.empty()) return format_percent(context, text, Value::tuple(std::move(arguments.positional)));
  Value named = Value::dict();
  for (auto& [name, value] : arguments.named) named.set(name, std::move(value));
  return format_percent(context, text, named);
}

// Python's int(text, base): blanks around, a sign, underscores between digits.
std::optional<std::int64_t> read_integer(std::string_view text, int base) {
  text = strip_right(strip_left(text));
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.size() > 2 && text[0] == '0') {
    const char mark = static_cast<char>(text[1] | 0x20);
    if ((mark == 'x' && base == 16) || (mark == 'o' && base == 8) || (mark == 'b' && base == 2)) text.remove_prefix(2);
  }
  std::string digits = negative ? "-" : "";
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_')
      digits.push_back(text[i]);
    else if (i == 0 || i + 1 == text.size() || text[i + 1] == '_')
      return std::nullopt;
  }
  if (text.empty() || text[0] == '-') return std::nullopt;
  std::int64_t value = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (read.ec != std::errc{} || read.ptr != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::optional<double> read_real(std::string_view text) {
  text = strip_right(strip_left(text));
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> whole(double value) {
  if (!(std::abs(value) < 9223372036854775808.0)) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

Result<Value> int_filter(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("int", {{"default"}, {"base"}}, arguments));
  std::int64_t base = 10;
  if (bound.given[1]) {
    WISP_TRY(base, integer_argument("base", bound[1]));
    if (base < 2 || base > 36) return fail(Code::invalid_argument, "int() base must be >= 2 and <= 36");
  }
  std::optional<std::int64_t> number;
  if (input.is_integral()) number = input.as_integer();
  if (input.is(Kind::real)) number = whole(input.as_real());
  if (input.is(Kind::string)) {
    WISP_CHECK(context.spend_bytes(input.as_text().size()));
    number = read_integer(input.as_text(), static_cast<int>(base));
    if (!number)
      if (const auto real = read_real(input.as_text())) number = whole(*real);
  }
  if (number) return Value::integer(*number);
  return bound.given[0] ? bound[0] : Value::integer(0);
}

Result<Value> float_filter(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("float", {{"default"}}, arguments));
  if (input.is_number()) return Value::real(input.as_real());
  if (input.is(Kind::string)) {
    WISP_CHECK(context.spend_bytes(input.as_text().size()));
    if (const auto number = read_real(input.as_text())) return Value::real(*number);
  }
  return bound.given[0] ? bound[0] : Value::real(0);
}

Result<Value> abs_filter(Context& /*context*/, Value& input, Arguments& arguments) {
  WISP_CHECK(bind("abs", {}, arguments));
  if (input.is(Kind::real)) return Value::real(std::abs(input.as_real()));
  if (input.is_integral()) return input.as_integer() < 0 ? negate(input) : Value::integer(input.as_integer());
  if (input.is(Kind::undefined)) return fail(Code::invalid_argument, "{}", input.reason());
  return fail(Code::invalid_argument, "bad operand type for abs(): '{}'", type_name(input));
}

Result<Value> round_filter(Context& /*context*/, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("round", {{"precision"}, {"method"}}, arguments));
  if (!input.is_number()) return fail(Code::invalid_argument, "round needs a number, not {}", type_name(input));
  std::int64_t precision = 0;
  if (bound.given[0]) {
    WISP_TRY(precision, integer_argument("precision", bound[0]));
  }
  std::string_view method = "common";
  if (bound.given[1]) {
    WISP_TRY(method, text_argument("method", bound[1]));
  }
  const double value = input.as_real();
  if (method == "ceil" || method == "floor") {
    const double scale = std::pow(10.0, static_cast<double>(precision));
    return Value::real((method == "ceil" ? std::ceil(value * scale) : std::floor(value * scale)) / scale);
  }
  if (method != "common") return fail(Code::invalid_argument, "method must be common, ceil or floor");
  if (input.is_integral() && precision >= 0) return Value::integer(input.as_integer());
  if (!std::isfinite(value) || precision > 300) return Value::real(value);
  if (precision < 0) {
    const double scale = std::pow(10.0, static_cast<double>(-precision));
    return Value::real(std::isfinite(scale) ? std::nearbyint(value / scale) * scale : 0.0);
  }
  // The decimal digits of the exact value, rounded half to even: what Python does.
  const std::string digits = fmt::format("{:.{}f}", value, precision);
  double rounded = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), rounded);
  return Value::real(rounded);
}

Result<Value> file_size(Context& /*context*/, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("filesizeformat", {{"binary"}}, arguments));
  if (!input.is_number()) return fail(Code::invalid_argument, "filesizeformat needs a number");
  const bool binary = truth(bound[0]);
  const double base = binary ? 1024 : 1000;
  double bytes = input.as_real();
  if (bytes == 1) return Value::string("1 Byte");
  if (bytes < base) return Value::string(fmt::format("{} Bytes", static_cast<std::int64_t>(bytes)));
  constexpr std::string_view kPrefixes = "kMGTPEZY";
  std::size_t prefix = 0;
  for (bytes /= base; bytes >= base && prefix + 1 < kPrefixes.size(); ++prefix) bytes /= base;
  const char letter = binary && prefix == 0 ? 'K' : kPrefixes[prefix];
  return Value::string(fmt::format("{:.1f} {}{}", bytes, letter, binary ? "iB" : "B"));
}

Result<Value> default_filter(Context& /*context*/, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("default", {{"default_value"}, {"boolean"}}, arguments));
  if (!input.is(Kind::undefined) && !(truth(bound[1]) && !truth(input))) return input;
  return bound.given[0] ? bound[0] : Value::string({});
}

Result<Value> attr_filter(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("attr", {{"name", true}}, arguments));
  WISP_TRY(const std::string name, to_text(context, bound[0]));
  // Unlike a subscript, never an entry of a dict.
  if (input.is(Kind::dict) && find_method(Kind::dict, name) == nullptr)
    return Value::undefined(fmt::format("'dict object' has no attribute '{}'", printable(name)));
  return attribute(context, input, name);
}

Result<Value> repr_filter(Context& context, Value& input, Arguments& arguments) {
  WISP_CHECK(bind("pprint", {{"verbose"}}, arguments));
  std::string out;
  WISP_CHECK(append_repr(context, input, out));
  return Value::string(std::move(out));
}

Result<Value> tojson(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("tojson", {{"ensure_ascii"}, {"indent"}, {"separators"}, {"sort_keys"}}, arguments));
  JsonStyle style;
  style.ascii = truth(bound[0]);
  style.sort_keys = truth(bound[3]);
  if (bound[1].is(Kind::string)) {
    style.indent = std::string(bound[1].as_text());
  } else if (bound.given[1] && !bound[1].is(Kind::none)) {
    WISP_TRY(const std::int64_t width, integer_argument("indent", bound[1]));
    WISP_TRY(style.indent, justify(context, "", width, " ", Side::left));
  }
  if (style.indent) style.item_separator = ",";
  if (bound.given[2] && !bound[2].is(Kind::none)) {
    if (!bound[2].is_sequence() || bound[2].items().size() != 2)
      return fail(Code::invalid_argument, "separators must be two strings");
    WISP_TRY(style.item_separator, text_argument("the item separator", bound[2].items()[0]));
    WISP_TRY(style.key_separator, text_argument("the key separator", bound[2].items()[1]));
  }
  WISP_TRY(std::string json, to_json(context, input, style));
  return Value::string(std::move(json));
}

struct Named {
  std::string_view name;
  Builtin builtin;
};

constexpr Named kFilters[] = {
    {"abs", abs_filter},
    {"attr", attr_filter},
    {"capitalize", transformed<capitalize>},
    {"center", center},
    {"d", default_filter},
    {"default", default_filter},
    {"filesizeformat", file_size},
    {"float", float_filter},
    {"format", format_filter},
    {"indent", indent},
    {"int", int_filter},
    {"lower", transformed<lower>},
    {"pprint", repr_filter},
    {"replace", replace_filter},
    {"round", round_filter},
    {"title", transformed<title_words>},
    {"tojson", tojson},
    {"trim", trim},
    {"truncate", truncate},
    {"upper", transformed<upper>},
    {"wordcount", word_count},
    {"wordwrap", word_wrap},
};

}  // namespace

Builtin find_text_filter(std::string_view name) {
  for (const Named& entry : kFilters)
    if (entry.name == name) return entry.builtin;
  return nullptr;
}

Builtin find_filter(std::string_view name) {
  for (const auto find : {find_text_filter, find_markup_filter, find_sequence_filter})
    if (const Builtin found = find(name)) return found;
  return nullptr;
}

}  // namespace wisp::text::jinja
