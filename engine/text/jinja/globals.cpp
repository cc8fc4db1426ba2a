// The functions that every template finds defined.
#include "text/jinja/operators.h"
#include "text/jinja/strftime.h"
#include "text/jinja/string_functions.h"

namespace wisp::text::jinja {
namespace {

// Jinja's sandbox has this bound.
constexpr std::uint64_t kMaxRange = 100'000;

Result<Value> range(Context& context, Value& /*self*/, Arguments& arguments) {
  const std::size_t given = arguments.positional.size();
  if (given < 1 || given > 3 || !arguments.named.empty())
    return fail(Code::invalid_argument, "range expected 1 to 3 arguments, got {}", given);
  std::int64_t numbers[3] = {0, 0, 1};
  for (std::size_t i = 0; i < given; ++i) {
    const std::size_t to = given == 1 ? 1 : i;
    WISP_TRY(numbers[to], integer_argument("each argument of range()", arguments.positional[i]));
  }
  const auto [start, stop, step] = numbers;
  if (step == 0) return fail(Code::invalid_argument, "range() arg 3 must not be zero");
  // Differences of 64-bit integers fit 64 bits without a sign, and sums wrap to the right answer.
  const auto bits = [](std::int64_t number) { return static_cast<std::uint64_t>(number); };
  const std::uint64_t distance = step > 0 ? bits(stop) - bits(start) : bits(start) - bits(stop);
  const std::uint64_t stride = step > 0 ? bits(step) : 0 - bits(step);
  const bool empty = step > 0 ? stop <= start : stop >= start;
  const std::uint64_t count = empty ? 0 : (distance - 1) / stride + 1;
  if (count > kMaxRange)
    return fail(Code::limit, "Range too big. The sandbox blocks ranges larger than {}.", kMaxRange);
  WISP_CHECK(context.spend(count));
  std::vector<Value> items;
  items.reserve(static_cast<std::size_t>(count));
  for (std::uint64_t i = 0; i < count; ++i)
    items.push_back(Value::integer(static_cast<std::int64_t>(bits(start) + i * bits(step))));
  return Value::sequence(Kind::range, std::move(items));
}

// The entries of a dict, then the named arguments.
Status fill(Context& context, Dict& made, std::string_view what, Arguments& arguments) {
  if (arguments.positional.size() > 1)
    return fail(Code::invalid_argument, "{} expected at most 1 argument, got {}", what, arguments.positional.size());
  if (!arguments.positional.empty()) {
    Value& source = arguments.positional[0];
    if (source.is(Kind::dict)) {
      WISP_CHECK(context.spend(4 * source.as_dict()->size()));
      for (const auto& [key, value] : source.as_dict()->entries()) made.set(key, value);
    } else {
      WISP_TRY(std::vector<Value> pairs, iterate(context, source));
      for (Value& pair : pairs) {
        WISP_TRY(std::vector<Value> parts, iterate(context, pair));
        if (parts.size() != 2) return fail(Code::invalid_argument, "{} needs pairs of a key and a value", what);
        if (!Dict::hashable(parts[0]))
          return fail(Code::invalid_argument, "unhashable type: '{}'", type_name(parts[0]));
        WISP_CHECK(context.spend(4));
        made.set(std::move(parts[0]), std::move(parts[1]));
      }
    }
  }
  WISP_CHECK(context.spend(4 * arguments.named.size()));
  for (auto& [name, value] : arguments.named) made.set(Value::string(name), std::move(value));
  return {};
}

Result<Value> dict(Context& context, Value& /*self*/, Arguments& arguments) {
  Value made = Value::dict();
  WISP_CHECK(fill(context, *made.as_dict(), "dict", arguments));
  return made;
}

Result<Value> name_space(Context& context, Value& /*self*/, Arguments& arguments) {
  Value made = Value::object(Kind::name_space, new Dict);
  WISP_CHECK(fill(context, *made.as_dict(), "namespace", arguments));
  context.track(made);
  return made;
}

Result<Value> raise_exception(Context& context, Value& /*self*/, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("raise_exception", {{"message", true}}, arguments));
  WISP_TRY(const std::string message, to_text(context, bound[0]));
  return fail(Code::invalid_argument, "{}", message);
}

Result<Value> strftime_now(Context& context, Value& /*self*/, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("strftime_now", {{"format", true}}, arguments));
  WISP_TRY(const std::string_view format, text_argument("the format", bound[0]));
  WISP_CHECK(context.spend_bytes(32 * format.size()));  // no code writes more
  return make_string(context, format_time(format, context.now()));
}

