// Filters over what iterates: choosing, ordering, grouping, joining.
#include <set>

#include "text/jinja/filters.h"
#include "text/jinja/letter_case.h"
#include "text/jinja/operators.h"
#include "text/jinja/sort.h"
#include "text/jinja/string_functions.h"

namespace wisp::text::jinja {
namespace {

// The value of `path` ("a.b.0") in an item; `path` undefined or none: the item itself.
Result<Value> value_at(Context& context, const Value& held, const Value& path) {
  if (path.is(Kind::undefined) || path.is(Kind::none)) return held;
  if (path.is_integral()) return item(context, held, path);
  WISP_TRY(std::string_view rest, text_argument("an attribute", path));
  Value value = held;
  while (true) {
    const std::size_t dot = rest.find('.');
    const std::string_view part = rest.substr(0, dot);
    const bool number =
        !part.empty() && part.size() < 10 && part.find_first_not_of("0123456789") == std::string_view::npos;
    std::int64_t index = 0;
    for (const char c : part) index = number ? index * 10 + (c - '0') : 0;
    WISP_TRY(value, item(context, value, number ? Value::integer(index) : Value::string(std::string(part))));
    if (dot == std::string_view::npos) return value;
    rest.remove_prefix(dot + 1);
  }
}

// Sorting and comparing take strings in lower case unless told otherwise.
Result<Value> key_of(Context& context, const Value& held, const Value& path, bool case_sensitive) {
  WISP_TRY(Value value, value_at(context, held, path));
  if (case_sensitive || !value.is(Kind::string)) return value;
  return make_string(context, lower(value.as_text()));
}

Result<std::vector<Value>> keys_of(Context& context, const std::vector<Value>& items, const Value& path,
                                   bool case_sensitive) {
  std::vector<Value> keys;
  keys.reserve(items.size());
  for (const Value& held : items) {
    WISP_TRY(Value key, key_of(context, held, path, case_sensitive));
    keys.push_back(std::move(key));
  }
  return keys;
}

Result<Value> length_filter(Context& context, Value& input, Arguments& arguments) {
  WISP_CHECK(bind("length", {}, arguments));
  WISP_TRY(const std::int64_t size, length(context, input));
  return Value::integer(size);
}

Result<Value> list_filter(Context& context, Value& input, Arguments& arguments) {
  WISP_CHECK(bind("list", {}, arguments));
  WISP_TRY(std::vector<Value> items, iterate(context, input));
  return Value::own_list(std::move(items));
}

Result<Value> first(Context& context, Value& input, Arguments& arguments) {
  WISP_CHECK(bind("first", {}, arguments));
  if (input.is(Kind::string)) return item(context, input, Value::integer(0));
  if (input.is_sequence() && !input.is(Kind::generator) && !input.items().empty()) return input.items().front();
  WISP_TRY(const std::vector<Value> items, iterate(context, input));
  return items.empty() ? Value::undefined("No first item, sequence was empty.") : items.front();
}

Result<Value> last(Context& context, Value& input, Arguments& arguments) {
  WISP_CHECK(bind("last", {}, arguments));
  if (input.is(Kind::generator)) return fail(Code::invalid_argument, "'generator' object is not reversible");
  if (input.is(Kind::string)) return item(context, input, Value::integer(-1));
  if (input.is_sequence() && !input.items().empty()) return input.items().back();
  WISP_TRY(const std::vector<Value> items, iterate(context, input));
  return items.empty() ? Value::undefined("No last item, sequence was empty.") : items.back();
}

Result<Value> reverse(Context& context, Value& input, Arguments& arguments) {
  WISP_CHECK(bind("reverse", {}, arguments));
  if (input.is(Kind::string)) return slice(context, input, Value::none(), Value::none(), Value::integer(-1));
  WISP_TRY(std::vector<Value> items, iterate(context, input));
  return Value::sequence(Kind::generator, std::vector<Value>(items.rbegin(), items.rend()));
}

Result<Value> join(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("join", {{"d"}, {"attribute"}}, arguments));
  WISP_TRY(const std::vector<Value> items, iterate(context, input));
  std::string out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) WISP_CHECK(append_text(context, bound[0], out));
    WISP_TRY(const Value value, value_at(context, items[i], bound[1]));
    WISP_CHECK(append_text(context, value, out));
  }
  return Value::string(std::move(out));
}

