// Makes the nodes of one schema (json_schema.h). Its parts are schema_compiler.cpp (what a schema is made of) and
// schema_types.cpp (numbers, strings, arrays), schema_objects.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/format.h"
#include "base/result.h"
#include "text/grammar/json_grammar.h"
#include "text/grammar/json_schema.h"
#include "text/grammar/json_value.h"
#include "text/grammar/schema_merge.h"

namespace wisp::text::grammar {

// Where in the schema's document something stands, for messages.
struct Place {
  const Place* above = nullptr;
  std::string_view part = {};
  std::uint32_t depth = 0;

  [[nodiscard]] Place at(std::string_view name) const { return {this, name, depth + 1}; }
  [[nodiscard]] std::string pointer() const;
};

class SchemaCompiler {
 public:
  SchemaCompiler(const JsonValue& root, Grammar& grammar, const SchemaForm& form)
      : root_(root), grammar_(grammar), form_(form), json_(grammar, form.json), merger_(root) {}

  // Which of a schema's values: all, as JSON; the strings, raw; what is no string, as JSON; objects, in the form's way.
  // Raw strings beside other values are those that a reader does not take for one of these: there may be words (null,
  // true, false) or any JSON.
  enum class Part : std::uint8_t { any, strings, strings_beside_words, strings_beside_json, others, objects };
  Result<NodeId> compile(Part part);

 private:
  static std::unexpected<Error> wrong(const Place& place, Error cause);
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

  Result<NodeId> schema(const JsonValue& given, const Place& place, Part part = Part::any);
  Result<NodeId> reference(const JsonValue& name, const Place& place, Part part);
  Result<NodeId> listed(const JsonValue& flat, const Place& place, Part part);
  Result<NodeId> alternatives(JsonValue flat, std::string_view keyword, const Place& place, Part part);
  Result<NodeId> of_type(std::string_view type, const JsonValue& flat, const Place& place, Part part);
  Result<NodeId> any_value(const Place& place, Part part);
  static bool is_in(Part part, std::string_view type);
  static bool is_raw(Part part);
  [[nodiscard]] NodeId raw_string_of(std::string_view text, Part part);

  Result<NodeId> number(const JsonValue& flat, bool integer, const Place& place);
  Result<NodeId> string(const JsonValue& flat, const Place& place, Part part);
  Result<NodeId> array(const JsonValue& flat, const Place& place);
  NodeId items_node(std::span<const NodeId> first, NodeId rest, std::uint32_t least, std::uint32_t most);

  struct Property {
    NodeId member;
    bool required;
  };
  Result<NodeId> object(const JsonValue& flat, const Place& place, bool is_arguments);
  Result<NodeId> member(const std::string& name, const JsonValue& value, const Place& place, bool is_arguments);
  // As a raw string, and as anything else.
  struct Argument {
    NodeId string, other;
  };
  Result<Argument> argument(const JsonValue& value, const Place& place);
  Result<NodeId> members(std::span<const Property> listed, NodeId further, std::uint32_t least, std::uint32_t most,
                         NodeId separator, const Place& place);
  NodeId braces(NodeId inside);

  NodeId rule_for(std::string_view name, NodeId body);
  // What is used more than once is written once.
  NodeId shared(std::string_view name, NodeId node) {
    return grammar_.node(node).kind == NodeKind::rule ? node : rule_for(name, node);
  }

  const JsonValue& root_;
  Grammar& grammar_;
  const SchemaForm& form_;
  JsonGrammar json_;
  SchemaMerger merger_;
  CharClasses classes_;
  struct Waiting {
    std::string reference;
    Part part;
    RuleId rule;
  };
  std::map<std::pair<std::string, Part>, RuleId> references_;
  std::vector<Waiting> waiting_;  // declared, not compiled yet
};

}  // namespace wisp::text::grammar
