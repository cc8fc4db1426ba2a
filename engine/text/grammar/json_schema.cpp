#include "text/grammar/json_schema.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "text/grammar/json_grammar.h"
#include "text/grammar/json_value.h"
#include "text/grammar/number_range.h"
#include "text/grammar/regex_parser.h"
#include "text/grammar/schema_facts.h"
#include "text/grammar/schema_formats.h"
#include "text/grammar/schema_merge.h"

namespace wisp::text::grammar {
namespace {

constexpr std::array<std::string_view, 16> kCannotHold = {"not",
                                                          "if",
                                                          "then",
                                                          "else",
                                                          "patternProperties",
                                                          "propertyNames",
                                                          "dependencies",
                                                          "dependentRequired",
                                                          "dependentSchemas",
                                                          "contains",
                                                          "minContains",
                                                          "maxContains",
                                                          "$dynamicRef",
                                                          "$recursiveRef",
                                                          "unevaluatedItems",
                                                          "$dynamicAnchor"};

constexpr std::size_t kAllTypes = 7;

// Where in the schema's document something stands, for messages.
struct Place {
  const Place* above = nullptr;
  std::string_view part = {};
  std::uint32_t depth = 0;

  [[nodiscard]] Place at(std::string_view name) const { return {this, name, depth + 1}; }
  [[nodiscard]] std::string pointer() const {
    if (above == nullptr) return std::string(part);
    std::string text = above->pointer() + "/";
    for (const char c : part) text += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    return text;
  }
};

class SchemaCompiler {
 public:
  SchemaCompiler(const JsonValue& root, Grammar& grammar)
      : root_(root), grammar_(grammar), json_(grammar), merger_(root) {}

  Status compile() {
    const Place place;
    WISP_TRY(const NodeId root, schema(root_, place));
    grammar_.set_root(root);
    while (!waiting_.empty()) {
      const auto [reference, rule] = std::move(waiting_.back());
      waiting_.pop_back();
      WISP_TRY(const JsonValue* const target, merger_.resolve(reference));
      const Place there{nullptr, std::string_view(reference).substr(1)};
      WISP_TRY(const NodeId body, schema(*target, there));
      grammar_.define(rule, body);
    }
    return {};
  }

 private:
  static std::unexpected<Error> wrong(const Place& place, Error cause) {
    const std::string pointer = place.pointer();
    return fail_in(std::move(cause), "at {}", pointer.empty() ? "the root of the schema" : printable(pointer, 200));
  }
  template <class... Args>
  static std::unexpected<Error> wrong(const Place& place, Code code, fmt::format_string<Args...> text, Args&&... args) {
    return wrong(place, Error{code, fmt::format(text, std::forward<Args>(args)...)});
  }
  // A failure of what knows no places gets one.
  template <class T>
  static Result<T> placed(const Place& place, Result<T> result) {
    if (result) return result;
    return wrong(place, std::move(result).error());
  }

  Result<NodeId> schema(const JsonValue& given, const Place& place) {
    if (place.depth > 2 * kMaxSchemaNesting) {
      return wrong(place, Code::limit, "schemas lie more than {} deep in each other", kMaxSchemaNesting);
    }
    if (given.is(JsonKind::boolean)) return given.boolean ? json_.value() : grammar_.never();
    if (!given.is(JsonKind::object)) {
      return wrong(place, Code::invalid_argument, "a schema is an object, true or false");
    }
    if (is_plain_reference(given)) return reference(*given.find("$ref"), place);
    WISP_TRY(const JsonValue flat, placed(place, merger_.flatten(given)));
    if (flat.is(JsonKind::boolean)) return flat.boolean ? json_.value() : grammar_.never();
    if (is_plain_reference(flat)) return reference(*flat.find("$ref"), place);
    for (const std::string_view keyword : kCannotHold) {
      if (flat.find(keyword) != nullptr) {
        return wrong(place, Code::unsupported, "'{}' cannot be held while a text is generated; say it without",
                     keyword);
      }
    }
    if (flat.find("const") != nullptr || flat.find("enum") != nullptr) return listed(flat, place);
    for (const std::string_view keyword : {"anyOf", "oneOf"}) {
      if (flat.find(keyword) != nullptr) return alternatives(flat, keyword, place);
    }
    WISP_TRY(const std::vector<std::string> types, placed(place, types_of(flat)));
    if (flat.find("type") == nullptr && types.size() == kAllTypes) return json_.value();
    std::vector<NodeId> ways;
    for (const std::string& type : types) {
      WISP_TRY(ways.emplace_back(), of_type(type, flat, place));
    }
    return grammar_.choice(ways);
  }

