// A parsed template. Nodes live in the template's arena and point to each other, so that a deep one is not destroyed by
// recursion; they hold no Values, so that threads can render one template at the same time.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <variant>
#include <vector>

namespace wisp::text::jinja {

struct Expression;
struct Statement;
using ExpressionPtr = const Expression*;  // null where the part is left out
using Block = std::vector<const Statement*>;
// A variable's name, as an index into Template::symbols.
using Symbol = std::uint32_t;

struct Argument {
  enum class Form : std::uint8_t { positional, named, spread, spread_named };  // x, name=x, *x, **x
  Form form = Form::positional;
  std::string name;
  ExpressionPtr value = nullptr;
};

// Expressions.
struct Literal {
  std::variant<std::monostate, bool, std::int64_t, double, std::string> value;  // monostate: none
};
struct Name {
  Symbol symbol = 0;
};
struct ListDisplay {
  std::vector<ExpressionPtr> items;
};
struct TupleDisplay {
  std::vector<ExpressionPtr> items;
};
struct DictDisplay {
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> entries;
};
struct Attribute {  // object.name
  ExpressionPtr object = nullptr;
  std::string name;
};
struct Subscript {  // object[index]
  ExpressionPtr object = nullptr;
  ExpressionPtr index = nullptr;
};
struct Slice {  // object[start:stop:step]
  ExpressionPtr object = nullptr;
  ExpressionPtr start = nullptr;
  ExpressionPtr stop = nullptr;
  ExpressionPtr step = nullptr;
};
struct Call {
  ExpressionPtr callee = nullptr;
  std::vector<Argument> arguments;
};
struct Filter {                   // input | name(arguments)
  ExpressionPtr input = nullptr;  // null at the head of a filter block: its text
  std::string name;
  std::vector<Argument> arguments;
};
struct Test {  // input is name(arguments)
  ExpressionPtr input = nullptr;
  std::string name;
  std::vector<Argument> arguments;
};
enum class UnaryOperator : std::uint8_t { negate, plus, logical_not };
struct Unary {
  UnaryOperator op = UnaryOperator::negate;
  ExpressionPtr operand = nullptr;
};
enum class BinaryOperator : std::uint8_t { add, subtract, multiply, divide, floor_divide, modulo, power };
struct Binary {
  BinaryOperator op = BinaryOperator::add;
  ExpressionPtr left = nullptr;
  ExpressionPtr right = nullptr;
};
struct Logical {  // and, or: gives one of its operands
  bool is_and = true;
  ExpressionPtr left = nullptr;
  ExpressionPtr right = nullptr;
};
enum class Comparison : std::uint8_t { equal, not_equal, less, less_equal, greater, greater_equal, in, not_in };
struct Compare {  // a < b <= c
  ExpressionPtr first = nullptr;
  std::vector<std::pair<Comparison, ExpressionPtr>> rest;
};
struct Concatenation {  // a ~ b ~ c
  std::vector<ExpressionPtr> parts;
};
struct Conditional {  // value if condition else otherwise
  ExpressionPtr condition = nullptr;
  ExpressionPtr value = nullptr;
  ExpressionPtr otherwise = nullptr;
};

struct Expression {
  std::uint32_t offset = 0;  // in Template::source
  std::variant<Literal, Name, ListDisplay, TupleDisplay, DictDisplay, Attribute, Subscript, Slice, Call, Filter, Test,
               Unary, Binary, Logical, Compare, Concatenation, Conditional>
      node;
};

// Where a value is put: a name, a namespace's attribute, or several targets that a sequence is taken apart into.
struct Target {
  std::uint32_t offset = 0;
  Symbol symbol = 0;      // the variable, or the namespace
  std::string attribute;  // of the namespace; empty for a plain name
  std::vector<Target> parts;
};

struct MacroSignature {
  std::string name;
  struct Parameter {
    std::string name;
    Symbol symbol = 0;
    ExpressionPtr otherwise = nullptr;
  };
  std::vector<Parameter> parameters;
  bool uses_varargs = false;
  bool uses_kwargs = false;
  bool uses_caller = false;
  Block body;
};

// Statements.
struct Text {
  std::string text;
};
struct Output {
  std::vector<ExpressionPtr> values;
};
struct If {
  struct Branch {
    ExpressionPtr condition = nullptr;  // null: else
    Block body;
  };
  std::vector<Branch> branches;
};
struct For {
  Target target;
  ExpressionPtr iterable = nullptr;
  ExpressionPtr condition = nullptr;  // `if` of the head
  bool recursive = false;
  Block body;
  Block otherwise;  // when there was no item
};
struct Set {
  Target target;
  ExpressionPtr value = nullptr;
};
struct SetBlock {  // {% set x | filters %}...{% endset %}
  Target target;
  ExpressionPtr filters = nullptr;
  Block body;
};
struct Macro {
  Symbol symbol = 0;
  MacroSignature signature;
};
struct CallBlock {  // {% call(parameters) callee(...) %}: the body is the callee's caller()
  MacroSignature caller;
  ExpressionPtr call = nullptr;
};
struct FilterBlock {
  ExpressionPtr filters = nullptr;
  Block body;
};
struct Scope {  // with, block, generation: a scope of its own
  std::vector<std::pair<Target, ExpressionPtr>> variables;
  Block body;
};
struct Break {};
struct Continue {};

struct Statement {
  std::uint32_t offset = 0;
  std::variant<Text, Output, If, For, Set, SetBlock, Macro, CallBlock, FilterBlock, Scope, Break, Continue> node;
};

struct Template {
  std::string source;  // lines end in \n
  std::vector<std::string> symbols;
  std::deque<Expression> expressions;
  std::deque<Statement> statements;
  Block body;
  // Symbols that the engine itself looks up.
  Symbol loop = 0;
  Symbol caller = 0;
  Symbol varargs = 0;
  Symbol kwargs = 0;
};

}  // namespace wisp::text::jinja
