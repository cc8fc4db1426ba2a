// The methods of strings, dicts and sequences.
#include <array>
#include <limits>

#include "text/jinja/letter_case.h"
#include "text/jinja/operators.h"
#include "text/jinja/string_functions.h"
#include "text/jinja/utf8.h"
#include "text/unicode.h"

namespace wisp::text::jinja {
namespace {

// A string method that only reads its own text, which is paid for here.
#define WISP_TEXT_METHOD(text)                            \
  WISP_CHECK(context.spend_bytes(self.as_text().size())); \
  const std::string_view text = self.as_text()

Result<Value> no_arguments(std::string_view what, Arguments& arguments, Value value) {
  WISP_CHECK(bind(what, {}, arguments));
  return value;
}

template <std::string (*function)(std::string_view)>
Result<Value> transformed(Context& context, Value& self, Arguments& arguments) {
  WISP_TEXT_METHOD(text);
  return no_arguments("the method", arguments, Value::string(function(text)));
}

template <Side side>
Result<Value> strip_method(Context& context, Value& self, Arguments& arguments) {
  WISP_TEXT_METHOD(text);
  WISP_TRY(const Bound bound, bind("strip", {{"chars"}}, arguments));
  std::optional<std::string_view> characters;
  if (bound.given[0] && !bound[0].is(Kind::none)) {
    WISP_TRY(characters, text_argument("strip's argument", bound[0]));
    WISP_CHECK(context.spend_bytes(characters->size()));
    if (characters->size() > kBytesPerStep) WISP_CHECK(context.spend(text.size() / kBytesPerStep * characters->size()));
  }
  return Value::string(std::string(strip(text, characters, side)));
}

template <bool from_right>
Result<Value> split_method(Context& context, Value& self, Arguments& arguments) {
  WISP_TEXT_METHOD(text);
  WISP_TRY(const Bound bound, bind("split", {{"sep"}, {"maxsplit"}}, arguments));
  std::optional<std::string_view> separator;
  if (bound.given[0] && !bound[0].is(Kind::none)) {
    WISP_TRY(separator, text_argument("split's separator", bound[0]));
  }
  std::int64_t max = -1;
  if (bound.given[1]) {
    WISP_TRY(max, integer_argument("maxsplit", bound[1]));
  }
  WISP_TRY(std::vector<Value> parts, split(context, text, separator, max, from_right));
  return Value::list(std::move(parts));
}

Result<Value> splitlines(Context& context, Value& self, Arguments& arguments) {
  WISP_TEXT_METHOD(text);
  WISP_TRY(const Bound bound, bind("splitlines", {{"keepends"}}, arguments));
  std::vector<Value> lines;
  for (const std::string_view line : split_lines(text, truth(bound[0]))) {
    WISP_CHECK(context.spend(2));
    lines.push_back(Value::string(std::string(line)));
  }
  return Value::list(std::move(lines));
}

template <bool at_end>
Result<Value> starts_or_ends(Context& context, Value& self, Arguments& arguments) {
  WISP_TRY(const Bound bound,
           bind(at_end ? "endswith" : "startswith", {{"affix", true}, {"start"}, {"end"}}, arguments));
  Value subject = self;
  if (bound.given[1] || bound.given[2]) {
    WISP_TRY(subject, slice(context, self, bound.given[1] ? bound[1] : Value::none(),
                            bound.given[2] ? bound[2] : Value::none(), Value::none()));
  }
  const auto holds = [&](std::string_view affix) {
    return at_end ? subject.as_text().ends_with(affix) : subject.as_text().starts_with(affix);
  };
  if (bound[0].is(Kind::tuple)) {
    for (const Value& one : bound[0].items()) {
      WISP_CHECK(context.spend());
      WISP_TRY(const std::string_view affix, text_argument("each of the tuple", one));
      WISP_CHECK(context.spend_bytes(affix.size()));
      if (holds(affix)) return Value::boolean(true);
    }
    return Value::boolean(false);
  }
  WISP_TRY(const std::string_view affix, text_argument("the first argument", bound[0]));
  WISP_CHECK(context.spend_bytes(affix.size()));
  return Value::boolean(holds(affix));
}

template <bool at_end>
Result<Value> remove_affix(Context& context, Value& self, Arguments& arguments) {
  WISP_TEXT_METHOD(text);
  WISP_TRY(const Bound bound, bind("removeprefix", {{"affix", true}}, arguments));
  WISP_TRY(const std::string_view affix, text_argument("the argument", bound[0]));
  if (at_end ? !text.ends_with(affix) : !text.starts_with(affix)) return self;
  return Value::string(std::string(at_end ? text.substr(0, text.size() - affix.size()) : text.substr(affix.size())));
}

Result<Value> replace_method(Context& context, Value& self, Arguments& arguments) {
  WISP_TEXT_METHOD(text);
  WISP_TRY(const Bound bound, bind("replace", {{"old", true}, {"new", true}, {"count"}}, arguments));
  WISP_TRY(const std::string_view old, text_argument("replace's first argument", bound[0]));
  WISP_TRY(const std::string_view fresh, text_argument("replace's second argument", bound[1]));
  std::int64_t count = -1;
  if (bound.given[2]) {
    WISP_TRY(count, integer_argument("count", bound[2]));
  }
  WISP_TRY(std::string replaced, replace(context, text, old, fresh, count));
  return Value::string(std::move(replaced));
}

// The index in characters, or -1.
Result<std::int64_t> position(Context& context, Value& self, Arguments& arguments, bool last) {
  WISP_TEXT_METHOD(whole);
  WISP_TRY(const Bound bound, bind("find", {{"sub", true}, {"start"}, {"end"}}, arguments));
  WISP_TRY(const std::string_view needle, text_argument("the text sought", bound[0]));
  std::int64_t skipped = 0;
  Value part = self;
  if (bound.given[1] || bound.given[2]) {
    WISP_TRY(part, slice(context, self, bound.given[1] ? bound[1] : Value::none(),
                         bound.given[2] ? bound[2] : Value::none(), Value::none()));
    if (bound.given[1] && bound[1].is_integral()) {
      const auto size = static_cast<std::int64_t>(count_characters(whole));
      const std::int64_t start = bound[1].as_integer();
      skipped = start < -size ? 0 : start < 0 ? start + size : std::min(start, size);
    }
  }
  const std::string_view text = part.as_text();
  if (last) WISP_CHECK(context.spend(text.size() / kBytesPerStep * (1 + needle.size() / kBytesPerStep)));
  const std::size_t at = last ? text.rfind(needle) : find_text(text, needle);
  if (at == std::string_view::npos) return -1;
  return skipped + static_cast<std::int64_t>(count_characters(text.substr(0, at)));
}

template <bool last>
Result<Value> find_method_of(Context& context, Value& self, Arguments& arguments) {
  WISP_TRY(const std::int64_t at, position(context, self, arguments, last));
  return Value::integer(at);
}

template <bool last>
Result<Value> index_method_of(Context& context, Value& self, Arguments& arguments) {
  WISP_TRY(const std::int64_t at, position(context, self, arguments, last));
  if (at < 0) return fail(Code::invalid_argument, "substring not found");
  return Value::integer(at);
}

Result<Value> count_text(Context& context, Value& self, Arguments& arguments) {
  WISP_TEXT_METHOD(text);
  WISP_TRY(const Bound bound, bind("count", {{"sub", true}}, arguments));
  WISP_TRY(const std::string_view needle, text_argument("the text counted", bound[0]));
  if (needle.empty()) return Value::integer(static_cast<std::int64_t>(count_characters(text)) + 1);
  std::int64_t count = 0;
  for (std::size_t at = 0; (at = find_text(text, needle, at)) != std::string_view::npos; at += needle.size()) ++count;
  return Value::integer(count);
}

template <bool last>
Result<Value> partition(Context& context, Value& self, Arguments& arguments) {
  WISP_TEXT_METHOD(text);
  WISP_TRY(const Bound bound, bind("partition", {{"sep", true}}, arguments));
  WISP_TRY(const std::string_view separator, text_argument("the separator", bound[0]));
  if (separator.empty()) return fail(Code::invalid_argument, "empty separator");
  if (last) WISP_CHECK(context.spend(text.size() / kBytesPerStep * (1 + separator.size() / kBytesPerStep)));
  const std::size_t at = last ? text.rfind(separator) : find_text(text, separator);
  const Value nothing = Value::string({});
  if (at == std::string_view::npos)
    return Value::tuple(last ? std::vector<Value>{nothing, nothing, self} : std::vector<Value>{self, nothing, nothing});
  return Value::tuple({Value::string(std::string(text.substr(0, at))), bound[0],
                       Value::string(std::string(text.substr(at + separator.size())))});
}

Result<Value> join_method(Context& context, Value& self, Arguments& arguments) {
  WISP_TRY(Bound bound, bind("join", {{"iterable", true}}, arguments));
  WISP_TRY(const std::vector<Value> items, iterate(context, bound.values[0]));
  std::string out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!items[i].is(Kind::string))
      return fail(Code::invalid_argument, "sequence item {}: expected str instance, {} found", i, type_name(items[i]));
    if (i > 0) WISP_CHECK(append_text(context, self, out));
    WISP_CHECK(append_text(context, items[i], out));
  }
  return Value::string(std::move(out));
}