  Result<NodeId> reference(const JsonValue& name, const Place& place) {
    if (!name.is(JsonKind::string)) return wrong(place, Code::invalid_argument, "$ref is no text");
    const auto known = references_.find(name.text);
    if (known != references_.end()) return grammar_.rule(known->second);
    WISP_TRY(const JsonValue* const target, placed(place, merger_.resolve(name.text)));
    static_cast<void>(target);
    const RuleId rule = grammar_.declare(name.text);
    references_.emplace(name.text, rule);
    waiting_.emplace_back(name.text, rule);
    return grammar_.rule(rule);
  }

  Result<NodeId> listed(const JsonValue& flat, const Place& place) {
    const JsonValue* const constant = flat.find("const");
    const JsonValue* const list = flat.find("enum");
    if (list != nullptr && !list->is(JsonKind::array)) {
      return wrong(place, Code::invalid_argument, "enum is no list of values");
    }
    for (const std::string_view keyword : {"anyOf", "oneOf"}) {
      if (flat.find(keyword) != nullptr) {
        return wrong(place, Code::unsupported, "enum or const beside {} cannot be held; put it into the alternatives",
                     keyword);
      }
    }
    std::vector<JsonValue> values;
    if (constant != nullptr) values.push_back(*constant);
    if (list != nullptr) {
      if (constant == nullptr) {
        values = list->items;
      } else if (std::ranges::find(list->items, *constant) == list->items.end()) {
        values.clear();
      }
    }
    std::vector<NodeId> ways;
    for (const JsonValue& value : values) {
      WISP_TRY(const bool fits, placed(place, passes(value, flat)));
      if (fits) ways.push_back(json_.constant(value));
    }
    return grammar_.choice(ways);
  }

  Result<NodeId> alternatives(JsonValue flat, std::string_view keyword, const Place& place) {
    const JsonValue list = *flat.find(keyword);
    if (!list.is(JsonKind::array) || list.items.empty()) {
      return wrong(place, Code::invalid_argument, "{} is no list of schemas", keyword);
    }
    flat.remove(keyword);
    const bool says_more =
        std::ranges::any_of(flat.members, [](const JsonMember& member) { return !is_annotation(member.name); });
    const Place list_place = place.at(keyword);
    std::vector<JsonValue> merged;
    std::vector<NodeId> ways;
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      const std::string index = fmt::format("{}", i);
      const Place there = list_place.at(index);
      JsonValue way = list.items[i];
      if (says_more) {
        WISP_TRY(way, placed(there, merger_.both(flat, way)));
      }
      WISP_TRY(ways.emplace_back(), schema(way, there));
      if (keyword == "oneOf") {
        WISP_TRY(JsonValue alone, placed(there, merger_.both(JsonValue::of(true), way)));
        merged.push_back(std::move(alone));
      }
    }
    for (std::size_t i = 0; i < merged.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (ways[i] == grammar_.never() || ways[j] == grammar_.never()) continue;
        WISP_TRY(const bool apart, placed(list_place, exclude_each_other(merged[i], merged[j])));
        if (!apart) {
          return wrong(list_place, Code::unsupported,
                       "alternatives {} and {} may both be valid for a value, which oneOf forbids; use anyOf, or tell "
                       "them apart by type or by a required property with different constants",
                       j, i);
        }
      }
    }
    return grammar_.choice(ways);
  }

