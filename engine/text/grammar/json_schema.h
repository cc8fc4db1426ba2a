// JSON schemas: the grammar of all texts that are, in the order and spelling that a writer would choose, a value which
// the schema accepts. Every text of the grammar is valid; not every valid value is a text of the grammar
// (docs/constraints.md says what is left out). A keyword that cannot be held is refused, never passed over.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/grammar/char_set.h"
#include "text/grammar/grammar.h"
#include "text/grammar/json_grammar.h"

namespace wisp::text::grammar {

// Schemas inside each other, after references are followed where they are merged.
inline constexpr std::uint32_t kMaxSchemaNesting = 100;

// `source` is the schema's text, or, empty, stands for any JSON value. Errors name the place as a JSON pointer
// ("at /properties/age: ..."), or line and column where the text is no JSON.
Status parse_json_schema(std::string_view source, Grammar& grammar);

// ---- schemas of what is not quite JSON: the arguments of calls ----

// Strings that are written as they are, up to a mark. A reader takes for JSON what is some and may be by its schema.
struct RawStrings {
  NodeId any{};
  NodeId beside_json{};            // of `any`, what begins like no number, list or object
  CharSet characters;              // of strings about which a schema says more
  std::vector<std::string> marks;  // a constant string with one of these cannot be written
  bool typed = false;              // the text says itself whether it is a string
};

// An object whose members stand between marks. Values that are not strings are JSON.
struct ArgumentSpelling {
  NodeId open{}, close{}, separator{};
  const RawStrings* raw = nullptr;  // null: strings are JSON too
  std::function<bool(std::string_view name)> can_name;
  // `string` is `never` where strings are JSON, and each of both where the schema knows none.
  std::function<NodeId(std::string_view name, NodeId string, NodeId other)> member;
  // One of some name or other, for objects of which nothing is listed. May be missing.
  std::function<NodeId(NodeId string, NodeId other)> further;
};

struct SchemaForm {
  JsonSpelling json = {};
  const ArgumentSpelling* arguments = nullptr;  // of the object itself; null: it is JSON as what is in it
  std::string name;                             // in front of the names of rules, for messages
};

// The objects that a schema accepts. References are looked up in `root`.
Result<NodeId> object_schema(const JsonValue& root, Grammar& grammar, const SchemaForm& form);

}  // namespace wisp::text::grammar
