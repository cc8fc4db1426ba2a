// Runs a parsed template over variables: walks the tree, statements write text, expressions give values.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "text/jinja/ast.h"
#include "text/jinja/context.h"
#include "text/jinja/value.h"

namespace wisp::text::jinja {

// The variables of a scope inside the template's: a loop's pass, a macro's call, a with block.
struct Frame {
  Frame* parent = nullptr;  // null: the template's own scope comes next
  // A macro defined here may be called after the scope was left, so the frame then stays until the rendering ends.
  bool captured = false;
  std::vector<std::pair<Symbol, Value>> variables;
};

class Interpreter final : public Context {
 public:
  // `parsed` outlives the interpreter. `variables` is a dict; only its entries and the globals are defined.
  Interpreter(const Template& parsed, const Value& variables, const Limits& limits, std::int64_t now_unix_seconds);
  ~Interpreter() override;

  Result<std::string> run();

  // For macros and recursive loops, which call back.
  Result<Value> call_macro(const MacroSignature& macro, Frame* scope, Arguments& arguments);
  Result<Value> call_loop(const For& loop, Frame* scope, std::int64_t depth, Value iterable);

 private:
  enum class Flow : std::uint8_t { normal, leave_loop, next_pass };
  class ScopedFrame;  // opens a frame, and closes it or keeps it

  // Statements, in interpreter.cpp.
  Result<Flow> execute(const Block& block);
  Result<Flow> execute(const Statement& statement);
  Result<Flow> run_node(const Text& node);
  Result<Flow> run_node(const Output& node);
  Result<Flow> run_node(const If& node);
  Result<Flow> run_node(const For& node);
  Result<Flow> run_node(const Set& node);
  Result<Flow> run_node(const SetBlock& node);
  Result<Flow> run_node(const Macro& node);
  Result<Flow> run_node(const CallBlock& node);
  Result<Flow> run_node(const FilterBlock& node);
  Result<Flow> run_node(const Scope& node);
  Result<Flow> run_node(const Break&) { return Flow::leave_loop; }
  Result<Flow> run_node(const Continue&) { return Flow::next_pass; }
  Result<Flow> run_loop(const For& node, Value iterable, std::int64_t depth);
  Result<std::vector<Value>> loop_items(const For& node, Value iterable);
  // What `block` writes, in a frame of its own.
  Result<std::string> capture(const Block& block);
  Result<Value> filtered(ExpressionPtr filters, std::string text);
  Status write(const Value& value);
  Status assign(const Target& target, Value value);
  Value make_macro(const MacroSignature& signature);
  void keep_frames();

  // Expressions, in evaluate.cpp.
  Result<Value> evaluate(ExpressionPtr expression);
  Result<Value> value_of(const Literal& node);
  Result<Value> value_of(const Name& node);
  Result<Value> value_of(const ListDisplay& node);
  Result<Value> value_of(const TupleDisplay& node);
  Result<Value> value_of(const DictDisplay& node);
  Result<Value> value_of(const Attribute& node);
  Result<Value> value_of(const Subscript& node);
  Result<Value> value_of(const Slice& node);
  Result<Value> value_of(const Call& node);
  Result<Value> value_of(const Filter& node);
  Result<Value> value_of(const Test& node);
  Result<Value> value_of(const Unary& node);
  Result<Value> value_of(const Binary& node);
  Result<Value> value_of(const Logical& node);
  Result<Value> value_of(const Compare& node);
  Result<Value> value_of(const Concatenation& node);
  Result<Value> value_of(const Conditional& node);
  Result<std::vector<Value>> values_of(const std::vector<ExpressionPtr>& nodes);
  Result<Arguments> arguments_of(const std::vector<Argument>& nodes);
  Result<Value> call(const Call& node, Value caller);

  // Puts the place in front of an error that has none yet.
  void locate(Error& error, std::uint32_t offset);

  [[nodiscard]] Value look_up(Symbol symbol) const;
  void store(Symbol symbol, Value value);

  const Template& template_;
  std::vector<Value> globals_;  // by symbol: the template's own scope over the caller's variables and the built-ins
  Frame* frame_ = nullptr;
  std::vector<std::unique_ptr<Frame>> kept_;
  std::string* out_ = nullptr;
  Value block_text_;  // what the innermost filter of a filter block works on
  bool located_ = false;
};

// Calls whatever `callee` is; fails for what cannot be called.
Result<Value> call_value(Context& context, const Value& callee, Arguments& arguments);

}  // namespace wisp::text::jinja