  Result<NodeId> of_type(std::string_view type, const JsonValue& flat, const Place& place) {
    if (type == "null") return json_.text("null");
    if (type == "boolean") return grammar_.choice({json_.text("true"), json_.text("false")});
    if (type == "string") return string(flat, place);
    if (type == "array") return array(flat, place);
    if (type == "object") return object(flat, place);
    return number(flat, type == "integer", place);
  }

  // ---- numbers ----

  Result<NodeId> number(const JsonValue& flat, bool integer, const Place& place) {
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

  Result<NodeId> string(const JsonValue& flat, const Place& place) {
    WISP_TRY(const std::uint32_t least, placed(place, count_of(flat, "minLength", 0)));
    WISP_TRY(const std::uint32_t most, placed(place, count_of(flat, "maxLength", kUnbounded)));
    if (least > most) return grammar_.never();
    const JsonValue* const pattern = flat.find("pattern");
    const JsonValue* const format = flat.find("format");
    const auto known_format = format != nullptr ? format_pattern(format->text) : std::nullopt;
    if (pattern == nullptr && !known_format) return json_.string(least, most);
    if (pattern != nullptr && known_format) {
      return wrong(place, Code::unsupported, "a pattern beside the format '{}' cannot be held",
                   printable(format->text));
    }
    if (pattern != nullptr && !pattern->is(JsonKind::string)) {
      return wrong(place, Code::invalid_argument, "pattern is no text");
    }
    const RegexOptions options{.search = pattern != nullptr,
                               .spell = [this](const CharSet& set) { return json_.char_of(set); }};
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
    return json_.quoted(parsed.node);
  }

  // ---- arrays ----

  Result<NodeId> array(const JsonValue& flat, const Place& place) {
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

  NodeId items_node(std::span<const NodeId> first, NodeId rest, std::uint32_t least, std::uint32_t most) {
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

  // ---- objects ----

  struct Property {
    NodeId member;
    bool required;
  };

  Result<NodeId> object(const JsonValue& flat, const Place& place) {
    WISP_TRY(const std::uint32_t least, placed(place, count_of(flat, "minProperties", 0)));
    WISP_TRY(const std::uint32_t most, placed(place, count_of(flat, "maxProperties", kUnbounded)));
    const JsonValue* const properties = flat.find("properties");
    const JsonValue* const required = flat.find("required");
    if ((properties != nullptr && !properties->is(JsonKind::object)) ||
        (required != nullptr && !required->is(JsonKind::array))) {
      return wrong(place, Code::invalid_argument, "properties is no object of schemas, or required no list of names");
    }
    const bool closed = is_closed(flat);
    const JsonValue* const others = flat.find("additionalProperties");
    NodeId other = grammar_.never();
    if (!closed) {
      other = json_.value();
      if (others != nullptr) {
        WISP_TRY(other, schema(*others, place.at("additionalProperties")));
      }
    }
    other = shared("other property", other);

    std::vector<Property> listed;
    std::vector<std::string> names;
    const auto add = [&](const std::string& name, NodeId value, bool is_needed) {
      names.push_back(name);
      const NodeId member = json_.member(json_.text(json_string(name)), value);
      listed.push_back({shared(name, member), is_needed});
    };
    if (properties != nullptr) {
      const Place there = place.at("properties");
      for (const auto& [name, value] : properties->members) {
        WISP_TRY(const NodeId node, schema(value, there.at(name)));
        add(name, node, is_required(flat, name));
      }
    }
    if (required != nullptr) {
      const bool forbidden = others != nullptr && others->is(JsonKind::boolean) && !others->boolean;
      for (const JsonValue& name : required->items) {
        if (!name.is(JsonKind::string)) return wrong(place, Code::invalid_argument, "required is no list of names");
        if (std::ranges::find(names, name.text) != names.end()) continue;
        add(name.text, forbidden ? grammar_.never() : closed && others == nullptr ? json_.value() : other, true);
      }
    }
    const NodeId further =
        other == grammar_.never() ? other : shared("other member", json_.member(json_.string_but(names), other));
    return members(listed, further, least, most, place);
  }

  // Rules for what may follow once the properties before number `i` are written or passed over: `first` where none was
  // written, `more` behind a comma. Where counts matter, there are as many as there are counts.
  Result<NodeId> members(std::span<const Property> listed, NodeId further, std::uint32_t least, std::uint32_t most,
                         const Place& place) {
    constexpr std::size_t kMostRules = 40'000;
    const auto n = static_cast<std::uint32_t>(listed.size());
    const auto n_required = static_cast<std::uint32_t>(std::ranges::count(listed, true, &Property::required));
    const bool counts = least > n_required || (most < n || (most != kUnbounded && further != grammar_.never()));
    const std::uint32_t n_counts = counts ? std::min(n, most) + 1 : 1;  // of written properties
    if (std::size_t{n} * n_counts > kMostRules) {
      return wrong(place, Code::unsupported, "minProperties or maxProperties beside {} properties cannot be held", n);
    }
    const NodeId next_further = grammar_.sequence({json_.comma(), further});
    // Behind the last listed one. Further names may come twice, so one of them is sure to count and no more.
    const auto end = [&](std::uint32_t written, bool is_first) {
      const std::uint32_t missing = counts && least > written ? least - written : 0;
      const std::uint32_t room = most == kUnbounded ? kUnbounded : most - std::min(most, written);
      if (missing > 1 || missing > room) return grammar_.never();
      if (!is_first) return grammar_.repeat(next_further, missing, room);
      if (room == 0) return grammar_.empty();
      const NodeId some =
          grammar_.sequence({further, grammar_.repeat(next_further, 0, room == kUnbounded ? kUnbounded : room - 1)});
      return missing == 0 ? grammar_.optional(some) : some;
    };
    std::vector<NodeId> more(n_counts), before;
    for (std::uint32_t c = 0; c < n_counts; ++c) more[c] = end(c, false);
    NodeId first = end(0, true);
    for (std::uint32_t i = n; i-- > 0;) {
      before = more;
      const Property& property = listed[i];
      const auto behind = [&](std::uint32_t written) {
        if (!counts) return before[0];
        return written + 1 < n_counts ? before[written + 1] : grammar_.never();
      };
      const NodeId skip_first = property.required ? grammar_.never() : first;
      first = rule_for("members", grammar_.choice({grammar_.sequence({property.member, behind(0)}), skip_first}));
      for (std::uint32_t c = 0; c < n_counts; ++c) {
        const NodeId skip = property.required ? grammar_.never() : before[c];
        more[c] = rule_for("members",
                           grammar_.choice({grammar_.sequence({json_.comma(), property.member, behind(c)}), skip}));
      }
    }
    return braces(first);
  }

  // An object without members is `{}`, with blanks or not.
  NodeId braces(NodeId inside) {
    if (inside == grammar_.never()) return inside;
    return grammar_.sequence({json_.text("{"), json_.blank(), inside, json_.blank(), json_.text("}")});
  }

  NodeId rule_for(std::string_view name, NodeId body) {
    if (body == grammar_.never() || body == grammar_.empty()) return body;
    const RuleId rule = grammar_.declare(name);
    grammar_.define(rule, body);
    return grammar_.rule(rule);
  }
  // What is used more than once is written once.
  NodeId shared(std::string_view name, NodeId node) {
    return grammar_.node(node).kind == NodeKind::rule ? node : rule_for(name, node);
  }

  const JsonValue& root_;
  Grammar& grammar_;
  JsonGrammar json_;
  SchemaMerger merger_;
  CharClasses classes_;
  std::map<std::string, RuleId, std::less<>> references_;
  std::vector<std::pair<std::string, RuleId>> waiting_;  // declared, not compiled yet
};

}  // namespace

Status parse_json_schema(std::string_view source, Grammar& grammar) {
  if (source.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    grammar.set_root(JsonGrammar(grammar).value());
    return {};
  }
  WISP_TRY(const JsonValue root, parse_json(source));
  return SchemaCompiler(root, grammar).compile();
}

}  // namespace wisp::text::grammar