template <Side side>
Result<Value> justify_method(Context& context, Value& self, Arguments& arguments) {
  WISP_TEXT_METHOD(text);
  WISP_TRY(const Bound bound, bind("justify", {{"width", true}, {"fillchar"}}, arguments));
  WISP_TRY(const std::int64_t width, integer_argument("the width", bound[0]));
  std::string_view fill = " ";
  if (bound.given[1]) {
    WISP_TRY(fill, text_argument("the fill character", bound[1]));
    if (fill.empty() || character_bytes(fill) != fill.size())
      return fail(Code::invalid_argument, "the fill character must be exactly one character long");
  }
  WISP_TRY(std::string made, justify(context, text, width, fill, side));
  return Value::string(std::move(made));
}

Result<Value> zero_fill(Context& context, Value& self, Arguments& arguments) {
  WISP_TEXT_METHOD(text);
  WISP_TRY(const Bound bound, bind("zfill", {{"width", true}}, arguments));
  WISP_TRY(const std::int64_t width, integer_argument("the width", bound[0]));
  const std::string_view sign = text.substr(0, text.starts_with('+') || text.starts_with('-') ? 1 : 0);
  const auto taken = static_cast<std::int64_t>(sign.size());
  if (width < taken) return self;
  WISP_TRY(const std::string digits, justify(context, text.substr(sign.size()), width - taken, "0", Side::right));
  return Value::string(std::string(sign) + digits);
}

