// The methods that change a list. They are found only on lists that the template made (Value::own_list).
#include <algorithm>

#include "text/jinja/context.h"
#include "text/jinja/operators.h"
#include "text/jinja/string_functions.h"

namespace wisp::text::jinja {
namespace {

// A list can come to hold itself: from its first change on it is tracked, so that it does not outlive the rendering.
std::vector<Value>& items_of(Context& context, Value& self) {
  const Value::Change change = self.change();
  if (change.first) context.track(self);
  return *change.items;
}

Result<Value> append(Context& context, Value& self, Arguments& arguments) {
  WISP_TRY(Bound bound, bind("append", {{"object", true}}, arguments));
  WISP_CHECK(context.spend());
  items_of(context, self).push_back(std::move(bound.values[0]));
  return Value::none();
}

Result<Value> extend(Context& context, Value& self, Arguments& arguments) {
  WISP_TRY(Bound bound, bind("extend", {{"iterable", true}}, arguments));
  WISP_TRY(std::vector<Value> more, iterate(context, bound.values[0]));
  WISP_CHECK(context.spend(more.size()));
  std::vector<Value>& items = items_of(context, self);
  for (Value& item : more) items.push_back(std::move(item));
  return Value::none();
}

// Where an index of Python's lies; negative ones count from the end.
std::int64_t from_front(std::int64_t index, const std::vector<Value>& items) {
  return index < 0 ? index + static_cast<std::int64_t>(items.size()) : index;
}

Result<Value> insert(Context& context, Value& self, Arguments& arguments) {
  WISP_TRY(Bound bound, bind("insert", {{"index", true}, {"object", true}}, arguments));
  WISP_TRY(const std::int64_t index, integer_argument("the index", bound[0]));
  WISP_CHECK(context.spend(1 + self.items().size()));
  std::vector<Value>& items = items_of(context, self);
  const std::int64_t at =
      std::clamp<std::int64_t>(from_front(index, items), 0, static_cast<std::int64_t>(items.size()));
  items.insert(items.begin() + static_cast<std::ptrdiff_t>(at), std::move(bound.values[1]));
  return Value::none();
}

Result<Value> pop(Context& context, Value& self, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("pop", {{"index"}}, arguments));
  std::int64_t index = -1;
  if (bound.given[0]) {
    WISP_TRY(index, integer_argument("the index", bound[0]));
  }
  std::vector<Value>& items = items_of(context, self);
  if (items.empty()) return fail(Code::invalid_argument, "pop from empty list");
  const std::int64_t at = from_front(index, items);
  if (at < 0 || at >= static_cast<std::int64_t>(items.size())) {
    return fail(Code::invalid_argument, "pop index out of range");
  }
  WISP_CHECK(context.spend(items.size() - static_cast<std::size_t>(at)));
  Value item = std::move(items[static_cast<std::size_t>(at)]);
  items.erase(items.begin() + static_cast<std::ptrdiff_t>(at));
  return item;
}

Result<Value> remove(Context& context, Value& self, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("remove", {{"value", true}}, arguments));
  std::vector<Value>& items = items_of(context, self);
  for (std::size_t i = 0; i < items.size(); ++i) {
    WISP_TRY(const bool same, equal(context, items[i], bound[0]));
    if (!same) continue;
    WISP_CHECK(context.spend(items.size() - i));
    items.erase(items.begin() + static_cast<std::ptrdiff_t>(i));
    return Value::none();
  }
  return fail(Code::invalid_argument, "list.remove(x): x not in list");
}

Result<Value> clear(Context& context, Value& self, Arguments& arguments) {
  WISP_CHECK(bind("clear", {}, arguments));
  items_of(context, self).clear();
  return Value::none();
}

Result<Value> reverse(Context& context, Value& self, Arguments& arguments) {
  WISP_CHECK(bind("reverse", {}, arguments));
  WISP_CHECK(context.spend(self.items().size()));
  std::ranges::reverse(items_of(context, self));
  return Value::none();
}

struct Named {
  std::string_view name;
  Builtin builtin;
};
constexpr Named kChanges[] = {
    {"append", append}, {"clear", clear},   {"extend", extend},   {"insert", insert},
    {"pop", pop},       {"remove", remove}, {"reverse", reverse},
};

}  // namespace

Builtin find_list_change(std::string_view name) {
  for (const Named& entry : kChanges)
    if (entry.name == name) return entry.builtin;
  return nullptr;
}

}  // namespace wisp::text::jinja
