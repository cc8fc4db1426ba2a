#include "text/jinja/template_parser.h"

namespace wisp::text::jinja {

// Statements up to a block tag that starts with one of `ends`, which is left as the next token; with none, up to the
// end of the template.
Result<Block> TemplateParser::block(EndTags ends) {
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
Result<Block> TemplateParser::body_until(std::string_view end) {
  WISP_CHECK(expect_type(TokenType::block_end, "'%}'"));
  WISP_TRY(Block body, block({end}));
  next();
  return body;
}

Result<const Statement*> TemplateParser::statement() {
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

Result<const Statement*> TemplateParser::if_statement(const Token& tag) {
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

Result<const Statement*> TemplateParser::for_statement(const Token& tag) {
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

Result<const Statement*> TemplateParser::set_statement(const Token& tag) {
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
Status TemplateParser::parameters(MacroSignature& signature) {
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
Result<Block> TemplateParser::closed_body_until(std::string_view end) {
  const int loops = std::exchange(loops_, 0);
  auto body = body_until(end);
  loops_ = loops;
  return body;
}

Status TemplateParser::macro_body(MacroSignature& signature, std::string_view end) {
  macros_.push_back(&signature);
  auto body = closed_body_until(end);
  macros_.pop_back();
  WISP_TRY(signature.body, std::move(body));
  return {};
}

Result<const Statement*> TemplateParser::macro_statement(const Token& tag) {
  Macro made;
  WISP_TRY(made.signature.name, expect_name());
  made.symbol = symbol(made.signature.name);
  WISP_CHECK(parameters(made.signature));
  WISP_CHECK(macro_body(made.signature, "endmacro"));
  return make_statement(tag, std::move(made));
}

Result<const Statement*> TemplateParser::call_statement(const Token& tag) {
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

Result<const Statement*> TemplateParser::filter_statement(const Token& tag) {
  FilterBlock made;
  WISP_TRY(made.filters, filters(nullptr, true));
  WISP_TRY(made.body, closed_body_until("endfilter"));
  return make_statement(tag, std::move(made));
}

Result<const Statement*> TemplateParser::scope_statement(const Token& tag) {
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

Result<const Statement*> TemplateParser::print_statement(const Token& tag) {
  Output made;
  while (peek().type != TokenType::block_end) {
    if (!made.values.empty()) WISP_CHECK(expect_op(","));
    WISP_TRY(const ExpressionPtr value, expression());
    made.values.push_back(value);
  }
  return make_statement(tag, std::move(made));
}

// a   a, b   (a, b)   namespace.a
Result<Target> TemplateParser::target(bool with_attribute, std::string_view end, bool with_tuple) {
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

}  // namespace wisp::text::jinja
