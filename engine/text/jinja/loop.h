// The variable `loop` inside a for loop.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/interpreter.h"

namespace wisp::text::jinja {

class Loop final : public Function {
 public:
  // `recursive` is the loop itself where its head says so, else null; `scope` is where it stands.
  Loop(std::vector<Value> items, std::int64_t depth, const For* recursive, Frame* scope)
      : items_(std::move(items)), depth_(depth), recursive_(recursive), scope_(scope) {}

  [[nodiscard]] std::size_t size() const { return items_.size(); }
  [[nodiscard]] const Value& start_pass(std::size_t index) { return items_[index_ = index]; }

  // loop(children), in a recursive loop.
  Result<Value> call(Context& context, Arguments& arguments) override;
  bool attribute(Context& context, std::string_view name, Value& found) override;
  [[nodiscard]] std::string describe() const override;
  void break_cycles() override { last_.clear(); }

  Value cycle(const Arguments& arguments) const { return arguments.positional[index_ % arguments.positional.size()]; }
  // Whether the arguments differ from those of the last call.
  Result<bool> changed(Context& context, Arguments& arguments);

 protected:
  void drop_children(Object*& dead) override;

 private:
  std::vector<Value> items_;
  std::size_t index_ = 0;
  std::int64_t depth_;  // from 0
  const For* recursive_;
  Frame* scope_;
  bool has_last_ = false;
  std::vector<Value> last_;
};

}  // namespace wisp::text::jinja
