// What operators, attributes and subscripts do to values: Python's rules, as Jinja's sandbox applies them. Failures
// carry Python's words; the interpreter adds the place.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/jinja/ast.h"
#include "text/jinja/context.h"
#include "text/jinja/value.h"

namespace wisp::text::jinja {

bool truth(const Value& value);

Result<bool> equal(Context& context, const Value& a, const Value& b);
// Negative, zero, positive, or unordered (NaN); fails for kinds that have no order. `op` is for the message.
Result<std::partial_ordering> order(Context& context, const Value& a, const Value& b, std::string_view op = "<");
Result<bool> compare(Context& context, Comparison comparison, const Value& a, const Value& b);
Result<bool> contains(Context& context, const Value& container, const Value& item);

Result<std::int64_t> length(Context& context, const Value& value);
// The items that `for` visits: of a dict its keys, of a string its characters, of undefined none.
Result<std::vector<Value>> iterate(Context& context, Value& value);

Result<Value> attribute(Context& context, const Value& object, std::string_view name);
Result<Value> item(Context& context, const Value& object, const Value& index);
// Bounds that are none stand for Python's defaults.
Result<Value> slice(Context& context, const Value& object, const Value& start, const Value& stop, const Value& step);

Result<Value> binary(Context& context, BinaryOperator op, const Value& a, const Value& b);
Result<Value> negate(const Value& value);

// A string value; its bytes are paid for here.
Result<Value> make_string(Context& context, std::string text);

// str() and repr().
Result<std::string> to_text(Context& context, const Value& value);
Status append_text(Context& context, const Value& value, std::string& out);
Status append_repr(Context& context, const Value& value, std::string& out);
std::string real_to_text(double value);

// Python's % on strings, and str.format.
Result<Value> format_percent(Context& context, std::string_view format, const Value& values);
Result<Value> format_braces(Context& context, std::string_view format, Arguments& arguments);

}  // namespace wisp::text::jinja
