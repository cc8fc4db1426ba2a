// Objects of schemas, and arguments of calls, which are objects written in another way.
#include <algorithm>

#include "text/grammar/schema_compiler.h"
#include "text/grammar/schema_facts.h"

namespace wisp::text::grammar {

Result<NodeId> SchemaCompiler::object(const JsonValue& flat, const Place& place, bool is_arguments) {
  WISP_TRY(const std::uint32_t least, placed(place, count_of(flat, "minProperties", 0)));
  WISP_TRY(const std::uint32_t most, placed(place, count_of(flat, "maxProperties", kUnbounded)));
  const JsonValue* const properties = flat.find("properties");
  const JsonValue* const required = flat.find("required");
  if ((properties != nullptr && !properties->is(JsonKind::object)) ||
      (required != nullptr && !required->is(JsonKind::array))) {
    return wrong(place, Code::invalid_argument, "properties is no object of schemas, or required no list of names");
  }
  const JsonValue* const others = flat.find("additionalProperties");
  const JsonValue other = others != nullptr ? *others : JsonValue::of(!is_closed(flat));

  std::vector<Property> listed;
  std::vector<std::string> names;
  if (properties != nullptr) {
    const Place there = place.at("properties");
    for (const auto& [name, value] : properties->members) {
      WISP_TRY(const NodeId node, member(name, value, there.at(name), is_arguments));
      names.push_back(name);
      listed.push_back({node, is_required(flat, name)});
    }
  }
  if (required != nullptr) {
    const JsonValue of_required = others != nullptr ? *others : JsonValue::of(true);
    for (const JsonValue& name : required->items) {
      if (!name.is(JsonKind::string)) return wrong(place, Code::invalid_argument, "required is no list of names");
      if (std::ranges::find(names, name.text) != names.end()) continue;
      WISP_TRY(const NodeId node, member(name.text, of_required, place.at("additionalProperties"), is_arguments));
      names.push_back(name.text);
      listed.push_back({node, true});
    }
  }
  NodeId further = grammar_.never();
  if (!is_arguments) {
    WISP_TRY(const NodeId value, schema(other, place.at("additionalProperties")));
    if (value != grammar_.never()) {
      further = shared("other member", json_.member(json_.string_but(names), shared("other property", value)));
    }
    WISP_TRY(const NodeId inside, members(listed, further, least, most, json_.comma(), place));
    return braces(inside);
  }
  const ArgumentSpelling& spelling = *form_.arguments;
  if (names.empty() && spelling.further) {
    WISP_TRY(const Argument value, argument(other, place.at("additionalProperties")));
    further = shared("other argument", spelling.further(value.string, value.other));
  }
  WISP_TRY(const NodeId inside, members(listed, further, least, most, spelling.separator, place));
  return grammar_.sequence({spelling.open, inside, spelling.close});
}

Result<NodeId> SchemaCompiler::member(const std::string& name, const JsonValue& value, const Place& place,
                                      bool is_arguments) {
  if (!is_arguments) {
    WISP_TRY(const NodeId node, schema(value, place));
    return shared(name, json_.member(json_.name_of(name), node));
  }
  const ArgumentSpelling& spelling = *form_.arguments;
  if (!spelling.can_name(name)) {
    return wrong(place, Code::unsupported, "the format of the model's calls cannot spell an argument of this name");
  }
  WISP_TRY(const Argument node, argument(value, place));
  return shared(name, spelling.member(name, node.string, node.other));
}

Result<SchemaCompiler::Argument> SchemaCompiler::argument(const JsonValue& value, const Place& place) {
  const RawStrings* const raw = form_.arguments->raw;
  Argument made{grammar_.never(), grammar_.never()};
  WISP_TRY(made.other, schema(value, place, raw == nullptr ? Part::any : Part::others));
  if (raw == nullptr) return made;
  const NodeId words = grammar_.choice({json_.boolean(), json_.null()});
  const bool only_words = made.other == words || made.other == json_.boolean() || made.other == json_.null();
  Part part = only_words ? Part::strings_beside_words : Part::strings_beside_json;
  if (raw->typed || made.other == grammar_.never()) part = Part::strings;
  WISP_TRY(made.string, schema(value, place, part));
  return made;
}

// Rules for what may follow once the properties before number `i` are written or passed over: `first` where none was
// written, `more` behind a comma. Where counts matter, there are as many as there are counts.
Result<NodeId> SchemaCompiler::members(std::span<const Property> listed, NodeId further, std::uint32_t least,
                                       std::uint32_t most, NodeId separator, const Place& place) {
  constexpr std::size_t kMostRules = 40'000;
  const auto n = static_cast<std::uint32_t>(listed.size());
  const auto n_required = static_cast<std::uint32_t>(std::ranges::count(listed, true, &Property::required));
  const bool counts = least > n_required || (most < n || (most != kUnbounded && further != grammar_.never()));
  const std::uint32_t n_counts = counts ? std::min(n, most) + 1 : 1;  // of written properties
  if (std::size_t{n} * n_counts > kMostRules) {
    return wrong(place, Code::unsupported, "minProperties or maxProperties beside {} properties cannot be held", n);
  }
  const NodeId next_further = grammar_.sequence({separator, further});
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
      more[c] =
          rule_for("members", grammar_.choice({grammar_.sequence({separator, property.member, behind(c)}), skip}));
    }
  }
  return first;
}

// An object without members is `{}`, with blanks or not.
NodeId SchemaCompiler::braces(NodeId inside) {
  if (inside == grammar_.never()) return inside;
  return grammar_.sequence({json_.text("{"), json_.blank(), inside, json_.blank(), json_.text("}")});
}

}  // namespace wisp::text::grammar