Result<Value> format_method(Context& context, Value& self, Arguments& arguments) {
  return format_braces(context, self.as_text(), arguments);
}

// Whether the text has a character and all satisfy the test.
template <bool (*holds)(char32_t)>
Result<Value> all_characters(Context& context, Value& self, Arguments& arguments) {
  WISP_TEXT_METHOD(text);
  bool all = !text.empty();
  for (std::string_view rest = text; all && !rest.empty(); rest.remove_prefix(character_bytes(rest)))
    all = holds(code_point(rest.substr(0, character_bytes(rest))));
  return no_arguments("the method", arguments, Value::boolean(all));
}

// At least one letter has a case, and none the other one.
template <bool upper_case>
Result<Value> is_cased(Context& context, Value& self, Arguments& arguments) {
  WISP_TEXT_METHOD(text);
  bool any = false;
  bool other = false;
  for (std::string_view rest = text; !rest.empty(); rest.remove_prefix(character_bytes(rest))) {
    const char32_t c = code_point(rest.substr(0, character_bytes(rest)));
    const bool title_case = category(c) == Category::Lt;  // neither
    any |= upper_case ? is_upper(c) : is_lower(c);
    other |= title_case || (upper_case ? is_lower(c) : is_upper(c));
  }
  return no_arguments("the method", arguments, Value::boolean(any && !other));
}

Result<Value> dict_get(Context& context, Value& self, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("get", {{"key", true}, {"default"}}, arguments));
  if (bound[0].is_sequence() || bound[0].is(Kind::dict))
    return fail(Code::invalid_argument, "unhashable type: '{}'", type_name(bound[0]));
  WISP_CHECK(context.spend());
  if (const Value* found = self.as_dict()->find(bound[0])) return *found;
  return bound.given[1] ? bound[1] : Value::none();
}

enum class Part : std::uint8_t { keys, values, items };

template <Part part>
Result<Value> dict_view(Context& context, Value& self, Arguments& arguments) {
  WISP_CHECK(bind("the method", {}, arguments));
  const auto entries = self.as_dict()->entries();
  WISP_CHECK(context.spend(entries.size() * (part == Part::items ? 3 : 1)));
  std::vector<Value> made;
  made.reserve(entries.size());
  for (const auto& [key, value] : entries)
    made.push_back(part == Part::keys ? key : part == Part::values ? value : Value::tuple({key, value}));
  return Value::sequence(Kind::view, std::move(made));
}

