// The parser's parts: statements are read in parse_statements.cpp, expressions in parse_expressions.cpp. Others include
// parser.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/format.h"
#include "base/result.h"
#include "text/jinja/ast.h"
#include "text/jinja/lexer.h"

namespace wisp::text::jinja {

class TemplateParser {
 public:
  TemplateParser(Template& out, std::vector<Token> tokens, std::uint32_t max_depth)
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
    explicit Nesting(TemplateParser& parser) : parser_(parser) { ++parser_.depth_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;
    ~Nesting() { --parser_.depth_; }

   private:
    TemplateParser& parser_;
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
  [[nodiscard]] static std::string shown(const Token& token);
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

  Symbol symbol(const std::string& name);
  template <class Node>
  ExpressionPtr make(const Token& token, Node node) {
    return &out_.expressions.emplace_back(Expression{token.offset, std::move(node)});
  }
  template <class Node>
  const Statement* make_statement(const Token& token, Node node) {
    return &out_.statements.emplace_back(Statement{token.offset, std::move(node)});
  }

  // ---- statements

  using EndTags = std::initializer_list<std::string_view>;
  Result<Block> block(EndTags ends);
  Result<Block> body_until(std::string_view end);
  Result<const Statement*> statement();
  Result<const Statement*> if_statement(const Token& tag);
  Result<const Statement*> for_statement(const Token& tag);
  Result<const Statement*> set_statement(const Token& tag);
  Status parameters(MacroSignature& signature);
  Result<Block> closed_body_until(std::string_view end);
  Status macro_body(MacroSignature& signature, std::string_view end);
  Result<const Statement*> macro_statement(const Token& tag);
  Result<const Statement*> call_statement(const Token& tag);
  Result<const Statement*> filter_statement(const Token& tag);
  Result<const Statement*> scope_statement(const Token& tag);
  Result<const Statement*> print_statement(const Token& tag);
  Result<Target> target(bool with_attribute, std::string_view end, bool with_tuple = true);

  // ---- expressions

  Result<ExpressionPtr> tuple(bool with_condition = true, std::string_view end = "", bool in_parentheses = false);
  Result<ExpressionPtr> expression();
  // How tightly operators bind, loosest first; everything else (unary signs, filters, tests, calls) binds tighter.
  enum Level : std::uint8_t { kOr = 1, kAnd, kNot, kCompare, kSum, kConcatenation, kProduct, kPower };
  struct Operator {
    Level level;
    std::variant<std::monostate, BinaryOperator, Comparison> op;  // monostate: or, and, ~
    std::size_t tokens = 1;
  };
  [[nodiscard]] std::optional<Operator> binary_operator() const;
  Result<ExpressionPtr> binary(Level loosest);
  Result<ExpressionPtr> unary(bool with_filters);
  Result<ExpressionPtr> primary();
  Result<ExpressionPtr> list_display(const Token& token);
  Result<ExpressionPtr> dict_display(const Token& token);
  Result<ExpressionPtr> postfix(ExpressionPtr value);
  Result<ExpressionPtr> subscript(const Token& token, ExpressionPtr value);
  Result<ExpressionPtr> tuple_in_brackets();
  Result<std::vector<Argument>> arguments();
  Result<std::string> dotted_name();
  Result<ExpressionPtr> filters(ExpressionPtr value, bool first_is_bare = false);
  Result<ExpressionPtr> filters_and_tests(ExpressionPtr value);
  Result<ExpressionPtr> test(const Token& token, ExpressionPtr value);

  Template& out_;
  std::vector<Token> tokens_;
  std::uint32_t max_depth_;
  std::size_t at_ = 0;
  std::uint32_t depth_ = 0;
  int loops_ = 0;                        // open around this place
  std::vector<MacroSignature*> macros_;  // open around this place
  std::map<std::string, Symbol> symbols_;
};

}  // namespace wisp::text::jinja
