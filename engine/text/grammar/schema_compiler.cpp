#include "text/grammar/schema_compiler.h"

#include <algorithm>
#include <array>

#include "text/grammar/schema_facts.h"

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

std::string_view type_of(JsonKind kind) {
  switch (kind) {
    case JsonKind::null: return "null";
    case JsonKind::boolean: return "boolean";
    case JsonKind::number: return "number";
    case JsonKind::string: return "string";
    case JsonKind::array: return "array";
    case JsonKind::object: return "object";
  }
  return "null";
}

}  // namespace

std::string Place::pointer() const {
  if (above == nullptr) return std::string(part);
  std::string text = above->pointer() + "/";
  for (const char c : part) text += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return text;
}

Result<NodeId> SchemaCompiler::compile(Part part) {
  WISP_TRY(const NodeId root, schema(root_, Place{}, part));
  while (!waiting_.empty()) {
    const Waiting next = std::move(waiting_.back());
    waiting_.pop_back();
    WISP_TRY(const JsonValue* const target, merger_.resolve(next.reference));
    const Place there{nullptr, std::string_view(next.reference).substr(1)};
    WISP_TRY(const NodeId body, schema(*target, there, next.part));
    grammar_.define(next.rule, body);
  }
  return root;
}

std::unexpected<Error> SchemaCompiler::wrong(const Place& place, Error cause) {
  const std::string pointer = place.pointer();
  return fail_in(std::move(cause), "at {}", pointer.empty() ? "the root of the schema" : printable(pointer, 200));
}

bool SchemaCompiler::is_in(Part part, std::string_view type) {
  switch (part) {
    case Part::any: return true;
    case Part::strings:
    case Part::strings_beside_words:
    case Part::strings_beside_json: return type == "string";
    case Part::others: return type != "string";
    case Part::objects: return type == "object";
  }
  return false;
}

bool SchemaCompiler::is_raw(Part part) {
  return part == Part::strings || part == Part::strings_beside_words || part == Part::strings_beside_json;
}

Result<NodeId> SchemaCompiler::any_value(const Place& place, Part part) {
  switch (part) {
    case Part::any: break;
    case Part::strings:
    case Part::strings_beside_words: return form_.arguments->raw->any;
    case Part::strings_beside_json: return form_.arguments->raw->beside_json;
    case Part::others: return json_.value_but_string();
    case Part::objects:
      if (form_.arguments == nullptr) return json_.object();
      return object(JsonValue::of(JsonKind::object), place, true);
  }
  return json_.value();
}

Result<NodeId> SchemaCompiler::schema(const JsonValue& given, const Place& place, Part part) {
  if (place.depth > 2 * kMaxSchemaNesting) {
    return wrong(place, Code::limit, "schemas lie more than {} deep in each other", kMaxSchemaNesting);
  }
  const auto truth = [&](bool any) -> Result<NodeId> { return any ? any_value(place, part) : grammar_.never(); };
  if (given.is(JsonKind::boolean)) return truth(given.boolean);
  if (!given.is(JsonKind::object)) {
    return wrong(place, Code::invalid_argument, "a schema is an object, true or false");
  }
  if (is_plain_reference(given)) return reference(*given.find("$ref"), place, part);
  WISP_TRY(const JsonValue flat, placed(place, merger_.flatten(given)));
  if (flat.is(JsonKind::boolean)) return truth(flat.boolean);
  if (is_plain_reference(flat)) return reference(*flat.find("$ref"), place, part);
  for (const std::string_view keyword : kCannotHold) {
    if (flat.find(keyword) != nullptr) {
      return wrong(place, Code::unsupported, "'{}' cannot be held while a text is generated; say it without", keyword);
    }
  }
  if (flat.find("const") != nullptr || flat.find("enum") != nullptr) return listed(flat, place, part);
  for (const std::string_view keyword : {"anyOf", "oneOf"}) {
    if (flat.find(keyword) != nullptr) return alternatives(flat, keyword, place, part);
  }
  WISP_TRY(const std::vector<std::string> types, placed(place, types_of(flat)));
  if (flat.find("type") == nullptr && types.size() == kAllTypes) return any_value(place, part);
  std::vector<NodeId> ways;
  for (const std::string& type : types) {
    if (!is_in(part, type)) continue;
    WISP_TRY(ways.emplace_back(), of_type(type, flat, place, part));
  }
  return grammar_.choice(ways);
}

Result<NodeId> SchemaCompiler::reference(const JsonValue& name, const Place& place, Part part) {
  if (!name.is(JsonKind::string)) return wrong(place, Code::invalid_argument, "$ref is no text");
  const auto known = references_.find({name.text, part});
  if (known != references_.end()) return grammar_.rule(known->second);
  WISP_TRY(const JsonValue* const target, placed(place, merger_.resolve(name.text)));
  static_cast<void>(target);
  const RuleId rule = grammar_.declare(form_.name + name.text);
  references_.emplace(std::pair(name.text, part), rule);
  waiting_.push_back({name.text, part, rule});
  return grammar_.rule(rule);
}

Result<NodeId> SchemaCompiler::listed(const JsonValue& flat, const Place& place, Part part) {
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
    if (!is_in(part, type_of(value.kind))) continue;
    WISP_TRY(const bool fits, placed(place, passes(value, flat)));
    if (!fits) continue;
    if (part == Part::objects && form_.arguments != nullptr) {
      return wrong(place, Code::unsupported, "arguments that are listed as a whole cannot be written in this format");
    }
    ways.push_back(is_raw(part) ? raw_string_of(value.text, part) : json_.constant(value));
  }
  return grammar_.choice(ways);
}

Result<NodeId> SchemaCompiler::alternatives(JsonValue flat, std::string_view keyword, const Place& place, Part part) {
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
    WISP_TRY(ways.emplace_back(), schema(way, there, part));
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

Result<NodeId> SchemaCompiler::of_type(std::string_view type, const JsonValue& flat, const Place& place, Part part) {
  if (type == "null") return json_.null();
  if (type == "boolean") return json_.boolean();
  if (type == "string") return string(flat, place, part);
  if (type == "array") return array(flat, place);
  if (type == "object") return object(flat, place, part == Part::objects && form_.arguments != nullptr);
  return number(flat, type == "integer", place);
}

NodeId SchemaCompiler::rule_for(std::string_view name, NodeId body) {
  if (body == grammar_.never() || body == grammar_.empty()) return body;
  const RuleId rule = grammar_.declare(form_.name + std::string(name));
  grammar_.define(rule, body);
  return grammar_.rule(rule);
}

}  // namespace wisp::text::grammar
