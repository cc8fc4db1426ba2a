#include "text/jinja/parser.h"

#include <array>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "text/jinja/lexer.h"

namespace wisp::text::jinja {
namespace {

// How tightly operators bind, loosest first; everything else (unary signs, filters, tests, calls) binds tighter.
enum Level : std::uint8_t { kOr = 1, kAnd, kNot, kCompare, kSum, kConcatenation, kProduct, kPower };

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

using EndTags = std::initializer_list<std::string_view>;

class Parser {
 public:
  Parser(Template& out, std::vector<Token> tokens, std::uint32_t max_depth)
      : out_(out), tokens_(std::move(tokens)), max_depth_(max_depth) {}

  Status run() {
    out_.loop = symbol("loop");
    out_.caller = symbol("caller");
    out_.varargs = symbol("varargs");
    out_.kwargs = symbol("kwargs");
    WISP_TRY(out_.body, block({}));
    return {};
  }

 private:
  class Nesting {
   public:
    explicit Nesting(Parser& parser) : parser_(parser) { ++parser_.depth_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;
    ~Nesting() { --parser_.depth_; }

   private:
    Parser& parser_;
  };

  // ---- tokens

  [[nodiscard]] const Token& peek(std::size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  const Token& next() {
    const Token& token = peek();
    ++at_;
    return token;
  }
  [[nodiscard]] bool at_op(std::string_view op) const { return peek().type == TokenType::op && peek().text == op; }
  [[nodiscard]] bool at_name(std::string_view name) const {
    return peek().type == TokenType::name && peek().text == name;
  }
  bool skip_op(std::string_view op) {
    const bool there = at_op(op);
    if (there) ++at_;
    return there;
  }
  bool skip_name(std::string_view name) {
    const bool there = at_name(name);
    if (there) ++at_;
    return there;
  }

  template <class... Args>
  [[nodiscard]] std::unexpected<Error> refuse(const Token& token, fmt::format_string<Args...> text, Args&&... args) {
    return fail(Code::invalid_file, "{}: {}", place(out_.source, token.offset),
                fmt::format(text, std::forward<Args>(args)...));
  }
  [[nodiscard]] static std::string shown(const Token& token) {
    switch (token.type) {
      case TokenType::end: return "the end of the template";
      case TokenType::block_end: return "'%}'";
      case TokenType::variable_end: return "'}}'";
      case TokenType::data: return "text";
      case TokenType::string: return "the string '" + printable(token.text, 40) + "'";
      default: return "'" + printable(token.text, 40) + "'";
    }
  }
  Status expect_op(std::string_view op) {
    if (!skip_op(op)) return refuse(peek(), "expected '{}', got {}", op, shown(peek()));
    return {};
  }
  Status expect_type(TokenType type, std::string_view what) {
    if (peek().type != type) return refuse(peek(), "expected {}, got {}", what, shown(peek()));
    ++at_;
    return {};
  }
  Result<std::string> expect_name() {
    if (peek().type != TokenType::name) return refuse(peek(), "expected a name, got {}", shown(peek()));
    return next().text;
  }
  Status check_depth() {
    if (depth_ > max_depth_)
      return fail(Code::limit, "{}: the template nests deeper than {}", place(out_.source, peek().offset), max_depth_);
    return {};
  }

  // ---- nodes

  Symbol symbol(const std::string& name) {
    const auto [found, added] = symbols_.emplace(name, static_cast<Symbol>(out_.symbols.size()));
    if (added) out_.symbols.push_back(name);
    for (MacroSignature* macro : macros_) {
      macro->uses_caller |= found->second == out_.caller;
      macro->uses_varargs |= found->second == out_.varargs;
      macro->uses_kwargs |= found->second == out_.kwargs;
    }
    return found->second;
  }
  template <class Node>
  ExpressionPtr make(const Token& token, Node node) {
    return &out_.expressions.emplace_back(Expression{token.offset, std::move(node)});
  }
  template <class Node>
  const Statement* make_statement(const Token& token, Node node) {
    return &out_.statements.emplace_back(Statement{token.offset, std::move(node)});
  }

  // ---- statements

  // Statements up to a block tag that starts with one of `ends`, which is left as the next token; with none, up to the
  // end of the template.
  Result<Block> block(EndTags ends) {
    const Nesting nesting(*this);
    WISP_CHECK(check_depth());
    Block body;
    while (true) {
      const Token& token = next();
      switch (token.type) {
        case TokenType::data: body.push_back(make_statement(token, Text{token.text})); break;
        case TokenType::variable_begin: {
          Output output;
          WISP_TRY(const ExpressionPtr value, tuple());
          output.values.push_back(value);
          WISP_CHECK(expect_type(TokenType::variable_end, "'}}'"));
          body.push_back(make_statement(token, std::move(output)));
          break;
        }
        case TokenType::block_begin: {
          if (peek().type != TokenType::name) return refuse(peek(), "expected a tag's name, got {}", shown(peek()));
          for (const std::string_view end : ends)
            if (peek().text == end) return body;
          WISP_TRY(const Statement* made, statement());
          body.push_back(made);
          WISP_CHECK(expect_type(TokenType::block_end, "'%}'"));
          break;
        }
        default: {
          if (ends.size() == 0) return body;
          return refuse(token, "the template ends where '{}' is missing", std::data(ends)[ends.size() - 1]);
        }
      }
    }
  }

  // The body of a tag: `%}` statements `{% end`. The closing `%}` is left to block().
  Result<Block> body_until(std::string_view end) {
    WISP_CHECK(expect_type(TokenType::block_end, "'%}'"));
    WISP_TRY(Block body, block({end}));
    next();
    return body;
  }

  Result<const Statement*> statement() {
    const Token& tag = next();
    const std::string& name = tag.text;
    if (name == "if") return if_statement(tag);
    if (name == "for") return for_statement(tag);
    if (name == "set") return set_statement(tag);
    if (name == "macro") return macro_statement(tag);
    if (name == "call") return call_statement(tag);
    if (name == "filter") return filter_statement(tag);
    if (name == "with" || name == "block" || name == "generation" || name == "autoescape") return scope_statement(tag);
    if (name == "print") return print_statement(tag);
    if (name == "break" || name == "continue") {
      if (loops_ == 0) return refuse(tag, "'{}' stands outside a loop", name);
      return name == "break" ? make_statement(tag, Break{}) : make_statement(tag, Continue{});
    }
    if (name == "include" || name == "import" || name == "from" || name == "extends")
      return refuse(tag, "'{}' needs other templates, and a chat template has none", name);
    return refuse(tag, "unknown tag '{}'", printable(name));
  }

  Result<const Statement*> if_statement(const Token& tag) {
    If made;
    bool more = true;
    while (more) {
      If::Branch branch;
      WISP_TRY(branch.condition, tuple(false));
      WISP_CHECK(expect_type(TokenType::block_end, "'%}'"));
      WISP_TRY(branch.body, block({"elif", "else", "endif"}));
      made.branches.push_back(std::move(branch));
      const Token& end = next();
      more = end.text == "elif";
      if (end.text == "else") {
        WISP_TRY(Block otherwise, body_until("endif"));
        made.branches.push_back(If::Branch{nullptr, std::move(otherwise)});
      }
    }
    return make_statement(tag, std::move(made));
  }

  Result<const Statement*> for_statement(const Token& tag) {
    For made;
    WISP_TRY(made.target, target(false, "in"));
    if (!skip_name("in")) return refuse(peek(), "expected 'in', got {}", shown(peek()));
    WISP_TRY(made.iterable, tuple(false, "recursive"));
    if (skip_name("if")) {
      WISP_TRY(made.condition, expression());
    }
    made.recursive = skip_name("recursive");
    WISP_CHECK(expect_type(TokenType::block_end, "'%}'"));
    ++loops_;
    auto body = block({"else", "endfor"});
    --loops_;
    WISP_TRY(made.body, std::move(body));
    if (next().text == "else") {
      WISP_TRY(made.otherwise, body_until("endfor"));
    }
    return make_statement(tag, std::move(made));
  }

  Result<const Statement*> set_statement(const Token& tag) {
    WISP_TRY(Target where, target(true, ""));
    if (skip_op("=")) {
      WISP_TRY(const ExpressionPtr value, tuple());
      return make_statement(tag, Set{std::move(where), value});
    }
    SetBlock made{std::move(where), nullptr, {}};
    if (at_op("|")) {
      WISP_TRY(made.filters, filters(nullptr));
    }
    WISP_TRY(made.body, closed_body_until("endset"));
    return make_statement(tag, std::move(made));
  }

  // (a, b=1)
  Status parameters(MacroSignature& signature) {
    WISP_CHECK(expect_op("("));
    while (!at_op(")")) {
      if (!signature.parameters.empty()) WISP_CHECK(expect_op(","));
      MacroSignature::Parameter parameter;
      const Token& start = peek();
      WISP_TRY(parameter.name, expect_name());
      for (const auto& other : signature.parameters)
        if (other.name == parameter.name) return refuse(start, "two parameters are called '{}'", parameter.name);
      parameter.symbol = symbol(parameter.name);
      if (skip_op("=")) {
        WISP_TRY(parameter.otherwise, expression());
      } else if (!signature.parameters.empty() && signature.parameters.back().otherwise != nullptr) {
        return refuse(start, "a parameter without a default follows one with a default");
      }
      signature.parameters.push_back(std::move(parameter));
    }
    return expect_op(")");
  }

  // The body of a tag whose text is put somewhere else: a loop around it cannot be left from inside.
  Result<Block> closed_body_until(std::string_view end) {
    const int loops = std::exchange(loops_, 0);
    auto body = body_until(end);
    loops_ = loops;
    return body;
  }

  Status macro_body(MacroSignature& signature, std::string_view end) {
    macros_.push_back(&signature);
    auto body = closed_body_until(end);
    macros_.pop_back();
    WISP_TRY(signature.body, std::move(body));
    return {};
  }

  Result<const Statement*> macro_statement(const Token& tag) {
    Macro made;
    WISP_TRY(made.signature.name, expect_name());
    made.symbol = symbol(made.signature.name);
    WISP_CHECK(parameters(made.signature));
    WISP_CHECK(macro_body(made.signature, "endmacro"));
    return make_statement(tag, std::move(made));
  }

  Result<const Statement*> call_statement(const Token& tag) {
    CallBlock made;
    made.caller.name = "caller";
    if (at_op("(")) WISP_CHECK(parameters(made.caller));
    const Token& start = peek();
    WISP_TRY(made.call, expression());
    if (!std::holds_alternative<Call>(made.call->node)) return refuse(start, "expected a call");
    symbol("caller");
    WISP_CHECK(macro_body(made.caller, "endcall"));
    return make_statement(tag, std::move(made));
  }

  Result<const Statement*> filter_statement(const Token& tag) {
    FilterBlock made;
    WISP_TRY(made.filters, filters(nullptr, true));
    WISP_TRY(made.body, closed_body_until("endfilter"));
    return make_statement(tag, std::move(made));
  }

  Result<const Statement*> scope_statement(const Token& tag) {
    Scope made;
    if (tag.text == "with") {
      while (peek().type != TokenType::block_end) {
        if (!made.variables.empty()) WISP_CHECK(expect_op(","));
        WISP_TRY(Target variable, target(false, "", false));
        WISP_CHECK(expect_op("="));
        WISP_TRY(const ExpressionPtr value, expression());
        made.variables.emplace_back(std::move(variable), value);
      }
      WISP_TRY(made.body, body_until("endwith"));
      return make_statement(tag, std::move(made));
    }
    if (tag.text == "autoescape") WISP_CHECK(expression());
    if (tag.text == "block") WISP_CHECK(expect_name());
    WISP_TRY(made.body, closed_body_until("end" + tag.text));
    if (tag.text == "block" && peek().type == TokenType::name) next();
    return make_statement(tag, std::move(made));
  }

  Result<const Statement*> print_statement(const Token& tag) {
    Output made;
    while (peek().type != TokenType::block_end) {
      if (!made.values.empty()) WISP_CHECK(expect_op(","));
      WISP_TRY(const ExpressionPtr value, expression());
      made.values.push_back(value);
    }
    return make_statement(tag, std::move(made));
  }

  // a   a, b   (a, b)   namespace.a
  Result<Target> target(bool with_attribute, std::string_view end, bool with_tuple = true) {
    const Nesting nesting(*this);
    WISP_CHECK(check_depth());
    const Token& start = peek();
    std::vector<Target> parts;
    bool is_tuple = false;
    while (true) {
      if (skip_op("(")) {
        WISP_TRY(Target inner, target(with_attribute, ""));
        WISP_CHECK(expect_op(")"));
        parts.push_back(std::move(inner));
      } else {
        Target one;
        one.offset = peek().offset;
        const Token& name_token = peek();
        WISP_TRY(const std::string name, expect_name());
        for (const std::string_view reserved : {"true", "True", "false", "False", "none", "None"})
          if (name == reserved) return refuse(name_token, "'{}' cannot be assigned to", name);
        one.symbol = symbol(name);
        if (with_attribute && skip_op(".")) {
          WISP_TRY(one.attribute, expect_name());
        }
        parts.push_back(std::move(one));
      }
      if (!with_tuple || !skip_op(",")) break;
      is_tuple = true;
      if (at_op("=") || at_op(")") || (!end.empty() && at_name(end))) break;
    }
    if (!is_tuple) return std::move(parts[0]);
    Target made;
    made.offset = start.offset;
    made.parts = std::move(parts);
    return made;
  }

  // ---- expressions

  // One expression, or several separated by commas: a tuple.
  Result<ExpressionPtr> tuple(bool with_condition = true, std::string_view end = "", bool in_parentheses = false) {
    const Token& start = peek();
    std::vector<ExpressionPtr> items;
    bool is_tuple = false;
    while (true) {
      const TokenType type = peek().type;
      if (type == TokenType::variable_end || type == TokenType::block_end || at_op(")") ||
          (!end.empty() && at_name(end)))
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
  Result<ExpressionPtr> expression() {
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

  struct Operator {
    Level level;
    std::variant<std::monostate, BinaryOperator, Comparison> op;  // monostate: or, and, ~
    std::size_t tokens = 1;
  };
  // The binary operator at this place.
  [[nodiscard]] std::optional<Operator> binary_operator() const {
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
  Result<ExpressionPtr> binary(Level loosest) {
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

  Result<ExpressionPtr> unary(bool with_filters) {
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

  Result<ExpressionPtr> primary() {
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

  Result<ExpressionPtr> list_display(const Token& token) {
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

  Result<ExpressionPtr> dict_display(const Token& token) {
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
  Result<ExpressionPtr> postfix(ExpressionPtr value) {
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

  Result<ExpressionPtr> subscript(const Token& token, ExpressionPtr value) {
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
  Result<ExpressionPtr> tuple_in_brackets() {
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

  Result<std::vector<Argument>> arguments() {
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

  Result<std::string> dotted_name() {
    WISP_TRY(std::string name, expect_name());
    while (skip_op(".")) {
      WISP_TRY(const std::string part, expect_name());
      name += "." + part;
    }
    return name;
  }

  // | name | name(arguments); for a filter block the first `|` is left out.
  Result<ExpressionPtr> filters(ExpressionPtr value, bool first_is_bare = false) {
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

  Result<ExpressionPtr> filters_and_tests(ExpressionPtr value) {
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
  Result<ExpressionPtr> test(const Token& token, ExpressionPtr value) {
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

  Template& out_;
  std::vector<Token> tokens_;
  std::uint32_t max_depth_;
  std::size_t at_ = 0;
  std::uint32_t depth_ = 0;
  int loops_ = 0;                        // open around this place
  std::vector<MacroSignature*> macros_;  // open around this place
  std::map<std::string, Symbol> symbols_;
};

}  // namespace

Result<std::unique_ptr<const Template>> parse_template(std::string_view source, std::uint32_t max_depth) {
  if (source.size() > std::numeric_limits<std::uint32_t>::max() / 2)
    return fail(Code::limit, "a template of {} is too long", format_bytes(source.size()));
  auto made = std::make_unique<Template>();
  made->source = normalise_newlines(source);
  WISP_TRY(std::vector<Token> tokens, tokenize(made->source));
  WISP_CHECK(Parser(*made, std::move(tokens), max_depth).run());
  return std::unique_ptr<const Template>(std::move(made));
}

}  // namespace wisp::text::jinja