// cycler('a', 'b'): next(), current, reset().
class Cycler final : public Function {
 public:
  explicit Cycler(std::vector<Value> items) : items_(std::move(items)) {}
  Result<Value> call(Context& /*context*/, Arguments& /*arguments*/) override {
    return fail(Code::invalid_argument, "'Cycler' object is not callable");
  }
  bool attribute(Context& /*context*/, std::string_view name, Value& found) override {
    const auto self = [this] { return Value::object(Kind::function, this); };
    if (name == "current")
      found = items_[at_];
    else if (name == "next")
      found = bound_function("next", next, self());
    else if (name == "reset")
      found = bound_function("reset", reset, self());
    else
      return false;
    return true;
  }
  [[nodiscard]] std::string describe() const override { return "<Cycler>"; }

 protected:
  void drop_children(Object*& dead) override {
    for (Value& item : items_) drop(item, dead);
  }

 private:
  static Cycler& of(Value& self) { return *static_cast<Cycler*>(self.as_object()); }
  static Result<Value> next(Context& /*context*/, Value& self, Arguments& /*arguments*/) {
    Cycler& cycler = of(self);
    Value value = cycler.items_[cycler.at_];
    cycler.at_ = (cycler.at_ + 1) % cycler.items_.size();
    return value;
  }
  static Result<Value> reset(Context& /*context*/, Value& self, Arguments& /*arguments*/) {
    of(self).at_ = 0;
    return Value::none();
  }

  std::vector<Value> items_;
  std::size_t at_ = 0;
};

Result<Value> cycler(Context& context, Value& /*self*/, Arguments& arguments) {
  if (arguments.positional.empty()) return fail(Code::invalid_argument, "at least one item has to be provided");
  WISP_CHECK(context.spend(arguments.positional.size()));
  return Value::object(Kind::function, new Cycler(std::move(arguments.positional)));
}

// joiner(', '): nothing at the first call, the separator at the others.
class Joiner final : public Function {
 public:
  explicit Joiner(Value separator) : separator_(std::move(separator)) {}
  Result<Value> call(Context& /*context*/, Arguments& /*arguments*/) override {
    return std::exchange(used_, true) ? separator_ : Value::string({});
  }
  [[nodiscard]] std::string describe() const override { return "<Joiner>"; }

 protected:
  void drop_children(Object*& dead) override { drop(separator_, dead); }

 private:
  Value separator_;
  bool used_ = false;
};

Result<Value> joiner(Context& /*context*/, Value& /*self*/, Arguments& arguments) {
  WISP_TRY(Bound bound, bind("joiner", {{"sep"}}, arguments));
  Value separator = bound.given[0] ? std::move(bound.values[0]) : Value::string(", ");
  return Value::object(Kind::function, new Joiner(std::move(separator)));
}

struct Named {
  std::string_view name;
  Builtin builtin;
};

constexpr Named kGlobals[] = {
    {"cycler", cycler},
    {"dict", dict},
    {"joiner", joiner},
    {"namespace", name_space},
    {"raise_exception", raise_exception},
    {"range", range},
    {"strftime_now", strftime_now},
};

}  // namespace

Value find_global(std::string_view name) {
  for (const Named& entry : kGlobals)
    if (entry.name == name) return bound_function(std::string(name), entry.builtin, Value());
  return Value();
}

}  // namespace wisp::text::jinja