Result<Value> items_filter(Context& context, Value& input, Arguments& arguments) {
  WISP_CHECK(bind("items", {}, arguments));
  if (input.is(Kind::undefined)) return Value::sequence(Kind::generator, {});
  if (!input.is(Kind::dict)) return fail(Code::invalid_argument, "Can only get item pairs from a mapping.");
  std::vector<Value> pairs;
  WISP_CHECK(context.spend(3 * input.as_dict()->size()));
  for (const auto& [key, value] : input.as_dict()->entries()) pairs.push_back(Value::tuple({key, value}));
  return Value::sequence(Kind::generator, std::move(pairs));
}

Result<Value> sort(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("sort", {{"reverse"}, {"case_sensitive"}, {"attribute"}}, arguments));
  WISP_TRY(std::vector<Value> items, iterate(context, input));
  std::vector<Value> keys;
  if (bound[2].is(Kind::string) && bound[2].as_text().find(',') != std::string_view::npos) {
    // Several attributes: each item's key is the tuple of theirs.
    WISP_TRY(const std::vector<Value> paths, split(context, bound[2].as_text(), ",", -1, false));
    for (const Value& held : items) {
      std::vector<Value> parts;
      for (const Value& path : paths) {
        WISP_TRY(Value part, key_of(context, held, path, truth(bound[1])));
        parts.push_back(std::move(part));
      }
      keys.push_back(Value::tuple(std::move(parts)));
    }
  } else {
    WISP_TRY(keys, keys_of(context, items, bound[2], truth(bound[1])));
  }
  WISP_CHECK(sort_values(context, items, keys, truth(bound[0])));
  return Value::list(std::move(items));
}

Result<Value> dictsort(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("dictsort", {{"case_sensitive"}, {"by"}, {"reverse"}}, arguments));
  if (!input.is(Kind::dict)) {
    if (input.is(Kind::undefined)) return fail(Code::invalid_argument, "{}", input.reason());
    return fail(Code::invalid_argument, "'{}' has no attribute 'items'", type_name(input));
  }
  std::string_view by = "key";
  if (bound.given[1]) {
    WISP_TRY(by, text_argument("by", bound[1]));
    if (by != "key" && by != "value")
      return fail(Code::invalid_argument, "You can only sort by either \"key\" or \"value\"");
  }
  WISP_CHECK(context.spend(3 * input.as_dict()->size()));
  std::vector<Value> pairs;
  for (const auto& [key, value] : input.as_dict()->entries()) pairs.push_back(Value::tuple({key, value}));
  WISP_TRY(const std::vector<Value> keys,
           keys_of(context, pairs, Value::integer(by == "key" ? 0 : 1), truth(bound[0])));
  WISP_CHECK(sort_values(context, pairs, keys, truth(bound[2])));
  return Value::list(std::move(pairs));
}

Result<Value> unique(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("unique", {{"case_sensitive"}, {"attribute"}}, arguments));
  WISP_TRY(std::vector<Value> items, iterate(context, input));
  WISP_TRY(const std::vector<Value> keys, keys_of(context, items, bound[1], truth(bound[0])));
  std::set<Value, KeyLess> seen;
  std::vector<Value> kept;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!Dict::hashable(keys[i])) return fail(Code::invalid_argument, "unhashable type: '{}'", type_name(keys[i]));
    WISP_CHECK(context.spend(4));
    if (seen.insert(keys[i]).second) kept.push_back(std::move(items[i]));
  }
  return Value::sequence(Kind::generator, std::move(kept));
}

template <bool maximum>
Result<Value> extreme(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind(maximum ? "max" : "min", {{"case_sensitive"}, {"attribute"}}, arguments));
  WISP_TRY(const std::vector<Value> items, iterate(context, input));
  if (items.empty()) return Value::undefined("No aggregated item, sequence was empty.");
  WISP_TRY(const std::vector<Value> keys, keys_of(context, items, bound[1], truth(bound[0])));
  std::size_t best = 0;
  for (std::size_t i = 1; i < items.size(); ++i) {
    WISP_TRY(const auto ordering, order(context, keys[i], keys[best]));
    if (maximum ? ordering > 0 : ordering < 0) best = i;
  }
  return items[best];
}

