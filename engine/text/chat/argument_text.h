// Arguments that are not written as JSON, as the text of a JSON value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/chat/message.h"
#include "text/chat/output_format.h"
#include "text/jinja/value.h"

namespace wisp::text {

// The types that a schema lets a value have: a bit for each, and all where it does not say.
enum class ValueTypes : std::uint8_t {
  none = 0,
  string = 1,
  number = 2,
  boolean = 4,
  null = 8,
  list = 16,
  object = 32,
  any = 63,
};
constexpr ValueTypes operator|(ValueTypes a, ValueTypes b) {
  return static_cast<ValueTypes>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr ValueTypes operator&(ValueTypes a, ValueTypes b) {
  return static_cast<ValueTypes>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}
constexpr bool may_be(ValueTypes types, ValueTypes type) { return (types & type) != ValueTypes::none; }
// Follows references into `root`; nullptr says nothing.
ValueTypes value_types(const jinja::Value* schema, const jinja::Value* root);
// The same for a member of the objects that `root` is the schema of.
ValueTypes member_types(std::string_view name, const jinja::Value* root);

// The value that `text` spells. Where only a string may stand it is taken as it is; JSON of another type that may stand
// is itself; all else is a string, or, where none may stand, whatever JSON it is.
std::string argument_json(std::string_view text, ValueTypes types);

// [f(a=1, b='x'), g()] or f(a=1): calls in Python's words. Nothing where that is not what it is.
std::optional<std::vector<ToolCall>> read_python_calls(std::string_view text);
// {a:1,b:<|"|>x<|"|>}: Gemma's dictionaries.
std::optional<std::string> gemma_json(std::string_view text);
// Values written as nested tags: open KEY ">" .. close KEY ">", where items of lists are called "item".
std::optional<std::string> nested_json(std::string_view text, std::string_view open, std::string_view close,
                                       const jinja::Value* schema, const jinja::Value* root);

}  // namespace wisp::text
