// What may follow `is`.
#include <array>

#include "text/jinja/operators.h"
#include "text/jinja/string_functions.h"

namespace wisp::text::jinja {
namespace {

// A test without arguments that looks at the value alone.
template <bool (*holds)(const Value&)>
Result<Value> simple(Context& /*context*/, Value& input, Arguments& arguments) {
  WISP_CHECK(bind("the test", {}, arguments));
  return Value::boolean(holds(input));
}

bool is_defined(const Value& value) { return !value.is(Kind::undefined); }
bool is_undefined(const Value& value) { return value.is(Kind::undefined); }
bool is_none(const Value& value) { return value.is(Kind::none); }
bool is_boolean(const Value& value) { return value.is(Kind::boolean); }
bool is_true(const Value& value) { return value.is(Kind::boolean) && value.as_boolean(); }
bool is_false(const Value& value) { return value.is(Kind::boolean) && !value.as_boolean(); }
bool is_integer(const Value& value) { return value.is(Kind::integer); }
bool is_float(const Value& value) { return value.is(Kind::real); }
bool is_number(const Value& value) { return value.is_number(); }
bool is_string(const Value& value) { return value.is(Kind::string); }
bool is_mapping(const Value& value) { return value.is(Kind::dict); }
bool is_callable(const Value& value) { return value.is(Kind::function); }
bool is_escaped(const Value& /*value*/) { return false; }
// What can be indexed and has a length; Jinja counts dicts and undefined in.
bool is_sequence(const Value& value) {
  return value.is(Kind::string) || value.is(Kind::list) || value.is(Kind::tuple) || value.is(Kind::range) ||
         value.is(Kind::dict) || value.is(Kind::undefined);
}
bool is_iterable(const Value& value) {
  return value.is_sequence() || value.is(Kind::string) || value.is(Kind::dict) || value.is(Kind::undefined);
}

// str.islower and str.isupper, of anything's text.
Result<Value> cased(Context& context, const Value& input, std::string_view method, Arguments& arguments) {
  WISP_TRY(std::string text, to_text(context, input));
  Value value = Value::string(std::move(text));
  return find_method(Kind::string, method)(context, value, arguments);
}

Result<Value> is_lower(Context& context, Value& input, Arguments& arguments) {
  return cased(context, input, "islower", arguments);
}

Result<Value> is_upper(Context& context, Value& input, Arguments& arguments) {
  return cased(context, input, "isupper", arguments);
}

template <Comparison comparison>
Result<Value> compared(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("the test", {{"other", true}}, arguments));
  WISP_TRY(const bool holds, compare(context, comparison, input, bound[0]));
  return Value::boolean(holds);
}

Result<Value> remainder(Context& context, Value& input, std::int64_t divisor) {
  return binary(context, BinaryOperator::modulo, input, Value::integer(divisor));
}

template <std::int64_t wanted>
Result<Value> parity(Context& context, Value& input, Arguments& arguments) {
  WISP_CHECK(bind("the test", {}, arguments));
  if (!input.is_number()) return fail(Code::invalid_argument, "a number is required, not {}", type_name(input));
  WISP_TRY(const Value rest, remainder(context, input, 2));
  return Value::boolean(rest.as_real() == static_cast<double>(wanted));
}

Result<Value> divisible_by(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("divisibleby", {{"num", true}}, arguments));
  WISP_TRY(const std::int64_t divisor, integer_argument("num", bound[0]));
  if (!input.is_number()) return fail(Code::invalid_argument, "a number is required, not {}", type_name(input));
  WISP_TRY(const Value rest, remainder(context, input, divisor));
  return Value::boolean(rest.as_real() == 0);
}

Result<Value> same_as(Context& /*context*/, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("sameas", {{"other", true}}, arguments));
  if (input.kind() != bound[0].kind()) return Value::boolean(false);
  if (input.is_number()) return Value::boolean(order_numbers(input, bound[0]) == 0);
  if (input.is(Kind::string)) return Value::boolean(input.as_text() == bound[0].as_text());
  return Value::boolean(input.as_object() == bound[0].as_object());
}

template <Builtin (*find)(std::string_view)>
Result<Value> is_known(Context& context, Value& input, Arguments& arguments) {
  WISP_CHECK(bind("the test", {}, arguments));
  WISP_TRY(const std::string name, to_text(context, input));
  return Value::boolean(find(name) != nullptr);
}

struct Named {
  std::string_view name;
  Builtin builtin;
};

constexpr Named kTests[] = {
    {"!=", compared<Comparison::not_equal>},
    {"<", compared<Comparison::less>},
    {"<=", compared<Comparison::less_equal>},
    {"==", compared<Comparison::equal>},
    {">", compared<Comparison::greater>},
    {">=", compared<Comparison::greater_equal>},
    {"boolean", simple<is_boolean>},
    {"callable", simple<is_callable>},
    {"defined", simple<is_defined>},
    {"divisibleby", divisible_by},
    {"eq", compared<Comparison::equal>},
    {"equalto", compared<Comparison::equal>},
    {"escaped", simple<is_escaped>},
    {"even", parity<0>},
    {"false", simple<is_false>},
    {"filter", is_known<find_filter>},
    {"float", simple<is_float>},
    {"ge", compared<Comparison::greater_equal>},
    {"greaterthan", compared<Comparison::greater>},
    {"gt", compared<Comparison::greater>},
    {"in", compared<Comparison::in>},
    {"integer", simple<is_integer>},
    {"iterable", simple<is_iterable>},
    {"le", compared<Comparison::less_equal>},
    {"lessthan", compared<Comparison::less>},
    {"lower", is_lower},
    {"lt", compared<Comparison::less>},
    {"mapping", simple<is_mapping>},
    {"ne", compared<Comparison::not_equal>},
    {"none", simple<is_none>},
    {"number", simple<is_number>},
    {"odd", parity<1>},
    {"sameas", same_as},
    {"sequence", simple<is_sequence>},
    {"string", simple<is_string>},
    {"test", is_known<find_test>},
    {"true", simple<is_true>},
    {"undefined", simple<is_undefined>},
    {"upper", is_upper},
};

}  // namespace

Builtin find_test(std::string_view name) {
  for (const Named& entry : kTests)
    if (entry.name == name) return entry.builtin;
  return nullptr;
}

}  // namespace wisp::text::jinja