Result<Value> sum(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("sum", {{"attribute"}, {"start"}}, arguments));
  WISP_TRY(const std::vector<Value> items, iterate(context, input));
  Value total = bound.given[1] ? bound[1] : Value::integer(0);
  if (total.is(Kind::string)) return fail(Code::invalid_argument, "sum() can't sum strings");
  for (const Value& held : items) {
    WISP_TRY(const Value value, value_at(context, held, bound[0]));
    WISP_TRY(total, binary(context, BinaryOperator::add, total, value));
  }
  return total;
}

Result<Value> groupby(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("groupby", {{"attribute", true}, {"default"}, {"case_sensitive"}}, arguments));
  WISP_TRY(std::vector<Value> items, iterate(context, input));
  std::vector<Value> values;
  std::vector<Value> keys;
  for (const Value& held : items) {
    WISP_TRY(Value value, value_at(context, held, bound[0]));
    if (value.is(Kind::undefined) && bound.given[1]) value = bound[1];
    keys.push_back(truth(bound[2]) || !value.is(Kind::string) ? value : Value::string(lower(value.as_text())));
    values.push_back(Value::tuple({std::move(value), held, keys.back()}));
  }
  WISP_CHECK(sort_values(context, values, keys, false));
  std::vector<Value> groups;
  std::vector<Value> members;
  for (std::size_t i = 0; i < values.size(); ++i) {
    members.push_back(values[i].items()[1]);
    bool more = i + 1 < values.size();
    if (more) {
      WISP_TRY(more, equal(context, values[i].items()[2], values[i + 1].items()[2]));
    }
    if (more) continue;
    const Value& grouper = values[i + 1 - members.size()].items()[0];
    groups.push_back(Value::tuple({grouper, Value::list(std::exchange(members, {}))}));
  }
  return Value::list(std::move(groups));
}

Result<Value> batch(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("batch", {{"linecount", true}, {"fill_with"}}, arguments));
  WISP_TRY(const std::int64_t count, integer_argument("linecount", bound[0]));
  WISP_TRY(const std::vector<Value> items, iterate(context, input));
  if (count < 1) return fail(Code::invalid_argument, "linecount must be at least 1");
  const auto size = static_cast<std::size_t>(count);
  std::vector<Value> rows;
  for (std::size_t at = 0; at < items.size(); at += std::min(size, items.size() - at)) {
    const std::size_t end = at + std::min(size, items.size() - at);
    std::vector<Value> row(items.begin() + static_cast<std::ptrdiff_t>(at),
                           items.begin() + static_cast<std::ptrdiff_t>(end));
    if (bound.given[1] && !bound[1].is(Kind::none) && row.size() < size) {
      WISP_CHECK(context.spend(size - row.size()));
      row.resize(size, bound[1]);
    }
    rows.push_back(Value::list(std::move(row)));
  }
  return Value::sequence(Kind::generator, std::move(rows));
}

// As many slices as asked for, the first ones longer by one where they do not divide.
Result<Value> slice_filter(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("slice", {{"slices", true}, {"fill_with"}}, arguments));
  WISP_TRY(const std::int64_t count, integer_argument("slices", bound[0]));
  WISP_TRY(const std::vector<Value> items, iterate(context, input));
  if (count < 1) return fail(Code::invalid_argument, "slices must be at least 1");
  WISP_CHECK(context.spend(2 * static_cast<std::uint64_t>(count)));
  const auto slices = static_cast<std::size_t>(count);
  const std::size_t each = items.size() / slices;
  const std::size_t longer = items.size() % slices;
  std::vector<Value> made;
  std::size_t at = 0;
  for (std::size_t i = 0; i < slices; ++i) {
    const std::size_t size = each + (i < longer ? 1 : 0);
    std::vector<Value> part(items.begin() + static_cast<std::ptrdiff_t>(at),
                            items.begin() + static_cast<std::ptrdiff_t>(at + size));
    if (bound.given[1] && !bound[1].is(Kind::none) && i >= longer) part.push_back(bound[1]);
    at += size;
    made.push_back(Value::list(std::move(part)));
  }
  return Value::sequence(Kind::generator, std::move(made));
}

