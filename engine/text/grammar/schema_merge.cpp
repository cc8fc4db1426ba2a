#include "text/grammar/schema_merge.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>
#include <vector>

namespace wisp::text::grammar {
namespace {

constexpr std::uint32_t kDeepest = 48;
constexpr std::size_t kMostAlternatives = 256;

template <std::size_t N>
bool is_one_of(std::string_view word, const std::array<std::string_view, N>& words) {
  return std::ranges::find(words, word) != words.end();
}

std::uint64_t count_values(const JsonValue& value) {
  std::uint64_t n = 1;
  for (const JsonValue& item : value.items) n += count_values(item);
  for (const auto& [name, member] : value.members) n += count_values(member);
  return n;
}

bool is_false(const JsonValue& value) { return value.is(JsonKind::boolean) && !value.boolean; }
bool is_true(const JsonValue& value) { return value.is(JsonKind::boolean) && value.boolean; }

// {"allOf": [a, b]}, to be flattened when it is its turn.
JsonValue together(const JsonValue& a, const JsonValue& b) {
  if (is_false(a) || is_true(b)) return a;
  if (is_false(b) || is_true(a)) return b;
  JsonValue made = JsonValue::of(JsonKind::object);
  made.set("allOf", JsonValue::array({a, b}));
  return made;
}

std::vector<JsonValue> as_list(const JsonValue& value) {
  return value.is(JsonKind::array) ? value.items : std::vector<JsonValue>{value};
}

// The types in both lists; an integer is a number.
JsonValue common_types(const JsonValue& a, const JsonValue& b) {
  std::vector<JsonValue> types;
  for (const JsonValue& x : as_list(a)) {
    for (const JsonValue& y : as_list(b)) {
      const bool integer = (x.text == "integer" && y.text == "number") || (x.text == "number" && y.text == "integer");
      const JsonValue common = integer ? JsonValue::of(std::string_view("integer")) : x;
      const bool fits = integer || x == y;
      if (fits && std::ranges::find(types, common) == types.end()) types.push_back(common);
    }
  }
  return JsonValue::array(std::move(types));
}

// "a~1b" is "a/b"; "%25" is "%".
std::string decode_pointer_part(std::string_view part) {
  std::string made;
  for (std::size_t i = 0; i < part.size(); ++i) {
    unsigned code = 0;
    if (part[i] == '%' && i + 2 < part.size() &&
        std::from_chars(part.data() + i + 1, part.data() + i + 3, code, 16).ptr == part.data() + i + 3) {
      made.push_back(static_cast<char>(code));
      i += 2;
    } else if (part[i] == '~' && i + 1 < part.size()) {
      made.push_back(part[++i] == '1' ? '/' : '~');
    } else {
      made.push_back(part[i]);
    }
  }
  return made;
}

const JsonValue* find_anchor(const JsonValue& value, std::string_view name) {
  if (const JsonValue* const anchor = value.find("$anchor"); anchor != nullptr && anchor->text == name) return &value;
  for (const JsonValue& item : value.items) {
    if (const JsonValue* const found = find_anchor(item, name)) return found;
  }
  for (const auto& [key, member] : value.members) {
    if (const JsonValue* const found = find_anchor(member, name)) return found;
  }
  return nullptr;
}

}  // namespace

bool is_annotation(std::string_view keyword) {
  constexpr std::array<std::string_view, 21> kWords = {
      "title",       "description",     "default",          "examples",      "example",  "deprecated",  "readOnly",
      "writeOnly",   "$comment",        "$schema",          "$id",           "id",       "$anchor",     "$defs",
      "definitions", "contentEncoding", "contentMediaType", "contentSchema", "nullable", "$vocabulary", "strict"};
  return is_one_of(keyword, kWords);
}

bool is_plain_reference(const JsonValue& schema) {
  return schema.find("$ref") != nullptr && std::ranges::all_of(schema.members, [](const JsonMember& member) {
           return member.name == "$ref" || is_annotation(member.name);
         });
}

Result<const JsonValue*> SchemaMerger::resolve(std::string_view reference) const {
  if (!reference.starts_with('#')) {
    return fail(Code::unsupported, "the reference '{}' leaves this schema; put what it names into $defs",
                printable(reference));
  }
  std::string_view rest = reference.substr(1);
  const JsonValue* at = &root_;
  if (!rest.empty() && rest.front() != '/') {
    at = find_anchor(root_, rest);
    rest = {};
  }
  while (at != nullptr && !rest.empty()) {
    const std::size_t end = std::min(rest.find('/', 1), rest.size());
    const std::string part = decode_pointer_part(rest.substr(1, end - 1));
    rest.remove_prefix(end);
    if (at->is(JsonKind::array)) {
      std::size_t index = 0;
      const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), index);
      const bool inside = error == std::errc{} && stop == part.data() + part.size() && index < at->items.size();
      at = inside ? &at->items[index] : nullptr;
    } else {
      at = at->find(part);
    }
  }
  if (at == nullptr) return fail(Code::not_found, "nothing is there that '{}' names", printable(reference));
  return at;
}

