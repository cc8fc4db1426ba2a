#include "text/grammar/schema_facts.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "text/utf8.h"

namespace wisp::text::grammar {
namespace {

constexpr std::array<std::string_view, 7> kTypes = {"object", "array",   "string", "integer",
                                                    "number", "boolean", "null"};

struct Hint {
  std::string_view keyword, type;
};
// Keywords that speak of one type only.
constexpr std::array<Hint, 22> kHints = {{
    {"properties", "object"},
    {"required", "object"},
    {"additionalProperties", "object"},
    {"minProperties", "object"},
    {"maxProperties", "object"},
    {"patternProperties", "object"},
    {"propertyNames", "object"},
    {"items", "array"},
    {"prefixItems", "array"},
    {"minItems", "array"},
    {"maxItems", "array"},
    {"uniqueItems", "array"},
    {"contains", "array"},
    {"minLength", "string"},
    {"maxLength", "string"},
    {"pattern", "string"},
    {"format", "string"},
    {"minimum", "number"},
    {"maximum", "number"},
    {"exclusiveMinimum", "number"},
    {"exclusiveMaximum", "number"},
    {"multipleOf", "number"},
}};

std::string_view type_of(const JsonValue& value) {
  switch (value.kind) {
    case JsonKind::null: return "null";
    case JsonKind::boolean: return "boolean";
    case JsonKind::number: return Decimal::of(value.text).is_integer() ? "integer" : "number";
    case JsonKind::string: return "string";
    case JsonKind::array: return "array";
    case JsonKind::object: return "object";
  }
  return "null";
}

bool has_type(const JsonValue& value, const std::vector<std::string>& types) {
  const std::string_view type = type_of(value);
  return std::ranges::find(types, type) != types.end() ||
         (type == "integer" && std::ranges::find(types, "number") != types.end());
}

// The listed values, where only those are valid.
std::optional<std::vector<JsonValue>> values_of(const JsonValue& schema) {
  if (const JsonValue* const constant = schema.find("const")) return std::vector<JsonValue>{*constant};
  if (const JsonValue* const list = schema.find("enum"); list != nullptr && list->is(JsonKind::array))
    return list->items;
  return std::nullopt;
}

bool is_inside(const Decimal& value, const NumberRange& range) {
  if (range.low) {
    const int order = compare(value, range.low->at);
    if (order < 0 || (order == 0 && !range.low->inclusive)) return false;
  }
  if (range.high) {
    const int order = compare(value, range.high->at);
    if (order > 0 || (order == 0 && !range.high->inclusive)) return false;
  }
  return true;
}

bool are_apart(const NumberRange& a, const NumberRange& b) {
  const auto below = [](const NumberRange& lower, const NumberRange& upper) {
    if (!lower.high || !upper.low) return false;
    const int order = compare(lower.high->at, upper.low->at);
    return order < 0 || (order == 0 && !(lower.high->inclusive && upper.low->inclusive));
  };
  return below(a, b) || below(b, a);
}

Result<bool> fails(const JsonValue& a, const JsonValue& b);

// Whether objects that are generated for `a` can never be valid for `b`.
Result<bool> objects_fail(const JsonValue& a, const JsonValue& b) {
  const JsonValue* const mine = a.find("properties");
  const JsonValue* const theirs = b.find("properties");
  if (const JsonValue* const required = b.find("required")) {
    for (const JsonValue& name : required->items) {
      const bool known = (mine != nullptr && mine->find(name.text) != nullptr) || is_required(a, name.text);
      if (!known && is_closed(a)) return true;
    }
  }
  const JsonValue* const required = a.find("required");
  if (required == nullptr) return false;
  const JsonValue* const others = b.find("additionalProperties");
  const bool refuses_others = others != nullptr && others->is(JsonKind::boolean) && !others->boolean;
  for (const JsonValue& name : required->items) {
    const JsonValue* const there = theirs == nullptr ? nullptr : theirs->find(name.text);
    if (there == nullptr && refuses_others) return true;
    const JsonValue* const here = mine == nullptr ? nullptr : mine->find(name.text);
    if (here == nullptr || there == nullptr) continue;
    if (!here->is(JsonKind::object) || !there->is(JsonKind::object)) continue;
    WISP_TRY(const bool apart, fails(*here, *there));
    if (apart) return true;
  }
  return false;
}

bool is_merged(const JsonValue& schema) {
  constexpr std::array<std::string_view, 4> kOthers = {"$ref", "allOf", "anyOf", "oneOf"};
  return std::ranges::none_of(kOthers, [&](std::string_view keyword) { return schema.find(keyword) != nullptr; });
}

// The types that pass, whatever is generated.
Result<std::vector<std::string>> valid_types_of(const JsonValue& schema) {
  if (schema.find("type") != nullptr) return types_of(schema);
  return std::vector<std::string>(kTypes.begin(), kTypes.end());
}

// Whether nothing that is generated for `a` is valid for `b`; false where that is not known.
Result<bool> fails(const JsonValue& a, const JsonValue& b) {
  const auto mine = values_of(a), theirs = values_of(b);
  WISP_TRY(const std::vector<std::string> made, types_of(a));
  WISP_TRY(const std::vector<std::string> valid, valid_types_of(b));
  if (mine) {
    return std::ranges::all_of(*mine, [&](const JsonValue& value) {
      return (theirs && std::ranges::find(*theirs, value) == theirs->end()) || !has_type(value, valid);
    });
  }
  if (!is_merged(a) || !is_merged(b)) return false;
  if (theirs) return std::ranges::none_of(*theirs, [&](const JsonValue& value) { return has_type(value, made); });
  const auto is_number = [](std::string_view type) { return type == "integer" || type == "number"; };
  for (const std::string& type : made) {
    const bool shared = std::ranges::any_of(
        valid, [&](const std::string& other) { return other == type || (is_number(other) && is_number(type)); });
    if (!shared) continue;
    if (is_number(type)) {
      WISP_TRY(const NumberRange x, range_of(a));
      WISP_TRY(const NumberRange y, range_of(b));
      if (!are_apart(x, y)) return false;
    } else if (type == "object") {
      WISP_TRY(const bool apart, objects_fail(a, b));
      if (!apart) return false;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

Result<std::vector<std::string>> types_of(const JsonValue& schema) {
  std::vector<std::string> types;
  const auto add = [&types](std::string_view type) {
    if (std::ranges::find(types, type) == types.end()) types.emplace_back(type);
  };
  if (const JsonValue* const type = schema.find("type")) {
    const std::vector<JsonValue> one = {*type};
    for (const JsonValue& name : type->is(JsonKind::array) ? type->items : one) {
      if (std::ranges::find(kTypes, name.text) == kTypes.end()) {
        return fail(Code::invalid_argument,
                    "'{}' is no type; there are object, array, string, integer, number, boolean "
                    "and null",
                    printable(name.text));
      }
      add(name.text);
    }
    return types;
  }
  for (const Hint& hint : kHints) {
    if (schema.find(hint.keyword) != nullptr) add(hint.type);
  }
  if (types.empty()) types.assign(kTypes.begin(), kTypes.end());
  return types;
}

Result<NumberRange> range_of(const JsonValue& schema) {
  NumberRange range;
  const auto bound = [&](std::string_view keyword) -> Result<std::optional<Decimal>> {
    const JsonValue* const value = schema.find(keyword);
    if (value == nullptr) return std::nullopt;
    if (!value->is(JsonKind::number)) return fail(Code::invalid_argument, "{} is no number", keyword);
    return Decimal::of(value->text);
  };
  WISP_TRY(const auto minimum, bound("minimum"));
  WISP_TRY(const auto maximum, bound("maximum"));
  WISP_TRY(const auto above, bound("exclusiveMinimum"));
  WISP_TRY(const auto below, bound("exclusiveMaximum"));
  if (minimum) range.low = Bound{*minimum, true};
  if (maximum) range.high = Bound{*maximum, true};
  if (above && (!minimum || compare(*above, *minimum) >= 0)) range.low = Bound{*above, false};
  if (below && (!maximum || compare(*below, *maximum) <= 0)) range.high = Bound{*below, false};
  return range;
}

Result<std::uint32_t> count_of(const JsonValue& schema, std::string_view keyword, std::uint32_t otherwise) {
  constexpr std::uint32_t kMost = 1u << 31;
  const JsonValue* const value = schema.find(keyword);
  if (value == nullptr) return otherwise;
  const Decimal count = value->is(JsonKind::number) ? Decimal::of(value->text) : Decimal{};
  if (!value->is(JsonKind::number) || count.negative || !count.is_integer()) {
    return fail(Code::invalid_argument, "{} is no count", keyword);
  }
  if (count.is_zero()) return 0;
  if (count.exponent > 9) return kMost;
  std::uint32_t n = 0;
  const std::string digits = count.whole();
  static_cast<void>(std::from_chars(digits.data(), digits.data() + digits.size(), n));
  return std::min(n, kMost);
}

bool is_closed(const JsonValue& schema) {
  const JsonValue* const others = schema.find("additionalProperties");
  if (others != nullptr) return others->is(JsonKind::boolean) && !others->boolean;
  const JsonValue* const properties = schema.find("properties");
  return properties != nullptr;
}

bool is_required(const JsonValue& schema, std::string_view property) {
  const JsonValue* const required = schema.find("required");
  return required != nullptr && std::ranges::any_of(required->items, [property](const JsonValue& name) {
           return name.is(JsonKind::string) && name.text == property;
         });
}

Result<bool> passes(const JsonValue& value, const JsonValue& schema) {
  if (schema.find("type") != nullptr) {
    WISP_TRY(const std::vector<std::string> types, types_of(schema));
    if (!has_type(value, types)) return false;
  }
  if (value.is(JsonKind::number)) {
    WISP_TRY(const NumberRange range, range_of(schema));
    if (schema.find("multipleOf") != nullptr) {
      return fail(Code::unsupported, "an enum beside multipleOf cannot be held; list the values that remain");
    }
    return is_inside(Decimal::of(value.text), range);
  }
  if (value.is(JsonKind::string)) {
    if (schema.find("pattern") != nullptr) {
      return fail(Code::unsupported, "an enum beside a pattern cannot be held; list the values that remain");
    }
    WISP_TRY(const std::uint32_t least, count_of(schema, "minLength", 0));
    WISP_TRY(const std::uint32_t most, count_of(schema, "maxLength", kUnbounded));
    std::size_t length = 0;
    for (std::size_t at = 0; at < value.text.size(); at += decode_utf8(value.text, at).length) ++length;
    return length >= least && length <= most;
  }
  if (!value.is(JsonKind::array) && !value.is(JsonKind::object)) return true;
  const std::string_view type = type_of(value);
  for (const Hint& hint : kHints) {
    if (hint.type == type && schema.find(hint.keyword) != nullptr) {
      return fail(Code::unsupported, "an enum of {}s beside {} cannot be held; list the values that remain", type,
                  hint.keyword);
    }
  }
  return true;
}

Result<bool> exclude_each_other(const JsonValue& a, const JsonValue& b) {
  WISP_TRY(const bool there, fails(a, b));
  if (!there) return false;
  return fails(b, a);
}

}  // namespace wisp::text::grammar
