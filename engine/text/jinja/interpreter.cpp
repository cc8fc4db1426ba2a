#include "text/jinja/interpreter.h"

#include <utility>

#include "text/jinja/lexer.h"
#include "text/jinja/loop.h"
#include "text/jinja/operators.h"

namespace wisp::text::jinja {
namespace {

// A macro, or the body of a call block. Frames belong to the interpreter, which outlives every value of its run.
class MacroFunction final : public Function {
 public:
  MacroFunction(const MacroSignature& macro, Frame* scope) : macro_(macro), scope_(scope) {}
  Result<Value> call(Context& context, Arguments& arguments) override {
    return static_cast<Interpreter&>(context).call_macro(macro_, scope_, arguments);
  }
  bool attribute(Context& /*context*/, std::string_view name, Value& found) override {
    if (name == "name") found = Value::string(macro_.name);
    return name == "name";
  }
  [[nodiscard]] std::string describe() const override { return "<Macro '" + macro_.name + "'>"; }

 private:
  const MacroSignature& macro_;
  Frame* scope_;
};

void set_variable(Frame& frame, Symbol symbol, Value value) {
  for (auto& [name, held] : frame.variables) {
    if (name != symbol) continue;
    held = std::move(value);
    return;
  }
  frame.variables.emplace_back(symbol, std::move(value));
}

}  // namespace

class Interpreter::ScopedFrame {
 public:
  ScopedFrame(Interpreter& interpreter, Frame* parent)
      : interpreter_(interpreter), previous_(interpreter.frame_), frame_(std::make_unique<Frame>()) {
    frame_->parent = parent;
    interpreter_.frame_ = frame_.get();
  }
  ScopedFrame(const ScopedFrame&) = delete;
  ScopedFrame& operator=(const ScopedFrame&) = delete;
  ~ScopedFrame() {
    interpreter_.frame_ = previous_;
    if (frame_->captured) interpreter_.kept_.push_back(std::move(frame_));
  }
  void set(Symbol symbol, Value value) { set_variable(*frame_, symbol, std::move(value)); }