// The arguments from `from` on.
Arguments rest_of(const Arguments& arguments, std::size_t from) {
  Arguments rest;
  for (std::size_t i = from; i < arguments.positional.size(); ++i) rest.positional.push_back(arguments.positional[i]);
  rest.named = arguments.named;
  return rest;
}

// map('filter', arguments) or map(attribute='path', default=value).
Result<Value> map(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(const std::vector<Value> items, iterate(context, input));
  std::vector<Value> made;
  made.reserve(items.size());
  if (arguments.positional.empty()) {
    WISP_TRY(const Bound bound, bind("map", {{"attribute", true}, {"default"}}, arguments));
    for (const Value& held : items) {
      WISP_TRY(Value value, value_at(context, held, bound[0]));
      if (value.is(Kind::undefined) && bound.given[1]) value = bound[1];
      made.push_back(std::move(value));
    }
    return Value::sequence(Kind::generator, std::move(made));
  }
  WISP_TRY(const std::string_view name, text_argument("map's filter", arguments.positional[0]));
  const Builtin filter = find_filter(name);
  if (filter == nullptr) return fail(Code::invalid_argument, "No filter named '{}'.", printable(name));
  // map('map', 'map', ...) descends one call for each name.
  const Context::Level level(context);
  WISP_CHECK(level.ok());
  for (Value held : items) {
    Arguments rest = rest_of(arguments, 1);
    WISP_CHECK(context.spend(2 + rest.positional.size() + rest.named.size()));
    WISP_TRY(Value value, filter(context, held, rest));
    made.push_back(std::move(value));
  }
  return Value::sequence(Kind::generator, std::move(made));
}

// select, reject: by the item; selectattr, rejectattr: by an attribute of it, given first. Then a test's name and
// arguments; without one, truth decides.
template <bool by_attribute, bool keep>
Result<Value> choose(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(std::vector<Value> items, iterate(context, input));
  std::size_t at = 0;
  Value path;
  if (by_attribute) {
    if (arguments.positional.empty()) return fail(Code::invalid_argument, "Missing parameter for attribute name");
    path = arguments.positional[at++];
  }
  Builtin test = nullptr;
  if (at < arguments.positional.size()) {
    WISP_TRY(const std::string_view name, text_argument("the test's name", arguments.positional[at]));
    test = find_test(name);
    if (test == nullptr) return fail(Code::invalid_argument, "No test named '{}'.", printable(name));
    ++at;
  }
  std::vector<Value> chosen;
  for (Value& held : items) {
    WISP_TRY(Value value, value_at(context, held, path));
    WISP_CHECK(context.spend(1 + arguments.positional.size() + arguments.named.size()));
    if (test != nullptr) {
      Arguments rest = rest_of(arguments, at);
      WISP_TRY(value, test(context, value, rest));
    }
    if (truth(value) == keep) chosen.push_back(std::move(held));
  }
  return Value::sequence(Kind::generator, std::move(chosen));
}

struct Named {
  std::string_view name;
  Builtin builtin;
};

constexpr Named kFilters[] = {
    {"batch", batch},
    {"count", length_filter},
    {"dictsort", dictsort},
    {"first", first},
    {"groupby", groupby},
    {"items", items_filter},
    {"join", join},
    {"last", last},
    {"length", length_filter},
    {"list", list_filter},
    {"map", map},
    {"max", extreme<true>},
    {"min", extreme<false>},
    {"reject", choose<false, false>},
    {"rejectattr", choose<true, false>},
    {"reverse", reverse},
    {"select", choose<false, true>},
    {"selectattr", choose<true, true>},
    {"slice", slice_filter},
    {"sort", sort},
    {"sum", sum},
    {"unique", unique},
};

}  // namespace

Builtin find_sequence_filter(std::string_view name) {
  for (const Named& entry : kFilters)
    if (entry.name == name) return entry.builtin;
  return nullptr;
}

}  // namespace wisp::text::jinja
