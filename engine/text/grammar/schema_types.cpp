// Numbers, strings and arrays of schemas.
#include "text/grammar/schema_compiler.h"

#include <algorithm>
#include <charconv>

#include "text/grammar/number_range.h"
#include "text/grammar/regex_parser.h"
#include "text/grammar/schema_facts.h"
#include "text/grammar/schema_formats.h"

namespace wisp::text::grammar {

// ---- numbers ----

Result<NodeId> SchemaCompiler::number(const JsonValue& flat, bool integer, const Place& place) {
  WISP_TRY(NumberRange range, placed(place, range_of(flat)));
  const JsonValue* const format = flat.find("format");
  const bool bits32 = format != nullptr && format->text == "int32";
  if (bits32 || (format != nullptr && format->text == "int64")) {
    const Bound least{Decimal::of(bits32 ? "-2147483648" : "-9223372036854775808")};
    const Bound most{Decimal::of(bits32 ? "2147483647" : "9223372036854775807")};
    if (!range.low || compare(range.low->at, least.at) < 0) range.low = least;
    if (!range.high || compare(range.high->at, most.at) > 0) range.high = most;
  }
  const bool bounded = range.low || range.high;
  if (const JsonValue* const divisor = flat.find("multipleOf")) {
    std::int64_t value = 0;
    const Decimal exact = divisor->is(JsonKind::number) ? Decimal::of(divisor->text) : Decimal{};
    if (exact.is_zero() || exact.negative) {
      return wrong(place, Code::invalid_argument, "multipleOf is no number above 0");
    }
    if (!exact.is_integer() || exact.exponent > 15) {
      return wrong(place, Code::unsupported, "multipleOf {} cannot be held; only integers up to 15 digits can",
                   printable(divisor->text));
    }
    const std::string digits = exact.whole();
    static_cast<void>(std::from_chars(digits.data(), digits.data() + digits.size(), value));
    return placed(place, multiples(grammar_, range, value));
  }
  if (integer) return bounded ? placed(place, integer_range(grammar_, range)) : json_.integer();
  return bounded ? placed(place, number_range(grammar_, range)) : json_.number();
}

// ---- strings ----

Result<NodeId> SchemaCompiler::string(const JsonValue& flat, const Place& place, Part part) {
  WISP_TRY(const std::uint32_t least, placed(place, count_of(flat, "minLength", 0)));
  WISP_TRY(const std::uint32_t most, placed(place, count_of(flat, "maxLength", kUnbounded)));
  if (least > most) return grammar_.never();
  const JsonValue* const pattern = flat.find("pattern");
  const JsonValue* const format = flat.find("format");
  const auto known_format = format != nullptr ? format_pattern(format->text) : std::nullopt;
  const RawStrings* const raw = is_raw(part) ? form_.arguments->raw : nullptr;
  if (raw != nullptr && pattern == nullptr && !known_format && least == 0 && most == kUnbounded) {
    return part == Part::strings_beside_json ? raw->beside_json : raw->any;
  }
  if (part == Part::strings_beside_json) return grammar_.never();  // which of them are no JSON is not known
  if (pattern == nullptr && !known_format) {
    return raw != nullptr ? grammar_.repeat(grammar_.chars(raw->characters), least, most) : json_.string(least, most);
  }
  if (pattern != nullptr && known_format) {
    return wrong(place, Code::unsupported, "a pattern beside the format '{}' cannot be held", printable(format->text));
  }
  if (pattern != nullptr && !pattern->is(JsonKind::string)) {
    return wrong(place, Code::invalid_argument, "pattern is no text");
  }
  const RegexOptions options{.search = pattern != nullptr, .spell = [this, raw](const CharSet& set) {
                               return raw != nullptr ? grammar_.chars(set.intersection(raw->characters))
                                                     : json_.char_of(set);
                             }};
  const std::string_view source = pattern != nullptr ? std::string_view(pattern->text) : *known_format;
  WISP_TRY(Pattern parsed, placed(place.at(pattern != nullptr ? "pattern" : "format"),
                                  parse_regex(source, grammar_, classes_, options)));
  if (parsed.shortest < least || parsed.longest > most) {
    if (!parsed.unit) {
      return wrong(place, Code::unsupported,
                   "a {} whose texts have {} to {} characters cannot be held beside minLength or maxLength; say how "
                   "long it is in the pattern alone",
                   pattern != nullptr ? "pattern" : "format", parsed.shortest,
                   parsed.longest == kUnbounded ? std::string("any number of") : fmt::format("{}", parsed.longest));
    }
    const std::uint32_t from = std::max(parsed.shortest, least), to = std::min(parsed.longest, most);
    if (from > to) return grammar_.never();
    parsed.node = grammar_.repeat(*parsed.unit, from, to);
  }
  return raw != nullptr ? parsed.node : json_.quoted(parsed.node);
}

// `never` for a text that would be read as more than itself.
NodeId SchemaCompiler::raw_string_of(std::string_view text, Part part) {
  const RawStrings& raw = *form_.arguments->raw;
  const bool holds_mark = std::ranges::any_of(
      raw.marks, [text](const std::string& mark) { return text.find(mark) != std::string_view::npos; });
  if (holds_mark || text.find('\r') != std::string_view::npos) return grammar_.never();
  if (part != Part::strings && parse_json(text)) return grammar_.never();
  return grammar_.literal(text);
}

// ---- arrays ----

Result<NodeId> SchemaCompiler::array(const JsonValue& flat, const Place& place) {
  WISP_TRY(const std::uint32_t least, placed(place, count_of(flat, "minItems", 0)));
  WISP_TRY(std::uint32_t most, placed(place, count_of(flat, "maxItems", kUnbounded)));
  const JsonValue* const unique = flat.find("uniqueItems");
  if (unique != nullptr && unique->boolean && most > 1) {
    return wrong(place, Code::unsupported, "uniqueItems cannot be held while a text is generated; say it without");
  }
  const JsonValue* items = flat.find("items");
  const JsonValue* prefix = flat.find("prefixItems");
  std::string_view items_name = "items", prefix_name = "prefixItems";
  if (items != nullptr && items->is(JsonKind::array)) {  // as schemas of 2019 and before wrote it
    prefix = std::exchange(items, flat.find("additionalItems"));
    prefix_name = std::exchange(items_name, "additionalItems");
  }
  std::vector<NodeId> first;
  if (prefix != nullptr) {
    constexpr std::size_t kMostPrefix = 100;
    if (!prefix->is(JsonKind::array) || prefix->items.size() > kMostPrefix) {
      return wrong(place, Code::invalid_argument, "{} is no list of up to {} schemas", prefix_name, kMostPrefix);
    }
    const Place there = place.at(prefix_name);
    for (std::size_t i = 0; i < prefix->items.size() && i < most; ++i) {
      const std::string index = fmt::format("{}", i);
      WISP_TRY(first.emplace_back(), schema(prefix->items[i], there.at(index)));
    }
  }
  NodeId rest = json_.value();
  if (items != nullptr) {
    WISP_TRY(rest, schema(*items, place.at(items_name)));
  }
  rest = shared("items", rest);
  if (rest == grammar_.never()) most = std::min(most, static_cast<std::uint32_t>(first.size()));
  return items_node(first, rest, least, most);
}

NodeId SchemaCompiler::items_node(std::span<const NodeId> first, NodeId rest, std::uint32_t least, std::uint32_t most) {
  if (least > most) return grammar_.never();
  const auto n_first = static_cast<std::uint32_t>(first.size());
  NodeId tail = grammar_.empty();
  if (first.empty()) {
    if (most == 0) return json_.text("[]");
    const NodeId more = grammar_.repeat(grammar_.sequence({json_.comma(), rest}), least > 1 ? least - 1 : 0,
                                        most == kUnbounded ? kUnbounded : most - 1);
    tail = grammar_.sequence({rest, more});
  } else {
    tail = grammar_.repeat(grammar_.sequence({json_.comma(), rest}), least > n_first ? least - n_first : 0,
                           most == kUnbounded ? kUnbounded : most - n_first);
    for (std::uint32_t i = n_first; i-- > 0;) {
      tail = grammar_.sequence({i > 0 ? json_.comma() : grammar_.empty(), first[i], tail});
      if (i > 0 && i >= least) tail = grammar_.optional(tail);
    }
  }
  const NodeId some = json_.bracketed(tail);
  return least == 0 ? grammar_.choice({some, json_.text("[]")}) : some;
}

}  // namespace wisp::text::grammar