Status SchemaMerger::spend(const JsonValue& value) {
  spent_ += count_values(value);
  if (spent_ <= kMaxMergedValues) return {};
  return fail(Code::limit, "the schema asks for more than {} values when its references and allOf are put together",
              kMaxMergedValues);
}

Result<JsonValue> SchemaMerger::flatten(const JsonValue& schema, std::uint32_t depth) {
  if (depth > kDeepest) {
    return fail(Code::limit, "references or allOf lie more than {} deep in each other, perhaps without end", kDeepest);
  }
  const JsonValue* const all_of = schema.find("allOf");
  const bool refers = schema.find("$ref") != nullptr && !is_plain_reference(schema);
  if (all_of == nullptr && !refers) return schema;
  WISP_CHECK(spend(schema));
  if (all_of != nullptr && !all_of->is(JsonKind::array)) {
    return fail(Code::invalid_argument, "allOf is no list of schemas");
  }
  JsonValue rest = schema;
  rest.remove("allOf");
  if (refers) rest.remove("$ref");
  std::vector<JsonValue> parts;
  if (refers) {
    WISP_TRY(const JsonValue* const target, resolve(schema.find("$ref")->text));
    parts.push_back(*target);
  }
  if (all_of != nullptr) parts.insert(parts.end(), all_of->items.begin(), all_of->items.end());
  // A part that only refers is a name while it is alone, and what it names beside others.
  const bool says_more = !std::ranges::all_of(rest.members, [](const JsonMember& m) { return is_annotation(m.name); });
  if (!says_more && parts.size() == 1) return flatten(parts.front(), depth + 1);
  for (const JsonValue& part : parts) {
    WISP_TRY(rest, both(rest, part, depth + 1));
  }
  return rest;
}

Result<JsonValue> SchemaMerger::both(const JsonValue& first, const JsonValue& second, std::uint32_t depth) {
  const auto opened = [&](const JsonValue& schema) -> Result<JsonValue> {
    if (!is_plain_reference(schema)) return flatten(schema, depth + 1);
    WISP_TRY(const JsonValue* const target, resolve(schema.find("$ref")->text));
    if (!is_plain_reference(*target)) return flatten(*target, depth + 1);
    if (depth > kDeepest) return fail(Code::limit, "references lead to references more than {} times", kDeepest);
    return both(JsonValue::of(true), *target, depth + 1);
  };
  WISP_TRY(const JsonValue a, opened(first));
  WISP_TRY(const JsonValue b, opened(second));
  if (a.is(JsonKind::boolean)) return a.boolean ? b : a;
  if (b.is(JsonKind::boolean)) return b.boolean ? a : b;
  if (!a.is(JsonKind::object) || !b.is(JsonKind::object)) {
    return fail(Code::invalid_argument, "a schema is an object, true or false");
  }
  WISP_CHECK(spend(a));
  WISP_CHECK(spend(b));
  JsonValue merged = a;
  WISP_CHECK(combine_properties(a, b, merged));
  for (const auto& [keyword, value] : b.members) {
    if (keyword == "properties" || keyword == "additionalProperties") continue;
    JsonValue* const mine = merged.find(keyword);
    if (mine == nullptr) {
      merged.set(keyword, value);
    } else if (!is_annotation(keyword)) {
      WISP_CHECK(combine(keyword, *mine, value));
    }
  }
  for (const std::string_view list : {"type", "enum"}) {
    const JsonValue* const left = merged.find(list);
    if (left != nullptr && left->is(JsonKind::array) && left->items.empty()) return JsonValue::of(false);
  }
  return merged;
}

