#include "text/jinja/loop.h"

#include "text/jinja/operators.h"

namespace wisp::text::jinja {
namespace {

Loop& loop_of(Value& self) { return *static_cast<Loop*>(self.as_object()); }

Result<Value> cycle(Context& /*context*/, Value& self, Arguments& arguments) {
  if (arguments.positional.empty()) return fail(Code::invalid_argument, "no items for cycling given");
  return loop_of(self).cycle(arguments);
}

Result<Value> changed(Context& context, Value& self, Arguments& arguments) {
  WISP_TRY(const bool differs, loop_of(self).changed(context, arguments));
  return Value::boolean(differs);
}

}  // namespace

Result<Value> Loop::call(Context& context, Arguments& arguments) {
  if (recursive_ == nullptr)
    return fail(Code::invalid_argument, "the loop must have the 'recursive' marker to be called recursively");
  WISP_TRY(Bound bound, bind("loop", {{"iterable", true}}, arguments));
  return static_cast<Interpreter&>(context).call_loop(*recursive_, scope_, depth_ + 1, std::move(bound.values[0]));
}

bool Loop::attribute(Context& /*context*/, std::string_view name, Value& found) {
  const auto index = static_cast<std::int64_t>(index_);
  const auto size = static_cast<std::int64_t>(items_.size());
  if (name == "index")
    found = Value::integer(index + 1);
  else if (name == "index0")
    found = Value::integer(index);
  else if (name == "revindex")
    found = Value::integer(size - index);
  else if (name == "revindex0")
    found = Value::integer(size - index - 1);
  else if (name == "first")
    found = Value::boolean(index == 0);
  else if (name == "last")
    found = Value::boolean(index + 1 == size);
  else if (name == "length")
    found = Value::integer(size);
  else if (name == "depth")
    found = Value::integer(depth_ + 1);
  else if (name == "depth0")
    found = Value::integer(depth_);
  else if (name == "previtem")
    found = index > 0 ? items_[index_ - 1] : Value::undefined("there is no previous item");
  else if (name == "nextitem")
    found = index + 1 < size ? items_[index_ + 1] : Value::undefined("there is no next item");
  else if (name == "cycle")
    found = bound_function("cycle", jinja::cycle, Value::object(Kind::function, this));
  else if (name == "changed")
    found = bound_function("changed", jinja::changed, Value::object(Kind::function, this));
  else
    return false;
  return true;
}

std::string Loop::describe() const { return fmt::format("<LoopContext {}/{}>", index_ + 1, items_.size()); }

Result<bool> Loop::changed(Context& context, Arguments& arguments) {
  if (!has_last_) context.track(Value::object(Kind::function, this));  // the values may hold this very loop
  bool differs = !has_last_ || last_.size() != arguments.positional.size();
  for (std::size_t i = 0; !differs && i < last_.size(); ++i) {
    WISP_TRY(const bool same, equal(context, last_[i], arguments.positional[i]));
    differs = !same;
  }
  has_last_ = true;
  if (differs) last_ = std::move(arguments.positional);
  return differs;
}

void Loop::drop_children(Object*& dead) {
  for (Value& item : items_) drop(item, dead);
  for (Value& item : last_) drop(item, dead);
}

}  // namespace wisp::text::jinja
