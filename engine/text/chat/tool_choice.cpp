#include "text/chat/tool_choice.h"

#include "text/jinja/value.h"

namespace wisp::text {

using jinja::Kind;
using jinja::Value;

Result<ToolChoice> parse_tool_choice(std::string_view request) {
  WISP_TRY(const Value given, jinja::parse_json(request));
  ToolChoice choice;
  if (const Value* several = given.find("parallel_tool_calls"); several != nullptr && !several->is(Kind::none)) {
    if (!several->is(Kind::boolean)) return fail(Code::invalid_argument, "parallel_tool_calls is not true or false");
    choice.several = several->as_boolean();
  }
  const Value* how = given.find("tool_choice");
  if (how == nullptr || how->is(Kind::none)) return choice;
  if (how->is(Kind::string)) {
    choice.calls = how->as_text() != "none";
    choice.required = how->as_text() == "required";
    if (choice.required || !choice.calls || how->as_text() == "auto") return choice;
  }
  const Value* function = how->find("function");
  const Value* name = function != nullptr ? function->find("name") : nullptr;
  if (name == nullptr || !name->is(Kind::string) || name->as_text().empty()) {
    return fail(Code::invalid_argument,
                R"(tool_choice is "auto", "none", "required" or {{"type": "function", "function": {{"name": ..}}}})");
  }
  choice.required = true;
  choice.only = name->as_text();
  return choice;
}

}  // namespace wisp::text
