// Arguments that are not written as JSON, as the text of a JSON value.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/chat/message.h"
#include "text/jinja/value.h"

namespace wisp::text {

// What a schema says about a value: strings stay strings, and other types are read as JSON.
enum class ArgumentType : std::uint8_t { unknown, string, other };
ArgumentType argument_type(const jinja::Value* schema);

// The value that `text` spells: a string of type string is taken as it is; of another type it is JSON, or, where it is
// none, a string; of an unknown type numbers, true, false, null, lists and objects are themselves, all else is a
// string.
std::string argument_json(std::string_view text, ArgumentType type);

// [f(a=1, b='x'), g()] or f(a=1): calls in Python's words. Nothing where that is not what it is.
std::optional<std::vector<ToolCall>> read_python_calls(std::string_view text);
// {a:1,b:<|"|>x<|"|>}: Gemma's dictionaries.
std::optional<std::string> gemma_json(std::string_view text);
// Values written as nested tags: open KEY ">" .. close KEY ">", where items of lists are called "item".
std::optional<std::string> nested_json(std::string_view text, std::string_view open, std::string_view close,
                                       const jinja::Value* schema);

}  // namespace wisp::text
