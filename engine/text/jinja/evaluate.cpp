// The half of the interpreter that computes expressions.
#include <utility>

#include "text/jinja/interpreter.h"
#include "text/jinja/operators.h"

namespace wisp::text::jinja {

Result<Value> Interpreter::evaluate(ExpressionPtr expression) {
  const Level level(*this);
  Status allowed = level.ok();
  if (allowed) allowed = spend();
  Result<Value> result = Value();
  if (allowed) {
    result = std::visit([this](const auto& node) { return value_of(node); }, expression->node);
  } else {
    result = std::unexpected(std::move(allowed).error());
  }
  if (!result) locate(result.error(), expression->offset);
  return result;
}

Result<std::vector<Value>> Interpreter::values_of(const std::vector<ExpressionPtr>& nodes) {
  std::vector<Value> values;
  values.reserve(nodes.size());
  for (const ExpressionPtr node : nodes) {
    WISP_TRY(Value value, evaluate(node));
    values.push_back(std::move(value));
  }
  return values;
}

Result<Value> Interpreter::value_of(const Literal& node) {
  if (const auto* text = std::get_if<std::string>(&node.value)) return make_string(*this, *text);
  if (const auto* integer = std::get_if<std::int64_t>(&node.value)) return Value::integer(*integer);
  if (const auto* real = std::get_if<double>(&node.value)) return Value::real(*real);
  if (const auto* flag = std::get_if<bool>(&node.value)) return Value::boolean(*flag);
  return Value::none();
}

Result<Value> Interpreter::value_of(const Name& node) { return look_up(node.symbol); }

Result<Value> Interpreter::value_of(const ListDisplay& node) {
  WISP_TRY(std::vector<Value> items, values_of(node.items));
  return Value::own_list(std::move(items));
}

Result<Value> Interpreter::value_of(const TupleDisplay& node) {
  WISP_TRY(std::vector<Value> items, values_of(node.items));
  return Value::tuple(std::move(items));
}

Result<Value> Interpreter::value_of(const DictDisplay& node) {
  Value made = Value::dict();
  for (const auto& [key_node, value_node] : node.entries) {
    WISP_TRY(Value key, evaluate(key_node));
    WISP_TRY(Value value, evaluate(value_node));
    if (!Dict::hashable(key)) return fail(Code::invalid_argument, "unhashable type: '{}'", type_name(key));
    WISP_CHECK(spend(2));
    made.as_dict()->set(std::move(key), std::move(value));
  }
  return made;
}

Result<Value> Interpreter::value_of(const Attribute& node) {
  WISP_TRY(const Value object, evaluate(node.object));
  return attribute(*this, object, node.name);
}

Result<Value> Interpreter::value_of(const Subscript& node) {
  WISP_TRY(const Value object, evaluate(node.object));
  WISP_TRY(const Value index, evaluate(node.index));
  return item(*this, object, index);
}

Result<Value> Interpreter::value_of(const Slice& node) {
  WISP_TRY(const Value object, evaluate(node.object));
  Value bounds[3] = {Value::none(), Value::none(), Value::none()};
  const ExpressionPtr nodes[3] = {node.start, node.stop, node.step};
  for (std::size_t i = 0; i < 3; ++i) {
    if (nodes[i] == nullptr) continue;
    WISP_TRY(bounds[i], evaluate(nodes[i]));
  }
  return slice(*this, object, bounds[0], bounds[1], bounds[2]);
}

Result<Arguments> Interpreter::arguments_of(const std::vector<Argument>& nodes) {
  Arguments made;
  for (const Argument& node : nodes) {
    WISP_TRY(Value value, evaluate(node.value));
    switch (node.form) {
      case Argument::Form::positional: made.positional.push_back(std::move(value)); break;
      case Argument::Form::named: made.named.emplace_back(node.name, std::move(value)); break;
      case Argument::Form::spread: {
        WISP_TRY(std::vector<Value> items, iterate(*this, value));
        for (Value& item : items) made.positional.push_back(std::move(item));
        break;
      }
      case Argument::Form::spread_named: {
        if (!value.is(Kind::dict))
          return fail(Code::invalid_argument, "the argument after ** must be a mapping, not {}", type_name(value));
        WISP_CHECK(spend(value.as_dict()->size()));
        for (const auto& [key, held] : value.as_dict()->entries()) {
          if (!key.is(Kind::string)) return fail(Code::invalid_argument, "keywords must be strings");
          made.named.emplace_back(std::string(key.as_text()), held);
        }
        break;
      }
    }
  }
  return made;
}

Result<Value> Interpreter::value_of(const Call& node) { return call(node, Value()); }

// `caller` is the body of a call block, or undefined.
Result<Value> Interpreter::call(const Call& node, Value caller) {
  WISP_TRY(const Value callee, evaluate(node.callee));
  WISP_TRY(Arguments arguments, arguments_of(node.arguments));
  if (!caller.is(Kind::undefined)) arguments.named.emplace_back("caller", std::move(caller));
  return call_value(*this, callee, arguments);
}

Result<Value> Interpreter::value_of(const Filter& node) {
  Value input;
  if (node.input == nullptr) {
    input = std::exchange(block_text_, Value());
  } else {
    WISP_TRY(input, evaluate(node.input));
  }
  const Builtin filter = find_filter(node.name);
  if (filter == nullptr) return fail(Code::invalid_argument, "No filter named '{}'.", printable(node.name));
  WISP_TRY(Arguments arguments, arguments_of(node.arguments));
  return filter(*this, input, arguments);
}

Result<Value> Interpreter::value_of(const Test& node) {
  WISP_TRY(Value input, evaluate(node.input));
  const Builtin test = find_test(node.name);
  if (test == nullptr) return fail(Code::invalid_argument, "No test named '{}'.", printable(node.name));
  WISP_TRY(Arguments arguments, arguments_of(node.arguments));
  return test(*this, input, arguments);
}

Result<Value> Interpreter::value_of(const Unary& node) {
  WISP_TRY(Value operand, evaluate(node.operand));
  if (node.op == UnaryOperator::logical_not) return Value::boolean(!truth(operand));
  if (node.op == UnaryOperator::negate) return negate(operand);
  if (operand.is(Kind::real)) return operand;
  if (operand.is_integral()) return Value::integer(operand.as_integer());
  return fail(Code::invalid_argument, "bad operand type for unary +: '{}'", type_name(operand));
}

Result<Value> Interpreter::value_of(const Binary& node) {
  WISP_TRY(const Value left, evaluate(node.left));
  WISP_TRY(const Value right, evaluate(node.right));
  return binary(*this, node.op, left, right);
}

Result<Value> Interpreter::value_of(const Logical& node) {
  WISP_TRY(Value left, evaluate(node.left));
  if (truth(left) != node.is_and) return left;
  return evaluate(node.right);
}

Result<Value> Interpreter::value_of(const Compare& node) {
  WISP_TRY(Value left, evaluate(node.first));
  for (const auto& [comparison, operand] : node.rest) {
    WISP_TRY(Value right, evaluate(operand));
    WISP_TRY(const bool holds, compare(*this, comparison, left, right));
    if (!holds) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Result<Value> Interpreter::value_of(const Concatenation& node) {
  std::string text;
  for (const ExpressionPtr part : node.parts) {
    WISP_TRY(const Value value, evaluate(part));
    WISP_CHECK(append_text(*this, value, text));
  }
  return Value::string(std::move(text));
}

Result<Value> Interpreter::value_of(const Conditional& node) {
  WISP_TRY(const Value condition, evaluate(node.condition));
  if (truth(condition)) return evaluate(node.value);
  if (node.otherwise != nullptr) return evaluate(node.otherwise);
  return Value::undefined("the inline if-expression was false and had no else");
}

Result<Value> call_value(Context& context, const Value& callee, Arguments& arguments) {
  WISP_CHECK(context.spend());
  if (callee.is(Kind::undefined)) return fail(Code::invalid_argument, "{}", callee.reason());
  if (!callee.is(Kind::function)) return fail(Code::invalid_argument, "'{}' object is not callable", type_name(callee));
  return static_cast<Function*>(callee.as_object())->call(context, arguments);
}

}  // namespace wisp::text::jinja