 private:
  Interpreter& interpreter_;
  Frame* previous_;
  std::unique_ptr<Frame> frame_;
};

Interpreter::Interpreter(const Template& parsed, const Value& variables, const Limits& limits,
                         std::int64_t now_unix_seconds)
    : Context(limits, now_unix_seconds), template_(parsed) {
  globals_.reserve(parsed.symbols.size());
  for (const std::string& name : parsed.symbols) {
    const Value* given = variables.find(name);
    globals_.push_back(given != nullptr ? *given : find_global(name));
  }
}

Interpreter::~Interpreter() = default;

void Interpreter::locate(Error& error, std::uint32_t offset) {
  if (located_) return;
  located_ = true;
  error.message = place(template_.source, offset) + ": " + error.message;
}

Result<std::string> Interpreter::run() {
  std::string text;
  out_ = &text;
  WISP_CHECK(execute(template_.body));
  return text;
}

Value Interpreter::look_up(Symbol symbol) const {
  for (const Frame* frame = frame_; frame != nullptr; frame = frame->parent)
    for (const auto& [name, value] : frame->variables)
      if (name == symbol) return value;
  const Value& global = globals_[symbol];
  if (global.is(Kind::undefined) && global.as_object() == nullptr)
    return Value::undefined("'" + template_.symbols[symbol] + "' is undefined");
  return global;
}

void Interpreter::store(Symbol symbol, Value value) {
  if (frame_ == nullptr) {
    globals_[symbol] = std::move(value);
  } else {
    set_variable(*frame_, symbol, std::move(value));
  }
}

Status Interpreter::write(const Value& value) { return append_text(*this, value, *out_); }

Result<Interpreter::Flow> Interpreter::execute(const Block& block) {
  const Level level(*this);
  WISP_CHECK(level.ok());
  for (const Statement* statement : block) {
    WISP_TRY(const Flow flow, execute(*statement));
    if (flow != Flow::normal) return flow;
  }
  return Flow::normal;
}

Result<Interpreter::Flow> Interpreter::execute(const Statement& statement) {
  Result<Flow> result = Flow::normal;
  if (const Status paid = spend(); !paid) {
    result = std::unexpected(paid.error());
  } else {
    result = std::visit([this](const auto& node) { return run_node(node); }, statement.node);
  }
  if (!result) locate(result.error(), statement.offset);
  return result;
}

Result<Interpreter::Flow> Interpreter::run_node(const Text& node) {
  WISP_CHECK(spend_bytes(out_->size() + node.text.size() > limits().max_output_bytes ? out_->size() + node.text.size()
                                                                                     : node.text.size()));
  *out_ += node.text;
  return Flow::normal;
}

Result<Interpreter::Flow> Interpreter::run_node(const Output& node) {
  for (const ExpressionPtr expression : node.values) {
    WISP_TRY(const Value value, evaluate(expression));
    WISP_CHECK(write(value));
  }
  return Flow::normal;
}

Result<Interpreter::Flow> Interpreter::run_node(const If& node) {
  for (const If::Branch& branch : node.branches) {
    if (branch.condition != nullptr) {
      WISP_TRY(const Value condition, evaluate(branch.condition));
      if (!truth(condition)) continue;
    }
    return execute(branch.body);
  }
  return Flow::normal;
}

Result<Interpreter::Flow> Interpreter::run_node(const For& node) {
  WISP_TRY(Value iterable, evaluate(node.iterable));
  return run_loop(node, std::move(iterable), 0);
}

// The items that pass the loop's own `if`.
Result<std::vector<Value>> Interpreter::loop_items(const For& node, Value iterable) {
  WISP_TRY(std::vector<Value> items, iterate(*this, iterable));
  if (node.condition == nullptr) return items;
  std::vector<Value> passing;
  for (Value& item : items) {
    const ScopedFrame frame(*this, frame_);
    WISP_CHECK(assign(node.target, item));
    WISP_TRY(const Value condition, evaluate(node.condition));
    if (truth(condition)) passing.push_back(std::move(item));
  }
  return passing;
}

Result<Interpreter::Flow> Interpreter::run_loop(const For& node, Value iterable, std::int64_t depth) {
  WISP_TRY(std::vector<Value> items, loop_items(node, std::move(iterable)));
  if (items.empty()) {
    const ScopedFrame frame(*this, frame_);
    return execute(node.otherwise);
  }
  if (node.recursive) keep_frames();
  Loop* loop = new Loop(std::move(items), depth, node.recursive ? &node : nullptr, frame_);
  const Value variable = Value::object(Kind::function, loop);
  for (std::size_t i = 0; i < loop->size(); ++i) {
    WISP_CHECK(spend());
    ScopedFrame frame(*this, frame_);
    frame.set(template_.loop, variable);
    WISP_CHECK(assign(node.target, loop->start_pass(i)));
    WISP_TRY(const Flow flow, execute(node.body));
    if (flow == Flow::leave_loop) break;
  }
  return Flow::normal;
}

Result<Value> Interpreter::call_loop(const For& loop, Frame* scope, std::int64_t depth, Value iterable) {
  const Level level(*this);
  WISP_CHECK(level.ok());
  std::string text;
  std::string* const previous_out = std::exchange(out_, &text);
  Frame* const previous_frame = std::exchange(frame_, scope);
  const Result<Flow> flow = run_loop(loop, std::move(iterable), depth);
  frame_ = previous_frame;
  out_ = previous_out;
  if (!flow) return std::unexpected(flow.error());
  return Value::string(std::move(text));
}

Result<Interpreter::Flow> Interpreter::run_node(const Set& node) {
  WISP_TRY(Value value, evaluate(node.value));
  WISP_CHECK(assign(node.target, std::move(value)));
  return Flow::normal;
}

Result<std::string> Interpreter::capture(const Block& block) {
  std::string text;
  std::string* const previous = std::exchange(out_, &text);
  const ScopedFrame frame(*this, frame_);
  const Result<Flow> flow = execute(block);
  out_ = previous;
  if (!flow) return std::unexpected(flow.error());
  return text;
}

Result<Value> Interpreter::filtered(ExpressionPtr filters, std::string text) {
  Value value = Value::string(std::move(text));
  if (filters == nullptr) return value;
  block_text_ = std::move(value);
  return evaluate(filters);
}

Result<Interpreter::Flow> Interpreter::run_node(const SetBlock& node) {
  WISP_TRY(std::string text, capture(node.body));
  WISP_TRY(Value value, filtered(node.filters, std::move(text)));
  WISP_CHECK(assign(node.target, std::move(value)));
  return Flow::normal;
}

Result<Interpreter::Flow> Interpreter::run_node(const FilterBlock& node) {
  WISP_TRY(std::string text, capture(node.body));
  WISP_TRY(const Value value, filtered(node.filters, std::move(text)));
  WISP_CHECK(write(value));
  return Flow::normal;
}

Result<Interpreter::Flow> Interpreter::run_node(const Scope& node) {
  std::vector<Value> values;  // all are evaluated outside the scope that they make
  for (const auto& [target, expression] : node.variables) {
    WISP_TRY(Value value, evaluate(expression));
    values.push_back(std::move(value));
  }
  const ScopedFrame frame(*this, frame_);
  for (std::size_t i = 0; i < values.size(); ++i) WISP_CHECK(assign(node.variables[i].first, std::move(values[i])));
  return execute(node.body);
}

void Interpreter::keep_frames() {
  for (Frame* frame = frame_; frame != nullptr && !frame->captured; frame = frame->parent) frame->captured = true;
}

Value Interpreter::make_macro(const MacroSignature& signature) {
  keep_frames();
  return Value::object(Kind::function, new MacroFunction(signature, frame_));
}

Result<Interpreter::Flow> Interpreter::run_node(const Macro& node) {
  store(node.symbol, make_macro(node.signature));
  return Flow::normal;
}

Result<Interpreter::Flow> Interpreter::run_node(const CallBlock& node) {
  WISP_TRY(const Value value, call(std::get<Call>(node.call->node), make_macro(node.caller)));
  WISP_CHECK(write(value));
  return Flow::normal;
}

Result<Value> Interpreter::call_macro(const MacroSignature& macro, Frame* scope, Arguments& arguments) {
  const Level level(*this);
  WISP_CHECK(level.ok());
  const std::size_t count = macro.parameters.size();
  std::vector<Value> extra;
  if (arguments.positional.size() > count) {
    if (!macro.uses_varargs)
      return fail(Code::invalid_argument, "macro '{}' takes not more than {} argument(s)", macro.name, count);
    extra.assign(arguments.positional.begin() + static_cast<std::ptrdiff_t>(count), arguments.positional.end());
    arguments.positional.resize(count);
  }
  std::vector<const Value*> given(count, nullptr);
  for (std::size_t i = 0; i < arguments.positional.size(); ++i) given[i] = &arguments.positional[i];
  Value named = Value::dict();
  Value caller = Value::undefined("no caller is defined: the macro was not called by a call block");
  for (const auto& [name, value] : arguments.named) {
    std::size_t at = 0;
    while (at < count && macro.parameters[at].name != name) ++at;
    if (at < count) {
      if (given[at] != nullptr)
        return fail(Code::invalid_argument, "macro '{}' got two values for argument '{}'", macro.name, name);
      given[at] = &value;
    } else if (name == "caller" && macro.uses_caller) {
      caller = value;
    } else if (macro.uses_kwargs) {
      named.set(name, value);
    } else {
      return fail(Code::invalid_argument, "macro '{}' takes no keyword argument '{}'", macro.name, printable(name));
    }
  }

  std::string text;
  std::string* const previous_out = std::exchange(out_, &text);
  Result<Flow> flow = Flow::normal;
  {
    ScopedFrame frame(*this, scope);
    if (macro.uses_caller) frame.set(template_.caller, std::move(caller));
    if (macro.uses_varargs) frame.set(template_.varargs, Value::tuple(std::move(extra)));
    if (macro.uses_kwargs) frame.set(template_.kwargs, std::move(named));
    for (std::size_t i = 0; flow && i < count; ++i) {
      const auto& parameter = macro.parameters[i];
      Result<Value> value = Value();
      if (given[i] != nullptr) {
        value = *given[i];
      } else if (parameter.otherwise != nullptr) {
        value = evaluate(parameter.otherwise);
      } else {
        value = Value::undefined("parameter '" + parameter.name + "' was not provided");
      }
      if (value) {
        frame.set(parameter.symbol, std::move(*value));
      } else {
        flow = std::unexpected(value.error());
      }
    }
    if (flow) flow = execute(macro.body);
  }
  out_ = previous_out;
  if (!flow) return std::unexpected(flow.error());
  return Value::string(std::move(text));
}

Status Interpreter::assign(const Target& target, Value value) {
  if (!target.parts.empty()) {
    WISP_TRY(std::vector<Value> items, iterate(*this, value));
    if (items.size() != target.parts.size())
      return fail(Code::invalid_argument, "{} values to unpack (expected {}, got {})",
                  items.size() < target.parts.size() ? "not enough" : "too many", target.parts.size(), items.size());
    for (std::size_t i = 0; i < items.size(); ++i) WISP_CHECK(assign(target.parts[i], std::move(items[i])));
    return {};
  }
  if (target.attribute.empty()) {
    store(target.symbol, std::move(value));
    return {};
  }
  Value holder = look_up(target.symbol);
  if (holder.is(Kind::undefined)) return fail(Code::invalid_argument, "{}", holder.reason());
  if (!holder.is(Kind::name_space))
    return fail(Code::invalid_argument, "cannot assign attribute on non-namespace object");
  WISP_CHECK(spend());
  holder.set(target.attribute, std::move(value));
  return {};
}

}  // namespace wisp::text::jinja
