#include "text/grammar/json_schema.h"

#include "text/grammar/schema_compiler.h"

namespace wisp::text::grammar {

Status parse_json_schema(std::string_view source, Grammar& grammar) {
  if (source.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    grammar.set_root(JsonGrammar(grammar).value());
    return {};
  }
  WISP_TRY(const JsonValue root, parse_json(source));
  const SchemaForm form;
  WISP_TRY(const NodeId node, SchemaCompiler(root, grammar, form).compile(SchemaCompiler::Part::any));
  grammar.set_root(node);
  return {};
}

Result<NodeId> object_schema(const JsonValue& root, Grammar& grammar, const SchemaForm& form) {
  return SchemaCompiler(root, grammar, form).compile(SchemaCompiler::Part::objects);
}

}  // namespace wisp::text::grammar