// A property of one side that the other has no word for is a further property there.
Status SchemaMerger::combine_properties(const JsonValue& a, const JsonValue& b, JsonValue& merged) {
  static constexpr std::string_view kProperties = "properties", kOthers = "additionalProperties";
  const JsonValue* const mine = a.find(kProperties);
  const JsonValue* const theirs = b.find(kProperties);
  const JsonValue* const my_others = a.find(kOthers);
  const JsonValue* const their_others = b.find(kOthers);
  if (mine != nullptr || theirs != nullptr) {
    JsonValue properties = JsonValue::of(JsonKind::object);
    const auto take = [&properties](const JsonValue* from, const JsonValue* other, const JsonValue* others,
                                    bool shared) {
      if (from == nullptr) return;
      for (const auto& [name, schema] : from->members) {
        const JsonValue* const same = other == nullptr ? nullptr : other->find(name);
        if (same != nullptr) {
          if (shared) properties.members.push_back({name, together(schema, *same)});
        } else {
          properties.members.push_back({name, others == nullptr ? schema : together(schema, *others)});
        }
      }
    };
    take(mine, theirs, their_others, true);
    take(theirs, mine, my_others, false);
    merged.set(kProperties, std::move(properties));
  }
  if (my_others != nullptr && their_others != nullptr) {
    merged.set(kOthers, together(*my_others, *their_others));
  } else if (their_others != nullptr) {
    merged.set(kOthers, *their_others);
  }
  return {};
}

Status SchemaMerger::combine(std::string_view keyword, JsonValue& mine, const JsonValue& other) {
  constexpr std::array<std::string_view, 5> kLower = {"minimum", "exclusiveMinimum", "minLength", "minItems",
                                                      "minProperties"};
  constexpr std::array<std::string_view, 5> kUpper = {"maximum", "exclusiveMaximum", "maxLength", "maxItems",
                                                      "maxProperties"};
  if (mine == other) return {};
  const bool numbers = mine.is(JsonKind::number) && other.is(JsonKind::number);
  const bool lists = mine.is(JsonKind::array) && other.is(JsonKind::array);
  if (numbers && (is_one_of(keyword, kLower) || is_one_of(keyword, kUpper))) {
    const int order = compare(Decimal::of(mine.text), Decimal::of(other.text));
    if (is_one_of(keyword, kLower) ? order < 0 : order > 0) mine = other;
    return {};
  }
  if (keyword == "type") {
    mine = common_types(mine, other);
    return {};
  }
  if (keyword == "required" && lists) {
    for (const JsonValue& name : other.items) {
      if (std::ranges::find(mine.items, name) == mine.items.end()) mine.items.push_back(name);
    }
    return {};
  }
  if (keyword == "enum" && lists) {
    std::erase_if(mine.items, [&other](const JsonValue& value) {
      return std::ranges::find(other.items, value) == other.items.end();
    });
    return {};
  }
  if (keyword == "items" || keyword == "additionalItems") {
    mine = together(mine, other);
    return {};
  }
  if ((keyword == "anyOf" || keyword == "oneOf") && lists) {
    if (mine.items.size() * other.items.size() > kMostAlternatives) {
      return fail(Code::limit, "{} beside {} multiplies to more than {} alternatives", keyword, keyword,
                  kMostAlternatives);
    }
    std::vector<JsonValue> ways;
    for (const JsonValue& x : mine.items) {
      for (const JsonValue& y : other.items) {
        WISP_CHECK(spend(x));
        WISP_CHECK(spend(y));
        ways.push_back(together(x, y));
      }
    }
    mine.items = std::move(ways);
    return {};
  }
  return fail(Code::unsupported, "two different values of '{}' that both have to hold cannot be put together",
              printable(keyword));
}

}  // namespace wisp::text::grammar
