// What one rendering may use up, and what filters, tests and methods may ask of the interpreter that runs them.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "text/jinja/limits.h"
#include "text/jinja/value.h"

namespace wisp::text::jinja {

// Evaluating a node is a step, so is making an element of a container, and so are kBytesPerStep bytes read or made. As
// memory is only ever asked for after its steps were paid, max_steps bounds memory as well as time.
inline constexpr std::uint64_t kBytesPerStep = 32;

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

class Context {
 public:
  Context(const Limits& limits, std::int64_t now_unix_seconds) : limits_(limits), now_(now_unix_seconds) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  virtual ~Context();

  Status spend(std::uint64_t steps = 1);
  Status spend_bytes(std::uint64_t bytes);

  // Counts a level of nesting while it lives. Ask ok() first: C++'s stack is finite.
  class Level {
   public:
    explicit Level(Context& context) : context_(context) { ++context_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    ~Level() { --context_.depth_; }
    [[nodiscard]] Status ok() const;

   private:
    Context& context_;
  };

  // A value that a template can make reach itself (a namespace, a macro, a list): it is emptied when the rendering
  // ends, which counting references alone would not do.
  void track(Value value) { tracked_.push_back(std::move(value)); }

  [[nodiscard]] const Limits& limits() const { return limits_; }
  [[nodiscard]] std::int64_t now() const { return now_; }

 protected:
  std::vector<Value> tracked_;

 private:
  Limits limits_;
  std::int64_t now_;
  std::uint64_t steps_ = 0;
  std::uint32_t depth_ = 0;
};

// The object of Kind::function.
class Function : public Object {
 public:
  virtual Result<Value> call(Context& context, Arguments& arguments) = 0;
  // An attribute such as loop.index, or nothing.
  virtual bool attribute(Context& /*context*/, std::string_view /*name*/, Value& /*found*/) { return false; }
  // What printing it shows.
  [[nodiscard]] virtual std::string describe() const = 0;
  // Lets go of what could lead back to the object; see Context::track.
  virtual void break_cycles() {}
};

// The parameters of a built-in: WISP_TRY(Bound bound, bind("replace", {{"old", true}, {"new", true}}, arguments));
struct Parameter {
  std::string_view name;
  bool required = false;
};
// One Value per parameter, undefined where none was given.
struct Bound {
  std::vector<Value> values;
  std::vector<bool> given;
  [[nodiscard]] const Value& operator[](std::size_t i) const { return values[i]; }
};
// Arguments by position or by name; fails as Python does for unexpected, repeated and missing ones. `what` names the
// callee in the message.
Result<Bound> bind(std::string_view what, std::initializer_list<Parameter> parameters, Arguments& arguments);

// Filters get the value on the left of `|` as input, tests the one on the left of `is`, methods the object.
using Builtin = Result<Value> (*)(Context&, Value& input, Arguments&);
Builtin find_filter(std::string_view name);
Builtin find_test(std::string_view name);
Builtin find_method(Kind kind, std::string_view name);
Builtin find_list_change(std::string_view name);  // append, pop, ..: methods that change their list
// range, namespace, dict, raise_exception, strftime_now, cycler, joiner; undefined for other names.
Value find_global(std::string_view name);

// Makes a method or a global callable.
Value bound_function(std::string name, Builtin builtin, Value self);

}  // namespace wisp::text::jinja