Result<Value> dict_copy(Context& context, Value& self, Arguments& arguments) {
  WISP_CHECK(bind("copy", {}, arguments));
  WISP_CHECK(context.spend(4 * self.as_dict()->size()));
  Value made = Value::dict();
  for (const auto& [key, value] : self.as_dict()->entries()) made.as_dict()->set(key, value);
  return made;
}

Result<Value> list_copy(Context& context, Value& self, Arguments& arguments) {
  WISP_CHECK(bind("copy", {}, arguments));
  WISP_CHECK(context.spend(self.items().size()));
  return Value::own_list(self.items());
}

Result<Value> count_items(Context& context, Value& self, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("count", {{"value", true}}, arguments));
  std::int64_t count = 0;
  for (const Value& item : self.items()) {
    WISP_TRY(const bool same, equal(context, item, bound[0]));
    count += same ? 1 : 0;
  }
  return Value::integer(count);
}

Result<Value> index_of_item(Context& context, Value& self, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("index", {{"value", true}}, arguments));
  for (std::size_t i = 0; i < self.items().size(); ++i) {
    WISP_TRY(const bool same, equal(context, self.items()[i], bound[0]));
    if (same) return Value::integer(static_cast<std::int64_t>(i));
  }
  return fail(Code::invalid_argument, "the value is not in the {}", type_name(self));
}

struct Named {
  std::string_view name;
  Builtin builtin;
};

constexpr Named kStringMethods[] = {
    {"capitalize", transformed<capitalize>},
    {"casefold", transformed<lower>},
    {"center", justify_method<Side::both>},
    {"count", count_text},
    {"endswith", starts_or_ends<true>},
    {"find", find_method_of<false>},
    {"format", format_method},
    {"index", index_method_of<false>},
    {"isalnum", all_characters<is_alphanumeric>},
    {"isalpha", all_characters<is_alphabetic>},
    {"isdecimal", all_characters<is_decimal>},
    {"isdigit", all_characters<is_digit>},
    {"islower", is_cased<false>},
    {"isnumeric", all_characters<is_numeric>},
    {"isspace", all_characters<is_space>},
    {"isupper", is_cased<true>},
    {"join", join_method},
    {"ljust", justify_method<Side::left>},
    {"lower", transformed<lower>},
    {"lstrip", strip_method<Side::left>},
    {"partition", partition<false>},
    {"removeprefix", remove_affix<false>},
    {"removesuffix", remove_affix<true>},
    {"replace", replace_method},
    {"rfind", find_method_of<true>},
    {"rindex", index_method_of<true>},
    {"rjust", justify_method<Side::right>},
    {"rpartition", partition<true>},
    {"rsplit", split_method<true>},
    {"rstrip", strip_method<Side::right>},
    {"split", split_method<false>},
    {"splitlines", splitlines},
    {"startswith", starts_or_ends<false>},
    {"strip", strip_method<Side::both>},
    {"swapcase", transformed<swap_case>},
    {"title", transformed<title>},
    {"upper", transformed<upper>},
    {"zfill", zero_fill},
};
constexpr Named kDictMethods[] = {
    {"copy", dict_copy},
    {"get", dict_get},
    {"items", dict_view<Part::items>},
    {"keys", dict_view<Part::keys>},
    {"values", dict_view<Part::values>},
};
constexpr Named kListMethods[] = {
    {"copy", list_copy},
    {"count", count_items},
    {"index", index_of_item},
};

Builtin find_named(std::span<const Named> table, std::string_view name) {
  for (const Named& entry : table)
    if (entry.name == name) return entry.builtin;
  return nullptr;
}

}  // namespace

Builtin find_method(Kind kind, std::string_view name) {
  switch (kind) {
    case Kind::string: return find_named(kStringMethods, name);
    case Kind::dict: return find_named(kDictMethods, name);
    case Kind::list: return find_named(kListMethods, name);
    case Kind::tuple:
    case Kind::range: return name == "copy" ? nullptr : find_named(kListMethods, name);
    default: return nullptr;
  }
}

}  // namespace wisp::text::jinja
