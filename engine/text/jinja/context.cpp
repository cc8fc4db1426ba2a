#include "text/jinja/context.h"

namespace wisp::text::jinja {

Context::~Context() {
  for (Value& value : tracked_) {
    if (Dict* dict = value.as_dict()) dict->clear();
    if (const Value::Change list = value.change(); list.items != nullptr) list.items->clear();
    if (value.is(Kind::function)) static_cast<Function*>(value.as_object())->break_cycles();
  }
}

Status Context::spend(std::uint64_t steps) {
  if (steps > limits_.max_steps - steps_)
    return fail(Code::limit, "the template takes more than the {} steps that it may", limits_.max_steps);
  steps_ += steps;
  return {};
}

Status Context::spend_bytes(std::uint64_t bytes) {
  if (bytes > limits_.max_output_bytes)
    return fail(Code::limit, "the template makes a text longer than the {} that it may",
                format_bytes(limits_.max_output_bytes));
  return spend(bytes / kBytesPerStep);
}

Status Context::Level::ok() const {
  if (context_.depth_ > context_.limits_.max_depth)
    return fail(Code::limit, "calls and values nest deeper than {}", context_.limits_.max_depth);
  return {};
}

Result<Bound> bind(std::string_view what, std::initializer_list<Parameter> parameters, Arguments& arguments) {
  Bound bound;
  bound.values.resize(parameters.size());
  bound.given.resize(parameters.size());
  if (arguments.positional.size() > parameters.size())
    return fail(Code::invalid_argument, "{}() takes at most {} arguments, got {}", what, parameters.size(),
                arguments.positional.size());
  for (std::size_t i = 0; i < arguments.positional.size(); ++i) {
    bound.values[i] = std::move(arguments.positional[i]);
    bound.given[i] = true;
  }
  for (auto& [name, value] : arguments.named) {
    std::size_t at = 0;
    while (at < parameters.size() && parameters.begin()[at].name != name) ++at;
    if (at == parameters.size())
      return fail(Code::invalid_argument, "{}() got an unexpected argument '{}'", what, printable(name));
    if (bound.given[at]) return fail(Code::invalid_argument, "{}() got two values for argument '{}'", what, name);
    bound.values[at] = std::move(value);
    bound.given[at] = true;
  }
  for (std::size_t i = 0; i < parameters.size(); ++i)
    if (parameters.begin()[i].required && !bound.given[i])
      return fail(Code::invalid_argument, "{}() needs the argument '{}'", what, parameters.begin()[i].name);
  return bound;
}

namespace {

class BoundFunction final : public Function {
 public:
  BoundFunction(std::string name, Builtin builtin, Value self)
      : name_(std::move(name)), builtin_(builtin), self_(std::move(self)) {}
  Result<Value> call(Context& context, Arguments& arguments) override { return builtin_(context, self_, arguments); }
  [[nodiscard]] std::string describe() const override { return "<built-in function " + name_ + ">"; }

 protected:
  void drop_children(Object*& dead) override { drop(self_, dead); }

 private:
  std::string name_;
  Builtin builtin_;
  Value self_;
};

}  // namespace

Value bound_function(std::string name, Builtin builtin, Value self) {
  return Value::object(Kind::function, new BoundFunction(std::move(name), builtin, std::move(self)));
}

}  // namespace wisp::text::jinja
