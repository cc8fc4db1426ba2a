// str() and repr() of values.
#include <cmath>

#include "text/jinja/operators.h"
#include "text/jinja/utf8.h"

namespace wisp::text::jinja {
namespace {

void append_string_repr(std::string_view text, std::string& out) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const bool has_double = text.find('"') != std::string_view::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  out.push_back(quote);
  while (!text.empty()) {
    const std::string_view character = text.substr(0, character_bytes(text));
    text.remove_prefix(character.size());
    const char32_t c = code_point(character);
    if (c == static_cast<unsigned char>(quote) || c == '\\') {
      out.push_back('\\');
      out += character;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c < 0x20 || (c >= 0x7F && c <= 0xA0) || c == 0xAD) {
      out += fmt::format("\\x{:02x}", static_cast<std::uint32_t>(c));
    } else if (is_space(c) && c != ' ') {
      out += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c));
    } else {
      out += character;
    }
  }
  out.push_back(quote);
}

Status append_items(Context& context, const std::vector<Value>& items, std::string& out) {
  bool first = true;
  for (const Value& item : items) {
    if (!first) out += ", ";
    first = false;
    WISP_CHECK(append_repr(context, item, out));
  }
  return {};
}

Status append_dict(Context& context, const Dict& dict, std::string& out) {
  out.push_back('{');
  bool first = true;
  for (const auto& [key, value] : dict.entries()) {
    if (!first) out += ", ";
    first = false;
    WISP_CHECK(append_repr(context, key, out));
    out += ": ";
    WISP_CHECK(append_repr(context, value, out));
  }
  out.push_back('}');
  return {};
}

std::string range_repr(const std::vector<Value>& items) {
  if (items.empty()) return "range(0, 0)";
  const std::int64_t first = items.front().as_integer();
  const std::int64_t step = items.size() > 1 ? items[1].as_integer() - first : 1;
  const std::int64_t stop = items.back().as_integer() + step;
  return step == 1 ? fmt::format("range({}, {})", first, stop) : fmt::format("range({}, {}, {})", first, stop, step);
}

}  // namespace

std::string real_to_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::string text = fmt::format("{}", value);  // the shortest that reads back, with an exponent where Python has one
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

Status append_repr(Context& context, const Value& value, std::string& out) {
  const Context::Level level(context);
  WISP_CHECK(level.ok());
  WISP_CHECK(context.spend());
  const std::size_t before = out.size();
  switch (value.kind()) {
    case Kind::none: out += "None"; break;
    case Kind::boolean: out += value.as_boolean() ? "True" : "False"; break;
    case Kind::integer: out += fmt::format("{}", value.as_integer()); break;
    case Kind::real: out += real_to_text(value.as_real()); break;
    case Kind::undefined: out += "Undefined"; break;
    case Kind::string:
      WISP_CHECK(context.spend_bytes(value.as_text().size()));
      append_string_repr(value.as_text(), out);
      break;
    case Kind::list:
      out.push_back('[');
      WISP_CHECK(append_items(context, value.items(), out));
      out.push_back(']');
      return {};
    case Kind::view:
      out += "dict_view([";
      WISP_CHECK(append_items(context, value.items(), out));
      out += "])";
      return {};
    case Kind::tuple:
      out.push_back('(');
      WISP_CHECK(append_items(context, value.items(), out));
      out += value.items().size() == 1 ? ",)" : ")";
      return {};
    case Kind::range: out += range_repr(value.items()); break;
    case Kind::generator: out += "<generator object>"; break;
    case Kind::dict: return append_dict(context, *value.as_dict(), out);
    case Kind::name_space:
      out += "<Namespace ";
      WISP_CHECK(append_dict(context, *value.as_dict(), out));
      out.push_back('>');
      return {};
    case Kind::function: out += static_cast<const Function*>(value.as_object())->describe(); break;
  }
  if (out.size() > context.limits().max_output_bytes) return context.spend_bytes(out.size());
  return context.spend_bytes(out.size() - before);
}

Status append_text(Context& context, const Value& value, std::string& out) {
  if (value.is(Kind::undefined)) return {};
  if (!value.is(Kind::string)) return append_repr(context, value, out);
  WISP_CHECK(context.spend_bytes(value.as_text().size()));
  if (out.size() + value.as_text().size() > context.limits().max_output_bytes)
    return context.spend_bytes(out.size() + value.as_text().size());
  out += value.as_text();
  return {};
}

Result<std::string> to_text(Context& context, const Value& value) {
  std::string out;
  WISP_CHECK(append_text(context, value, out));
  return out;
}

Result<Value> make_string(Context& context, std::string text) {
  WISP_CHECK(context.spend_bytes(text.size()));
  return Value::string(std::move(text));
}

}  // namespace wisp::text::jinja
