#include <array>

#include "text/jinja/template_parser.h"

namespace wisp::text::jinja {
namespace {

constexpr std::array<std::pair<std::string_view, BinaryOperator>, 7> kArithmetic = {{
    {"+", BinaryOperator::add},
    {"-", BinaryOperator::subtract},
    {"*", BinaryOperator::multiply},
    {"/", BinaryOperator::divide},
    {"//", BinaryOperator::floor_divide},
    {"%", BinaryOperator::modulo},
    {"**", BinaryOperator::power},
}};

constexpr std::array<std::pair<std::string_view, Comparison>, 6> kComparisons = {{
    {"==", Comparison::equal},
    {"!=", Comparison::not_equal},
    {"<", Comparison::less},
    {"<=", Comparison::less_equal},
    {">", Comparison::greater},
    {">=", Comparison::greater_equal},
}};

}  // namespace

// One expression, or several separated by commas: a tuple.
Result<ExpressionPtr> TemplateParser::tuple(bool with_condition, std::string_view end, bool in_parentheses) {
  const Token& start = peek();
  std::vector<ExpressionPtr> items;
  bool is_tuple = false;
  while (true) {
    const TokenType type = peek().type;
    if (type == TokenType::variable_end || type == TokenType::block_end || at_op(")") || (!end.empty() && at_name(end)))
      break;
    WISP_TRY(const ExpressionPtr item, with_condition ? expression() : binary(kOr));
    items.push_back(item);
    if (!skip_op(",")) break;
    is_tuple = true;
  }
  if (!is_tuple && !items.empty()) return items[0];
  if (!is_tuple && !in_parentheses) return refuse(peek(), "expected an expression, got {}", shown(peek()));
  return make(start, TupleDisplay{std::move(items)});
}

// value [if condition [else otherwise]]
Result<ExpressionPtr> TemplateParser::expression() {
  const Nesting nesting(*this);
  WISP_CHECK(check_depth());
  const Token& start = peek();
  WISP_TRY(ExpressionPtr value, binary(kOr));
  while (skip_name("if")) {
    Conditional made{nullptr, value, nullptr};
    WISP_TRY(made.condition, binary(kOr));
    if (skip_name("else")) {
      WISP_TRY(made.otherwise, expression());
    }
    value = make(start, made);
  }
  return value;
}

// The binary operator at this place.
std::optional<TemplateParser::Operator> TemplateParser::binary_operator() const {
  if (peek().type == TokenType::name) {
    if (at_name("or")) return Operator{kOr, {}};
    if (at_name("and")) return Operator{kAnd, {}};
    if (at_name("in")) return Operator{kCompare, Comparison::in};
    if (at_name("not") && peek(1).type == TokenType::name && peek(1).text == "in")
      return Operator{kCompare, Comparison::not_in, 2};
    return std::nullopt;
  }
  if (peek().type != TokenType::op) return std::nullopt;
  if (at_op("~")) return Operator{kConcatenation, {}};
  for (const auto& [text, op] : kComparisons)
    if (at_op(text)) return Operator{kCompare, op};
  for (const auto& [text, op] : kArithmetic)
    if (at_op(text)) return Operator{text == "**" ? kPower : text == "+" || text == "-" ? kSum : kProduct, op};
  return std::nullopt;
}

// Operators that bind at least as tightly as `loosest`; all of them, the power too, group to the left as in Jinja.
Result<ExpressionPtr> TemplateParser::binary(Level loosest) {
  const Nesting nesting(*this);
  WISP_CHECK(check_depth());
  ExpressionPtr left = nullptr;
  if (loosest <= kNot && at_name("not")) {
    const Token& token = next();
    WISP_TRY(const ExpressionPtr operand, binary(kNot));
    left = make(token, Unary{UnaryOperator::logical_not, operand});
  } else {
    WISP_TRY(left, unary(true));
  }
  while (true) {
    const std::optional<Operator> found = binary_operator();
    if (!found || found->level < loosest) return left;
    const Token& token = peek();
    at_ += found->tokens;
    const Level tighter = static_cast<Level>(found->level + 1);
    WISP_TRY(const ExpressionPtr right, binary(tighter));
    if (const auto* arithmetic = std::get_if<BinaryOperator>(&found->op)) {
      left = make(token, Binary{*arithmetic, left, right});
    } else if (const auto* comparison = std::get_if<Comparison>(&found->op)) {
      Compare made{left, {{*comparison, right}}};
      for (auto more = binary_operator(); more && more->level == kCompare; more = binary_operator()) {
        at_ += more->tokens;
        WISP_TRY(const ExpressionPtr operand, binary(kSum));
        made.rest.emplace_back(std::get<Comparison>(more->op), operand);
      }
      left = make(token, std::move(made));
    } else if (found->level == kConcatenation) {
      Concatenation made{{left, right}};
      while (skip_op("~")) {
        WISP_TRY(const ExpressionPtr part, binary(kProduct));
        made.parts.push_back(part);
      }
      left = make(token, std::move(made));
    } else {
      left = make(token, Logical{found->level == kAnd, left, right});
    }
  }
}

Result<ExpressionPtr> TemplateParser::unary(bool with_filters) {
  const Token& token = peek();
  ExpressionPtr value = nullptr;
  if (at_op("-") || at_op("+")) {
    const Nesting nesting(*this);
    WISP_CHECK(check_depth());
    const UnaryOperator op = next().text == "-" ? UnaryOperator::negate : UnaryOperator::plus;
    WISP_TRY(const ExpressionPtr operand, unary(false));
    value = make(token, Unary{op, operand});
  } else {
    WISP_TRY(value, primary());
  }
  WISP_TRY(value, postfix(value));
  return with_filters ? filters_and_tests(value) : Result<ExpressionPtr>(value);
}

Result<ExpressionPtr> TemplateParser::primary() {
  const Token& token = next();
  switch (token.type) {
    case TokenType::name:
      if (token.text == "true" || token.text == "True") return make(token, Literal{true});
      if (token.text == "false" || token.text == "False") return make(token, Literal{false});
      if (token.text == "none" || token.text == "None") return make(token, Literal{});
      return make(token, Name{symbol(token.text)});
    case TokenType::string: {
      std::string text = token.text;
      while (peek().type == TokenType::string) text += next().text;
      return make(token, Literal{std::move(text)});
    }
    case TokenType::integer: return make(token, Literal{token.integer});
    case TokenType::real: return make(token, Literal{token.real});
    case TokenType::op:
      if (token.text == "(") {
        WISP_TRY(const ExpressionPtr value, tuple(true, "", true));
        WISP_CHECK(expect_op(")"));
        return value;
      }
      if (token.text == "[") return list_display(token);
      if (token.text == "{") return dict_display(token);
      break;
    default: break;
  }
  return refuse(token, "unexpected {}", shown(token));
}

Result<ExpressionPtr> TemplateParser::list_display(const Token& token) {
  ListDisplay made;
  while (!at_op("]")) {
    if (!made.items.empty()) {
      WISP_CHECK(expect_op(","));
      if (at_op("]")) break;
    }
    WISP_TRY(const ExpressionPtr item, expression());
    made.items.push_back(item);
  }
  next();
  return make(token, std::move(made));
}

Result<ExpressionPtr> TemplateParser::dict_display(const Token& token) {
  DictDisplay made;
  while (!at_op("}")) {
    if (!made.entries.empty()) {
      WISP_CHECK(expect_op(","));
      if (at_op("}")) break;
    }
    WISP_TRY(const ExpressionPtr key, expression());
    WISP_CHECK(expect_op(":"));
    WISP_TRY(const ExpressionPtr value, expression());
    made.entries.emplace_back(key, value);
  }
  next();
  return make(token, std::move(made));
}

// .name   .0   [index]   [a:b:c]   (arguments)
Result<ExpressionPtr> TemplateParser::postfix(ExpressionPtr value) {
  while (peek().type == TokenType::op) {
    const Token& token = peek();
    if (skip_op(".")) {
      const Token& name = next();
      if (name.type == TokenType::name) {
        value = make(token, Attribute{value, name.text});
      } else if (name.type == TokenType::integer) {
        value = make(token, Subscript{value, make(name, Literal{name.integer})});
      } else {
        return refuse(name, "expected a name or a number, got {}", shown(name));
      }
    } else if (skip_op("[")) {
      WISP_TRY(value, subscript(token, value));
    } else if (at_op("(")) {
      WISP_TRY(std::vector<Argument> given, arguments());
      value = make(token, Call{value, std::move(given)});
    } else {
      break;
    }
  }
  return value;
}

Result<ExpressionPtr> TemplateParser::subscript(const Token& token, ExpressionPtr value) {
  if (at_op("]")) return refuse(peek(), "expected an index, got ']'");
  Slice slice{value, nullptr, nullptr, nullptr};
  if (!at_op(":")) {
    WISP_TRY(slice.start, tuple_in_brackets());
    if (skip_op("]")) return make(token, Subscript{value, slice.start});
  }
  WISP_CHECK(expect_op(":"));
  if (!at_op(":") && !at_op("]")) {
    WISP_TRY(slice.stop, expression());
  }
  if (skip_op(":") && !at_op("]")) {
    WISP_TRY(slice.step, expression());
  }
  WISP_CHECK(expect_op("]"));
  return make(token, slice);
}

// x   or   x, y: a tuple as the index
Result<ExpressionPtr> TemplateParser::tuple_in_brackets() {
  const Token& start = peek();
  WISP_TRY(const ExpressionPtr first, expression());
  if (!at_op(",")) return first;
  TupleDisplay made{{first}};
  while (skip_op(",")) {
    WISP_TRY(const ExpressionPtr item, expression());
    made.items.push_back(item);
  }
  return make(start, std::move(made));
}

Result<std::vector<Argument>> TemplateParser::arguments() {
  WISP_CHECK(expect_op("("));
  std::vector<Argument> made;
  while (!at_op(")")) {
    if (!made.empty()) {
      WISP_CHECK(expect_op(","));
      if (at_op(")")) break;
    }
    const Token& start = peek();
    Argument argument;
    if (skip_op("*")) {
      argument.form = Argument::Form::spread;
    } else if (skip_op("**")) {
      argument.form = Argument::Form::spread_named;
    } else if (peek().type == TokenType::name && peek(1).type == TokenType::op && peek(1).text == "=") {
      argument.form = Argument::Form::named;
      argument.name = next().text;
      next();
    }
    if (!made.empty() && made.back().form > argument.form)
      return refuse(start, "arguments by position stand before those by name");
    WISP_TRY(argument.value, expression());
    made.push_back(std::move(argument));
  }
  next();
  return made;
}

Result<std::string> TemplateParser::dotted_name() {
  WISP_TRY(std::string name, expect_name());
  while (skip_op(".")) {
    WISP_TRY(const std::string part, expect_name());
    name += "." + part;
  }
  return name;
}

// | name | name(arguments); for a filter block the first `|` is left out.
Result<ExpressionPtr> TemplateParser::filters(ExpressionPtr value, bool first_is_bare) {
  while (first_is_bare || skip_op("|")) {
    first_is_bare = false;
    const Token& token = peek();
    Filter made{value, {}, {}};
    WISP_TRY(made.name, dotted_name());
    if (at_op("(")) {
      WISP_TRY(made.arguments, arguments());
    }
    value = make(token, std::move(made));
  }
  return value;
}

Result<ExpressionPtr> TemplateParser::filters_and_tests(ExpressionPtr value) {
  while (true) {
    const Token& token = peek();
    if (at_op("|")) {
      WISP_TRY(value, filters(value));
    } else if (skip_name("is")) {
      WISP_TRY(value, test(token, value));
    } else if (at_op("(")) {
      WISP_TRY(std::vector<Argument> given, arguments());
      value = make(token, Call{value, std::move(given)});
    } else {
      return value;
    }
  }
}

// is [not] name [argument]
Result<ExpressionPtr> TemplateParser::test(const Token& token, ExpressionPtr value) {
  const bool negated = skip_name("not");
  Test made{value, {}, {}};
  WISP_TRY(made.name, dotted_name());
  const TokenType type = peek().type;
  const bool value_follows = type == TokenType::name || type == TokenType::string || type == TokenType::integer ||
                             type == TokenType::real || at_op("[") || at_op("{");
  if (at_op("(")) {
    WISP_TRY(made.arguments, arguments());
  } else if (value_follows && !at_name("else") && !at_name("or") && !at_name("and")) {
    if (at_name("is")) return refuse(peek(), "tests cannot be chained with 'is'");
    Argument argument;
    WISP_TRY(const ExpressionPtr operand, primary());
    WISP_TRY(argument.value, postfix(operand));
    made.arguments.push_back(std::move(argument));
  }
  value = make(token, std::move(made));
  return negated ? make(token, Unary{UnaryOperator::logical_not, value}) : value;
}

}  // namespace wisp::text::jinja
