#include "text/jinja/operators.h"

#include <cmath>
#include <limits>
#include <optional>

#include "text/jinja/utf8.h"

namespace wisp::text::jinja {
namespace {

// Whether == and < compare the two item by item.
bool same_sequence_kind(const Value& a, const Value& b) { return a.is_sequence() && a.kind() == b.kind(); }

// "list object", "None": as Jinja names what lacks an attribute.
std::string described(const Value& value) {
  if (value.is(Kind::none)) return "None";
  if (value.is(Kind::name_space)) return "Namespace object";
  return std::string(type_name(value)) + " object";
}

std::unexpected<Error> undefined_error(const Value& value) {
  return fail(Code::invalid_argument, "{}", value.reason());
}

// Methods that would change their object. The sandbox refuses them, but for lists that the template made itself: what
// it was given stays as it is.
bool is_mutating(Kind kind, std::string_view name) {
  if (kind == Kind::list)
    for (const std::string_view method : {"append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"})
      if (name == method) return true;
  if (kind == Kind::dict)
    for (const std::string_view method : {"clear", "pop", "popitem", "setdefault", "update"})
      if (name == method) return true;
  return false;
}

// A method of the object, or nothing.
std::optional<Value> method(const Value& object, std::string_view name) {
  if (const Builtin builtin = find_method(object.kind(), name))
    return bound_function(std::string(name), builtin, object);
  if (const Builtin change = object.may_change() ? find_list_change(name) : nullptr)
    return bound_function(std::string(name), change, object);
  if (is_mutating(object.kind(), name))
    return Value::undefined(fmt::format("access to attribute '{}' of '{}' object is unsafe.", name, type_name(object)));
  return std::nullopt;
}

Value missing_attribute(const Value& object, std::string_view name) {
  return Value::undefined(fmt::format("'{}' has no attribute '{}'", described(object), printable(name)));
}

std::unexpected<Error> overflow() { return fail(Code::invalid_argument, "the result does not fit 64 bits"); }

std::string_view symbol_of(BinaryOperator op) {
  switch (op) {
    case BinaryOperator::add: return "+";
    case BinaryOperator::subtract: return "-";
    case BinaryOperator::multiply: return "*";
    case BinaryOperator::divide: return "/";
    case BinaryOperator::floor_divide: return "//";
    case BinaryOperator::modulo: return "%";
    case BinaryOperator::power: return "**";
  }
  return "?";
}

Result<Value> repeat(Context& context, const Value& value, std::int64_t times) {
  const std::uint64_t count = times > 0 ? static_cast<std::uint64_t>(times) : 0;
  const std::uint64_t size = value.is(Kind::string) ? value.as_text().size() : value.items().size();
  std::uint64_t total = 0;
  if (__builtin_mul_overflow(count, size, &total)) total = std::numeric_limits<std::uint64_t>::max();
  if (value.is(Kind::string)) {
    WISP_CHECK(context.spend_bytes(total));
    std::string text;
    text.reserve(static_cast<std::size_t>(total));
    for (std::uint64_t i = 0; i < count && size > 0; ++i) text += value.as_text();
    return Value::string(std::move(text));
  }
  WISP_CHECK(context.spend(total));
  std::vector<Value> items;
  items.reserve(static_cast<std::size_t>(total));
  for (std::uint64_t i = 0; i < count && size > 0; ++i)
    items.insert(items.end(), value.items().begin(), value.items().end());
  return Value::sequence(value.kind(), std::move(items));
}

Result<Value> integer_power(std::int64_t base, std::int64_t exponent) {
  std::int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) return overflow();
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) return overflow();
  }
  return Value::integer(result);
}

Result<Value> integer_arithmetic(BinaryOperator op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  switch (op) {
    case BinaryOperator::add:
      if (__builtin_add_overflow(a, b, &result)) return overflow();
      return Value::integer(result);
    case BinaryOperator::subtract:
      if (__builtin_sub_overflow(a, b, &result)) return overflow();
      return Value::integer(result);
    case BinaryOperator::multiply:
      if (__builtin_mul_overflow(a, b, &result)) return overflow();
      return Value::integer(result);
    case BinaryOperator::divide:
      if (b == 0) return fail(Code::invalid_argument, "division by zero");
      return Value::real(static_cast<double>(a) / static_cast<double>(b));
    case BinaryOperator::floor_divide:
    case BinaryOperator::modulo: {
      if (b == 0) return fail(Code::invalid_argument, "integer division or modulo by zero");
      if (b == -1) {  // INT64_MIN / -1 is the one quotient that overflows
        if (op == BinaryOperator::modulo) return Value::integer(0);
        if (__builtin_sub_overflow(std::int64_t{0}, a, &result)) return overflow();
        return Value::integer(result);
      }
      const std::int64_t remainder = a % b;
      const bool down = remainder != 0 && (remainder < 0) != (b < 0);
      if (op == BinaryOperator::modulo) return Value::integer(down ? remainder + b : remainder);
      return Value::integer(down ? a / b - 1 : a / b);
    }
    case BinaryOperator::power:
      if (b < 0 && a == 0) return fail(Code::invalid_argument, "0 cannot be raised to a negative power");
      if (b < 0) return Value::real(std::pow(static_cast<double>(a), static_cast<double>(b)));
      return integer_power(a, b);
  }
  return overflow();
}

Result<Value> real_arithmetic(BinaryOperator op, double a, double b) {
  switch (op) {
    case BinaryOperator::add: return Value::real(a + b);
    case BinaryOperator::subtract: return Value::real(a - b);
    case BinaryOperator::multiply: return Value::real(a * b);
    case BinaryOperator::power: return Value::real(std::pow(a, b));
    default: break;
  }
  if (b == 0) return fail(Code::invalid_argument, "float division by zero");
  if (op == BinaryOperator::divide) return Value::real(a / b);
  if (op == BinaryOperator::floor_divide) return Value::real(std::floor(a / b));
  double remainder = std::fmod(a, b);
  if (remainder != 0 && (remainder < 0) != (b < 0)) remainder += b;
  return Value::real(remainder);
}

}  // namespace

bool truth(const Value& value) {
  switch (value.kind()) {
    case Kind::none:
    case Kind::undefined: return false;
    case Kind::boolean:
    case Kind::integer: return value.as_integer() != 0;
    case Kind::real: return value.as_real() != 0;
    case Kind::string: return !value.as_text().empty();
    case Kind::list:
    case Kind::tuple:
    case Kind::range:
    case Kind::view: return !value.items().empty();
    case Kind::dict: return value.as_dict()->size() != 0;
    case Kind::generator:
    case Kind::name_space:
    case Kind::function: return true;
  }
  return false;
}

Result<bool> equal(Context& context, const Value& a, const Value& b) {
  const Context::Level level(context);
  WISP_CHECK(level.ok());
  WISP_CHECK(context.spend());
  if (a.is_number() && b.is_number()) return order_numbers(a, b) == 0;
  if (a.is(Kind::string) && b.is(Kind::string)) {
    if (a.as_text().size() != b.as_text().size()) return false;
    WISP_CHECK(context.spend_bytes(a.as_text().size()));
    return a.as_text() == b.as_text();
  }
  if (a.kind() != b.kind()) return false;
  if (a.is(Kind::none) || a.is(Kind::undefined)) return true;
  if (a.as_object() == b.as_object()) return true;
  if (a.is(Kind::list) || a.is(Kind::tuple) || a.is(Kind::range) || a.is(Kind::view)) {
    if (a.items().size() != b.items().size()) return false;
    for (std::size_t i = 0; i < a.items().size(); ++i) {
      WISP_TRY(const bool same, equal(context, a.items()[i], b.items()[i]));
      if (!same) return false;
    }
    return true;
  }
  if (!a.is(Kind::dict) || a.as_dict()->size() != b.as_dict()->size()) return false;
  for (const auto& [key, value] : a.as_dict()->entries()) {
    const Value* other = b.as_dict()->find(key);
    if (other == nullptr) return false;
    WISP_TRY(const bool same, equal(context, value, *other));
    if (!same) return false;
  }
  return true;
}

Result<std::partial_ordering> order(Context& context, const Value& a, const Value& b, std::string_view op) {
  const Context::Level level(context);
  WISP_CHECK(level.ok());
  WISP_CHECK(context.spend());
  if (a.is_number() && b.is_number()) return order_numbers(a, b);
  if (a.is(Kind::string) && b.is(Kind::string)) {
    WISP_CHECK(context.spend_bytes(std::min(a.as_text().size(), b.as_text().size())));
    return a.as_text() <=> b.as_text();  // the order of UTF-8 bytes is the order of code points
  }
  if (a.is(Kind::undefined)) return undefined_error(a);
  if (b.is(Kind::undefined)) return undefined_error(b);
  if (same_sequence_kind(a, b) && (a.is(Kind::list) || a.is(Kind::tuple))) {
    const std::size_t both = std::min(a.items().size(), b.items().size());
    for (std::size_t i = 0; i < both; ++i) {
      WISP_TRY(const bool same, equal(context, a.items()[i], b.items()[i]));
      if (!same) return order(context, a.items()[i], b.items()[i], op);
    }
    return a.items().size() <=> b.items().size();
  }
  return fail(Code::invalid_argument, "'{}' not supported between instances of '{}' and '{}'", op, type_name(a),
              type_name(b));
}

Result<bool> compare(Context& context, Comparison comparison, const Value& a, const Value& b) {
  switch (comparison) {
    case Comparison::equal: return equal(context, a, b);
    case Comparison::not_equal: {
      WISP_TRY(const bool same, equal(context, a, b));
      return !same;
    }
    case Comparison::in: return contains(context, b, a);
    case Comparison::not_in: {
      WISP_TRY(const bool inside, contains(context, b, a));
      return !inside;
    }
    case Comparison::less: {
      WISP_TRY(const auto ordering, order(context, a, b, "<"));
      return ordering < 0;
    }
    case Comparison::less_equal: {
      WISP_TRY(const auto ordering, order(context, a, b, "<="));
      return ordering <= 0;
    }
    case Comparison::greater: {
      WISP_TRY(const auto ordering, order(context, a, b, ">"));
      return ordering > 0;
    }
    case Comparison::greater_equal: {
      WISP_TRY(const auto ordering, order(context, a, b, ">="));
      return ordering >= 0;
    }
  }
  return false;
}

Result<bool> contains(Context& context, const Value& container, const Value& sought) {
  if (container.is(Kind::string)) {
    if (sought.is(Kind::undefined)) return undefined_error(sought);
    if (!sought.is(Kind::string))
      return fail(Code::invalid_argument, "'in <string>' requires string as left operand, not {}", type_name(sought));
    WISP_CHECK(context.spend_bytes(container.as_text().size()));
    return find_text(container.as_text(), sought.as_text()) != std::string_view::npos;
  }
  if (container.is(Kind::dict)) {
    if (sought.is_sequence() || sought.is(Kind::dict))
      return fail(Code::invalid_argument, "unhashable type: '{}'", type_name(sought));
    WISP_CHECK(context.spend());
    return container.as_dict()->find(sought) != nullptr;
  }
  if (container.is_sequence()) {
    for (const Value& item : container.items()) {
      WISP_TRY(const bool same, equal(context, item, sought));
      if (same) return true;
    }
    return false;
  }
  if (container.is(Kind::undefined)) return false;
  return fail(Code::invalid_argument, "argument of type '{}' is not iterable", type_name(container));
}

Result<std::int64_t> length(Context& context, const Value& value) {
  switch (value.kind()) {
    case Kind::undefined: return 0;
    case Kind::string:
      WISP_CHECK(context.spend_bytes(value.as_text().size()));
      return static_cast<std::int64_t>(count_characters(value.as_text()));
    case Kind::list:
    case Kind::tuple:
    case Kind::range:
    case Kind::view: return static_cast<std::int64_t>(value.items().size());
    case Kind::dict: return static_cast<std::int64_t>(value.as_dict()->size());
    default: return fail(Code::invalid_argument, "object of type '{}' has no len()", type_name(value));
  }
}

Result<std::vector<Value>> iterate(Context& context, Value& value) {
  if (value.is(Kind::undefined)) return std::vector<Value>();
  if (value.is_sequence()) {
    WISP_CHECK(context.spend(value.items().size()));
    return value.take_items();
  }
  std::vector<Value> items;
  if (value.is(Kind::dict)) {
    WISP_CHECK(context.spend(value.as_dict()->size()));
    for (const auto& [key, ignored] : value.as_dict()->entries()) items.push_back(key);
    return items;
  }
  if (value.is(Kind::string)) {
    WISP_CHECK(context.spend(value.as_text().size()));
    for (std::string_view text = value.as_text(); !text.empty();) {
      const std::size_t bytes = character_bytes(text);
      items.push_back(Value::string(std::string(text.substr(0, bytes))));
      text.remove_prefix(bytes);
    }
    return items;
  }
  return fail(Code::invalid_argument, "'{}' object is not iterable", type_name(value));
}

Result<Value> attribute(Context& context, const Value& object, std::string_view name) {
  WISP_CHECK(context.spend());
  switch (object.kind()) {
    case Kind::undefined: return undefined_error(object);
    case Kind::name_space:
      if (const Value* found = object.find(name)) return *found;
      break;
    case Kind::function: {
      Value found;
      if (static_cast<Function*>(object.as_object())->attribute(context, name, found)) return found;
      break;
    }
    default:
      if (std::optional<Value> found = method(object, name)) return std::move(*found);
      if (const Value* found = object.find(name)) return *found;
  }
  return missing_attribute(object, name);
}

Result<Value> item(Context& context, const Value& object, const Value& index) {
  WISP_CHECK(context.spend());
  if (object.is(Kind::undefined)) return undefined_error(object);
  if (object.is(Kind::dict)) {
    if (const Value* found = object.as_dict()->find(index)) return *found;
    if (index.is(Kind::string)) {
      if (std::optional<Value> found = method(object, index.as_text())) return std::move(*found);
      return missing_attribute(object, index.as_text());
    }
    WISP_TRY(const std::string shown, to_text(context, index));
    return Value::undefined(fmt::format("dict object has no element {}", printable(shown)));
  }
  const bool sequence = object.is(Kind::list) || object.is(Kind::tuple) || object.is(Kind::range);
  if (index.is_integral() && (sequence || object.is(Kind::string))) {
    WISP_TRY(const std::int64_t size, length(context, object));
    const std::int64_t at = index.as_integer() < 0 ? index.as_integer() + size : index.as_integer();
    if (at < 0 || at >= size)
      return Value::undefined(fmt::format("{} has no element {}", described(object), index.as_integer()));
    if (sequence) return object.items()[static_cast<std::size_t>(at)];
    const std::string_view rest =
        object.as_text().substr(character_offset(object.as_text(), static_cast<std::size_t>(at)));
    return Value::string(std::string(rest.substr(0, character_bytes(rest))));
  }
  if (index.is(Kind::string)) return attribute(context, object, index.as_text());
  WISP_TRY(const std::string shown, to_text(context, index));
  return Value::undefined(fmt::format("{} has no element {}", described(object), printable(shown)));
}

Result<Value> slice(Context& context, const Value& object, const Value& start, const Value& stop, const Value& step) {
  if (object.is(Kind::undefined)) return undefined_error(object);
  const bool sequence = object.is(Kind::list) || object.is(Kind::tuple) || object.is(Kind::range);
  if (!sequence && !object.is(Kind::string))
    return Value::undefined(fmt::format("{} cannot be sliced", described(object)));
  for (const Value* bound : {&start, &stop, &step})
    if (!bound->is(Kind::none) && !bound->is_integral())
      return fail(Code::invalid_argument, "slice indices must be integers or None");
  const std::int64_t stride = step.is(Kind::none) ? 1 : step.as_integer();
  if (stride == 0) return fail(Code::invalid_argument, "slice step cannot be zero");

  // The items: for a string, where each character starts.
  std::vector<std::size_t> starts;
  if (!sequence) {
    const std::string_view text = object.as_text();
    WISP_CHECK(context.spend_bytes(text.size()));
    if (!is_ascii(text)) {
      WISP_CHECK(context.spend(text.size() / 4));
      for (std::size_t i = 0; i < text.size(); i += character_bytes(text.substr(i))) starts.push_back(i);
      starts.push_back(text.size());
    }
  }
  const std::int64_t size = static_cast<std::int64_t>(sequence         ? object.items().size()
                                                      : starts.empty() ? object.as_text().size()
                                                                       : starts.size() - 1);
  // Python's clipping: for a negative step the bounds are -1 .. size-1.
  const std::int64_t lowest = stride < 0 ? -1 : 0;
  const std::int64_t highest = stride < 0 ? size - 1 : size;
  const auto clip = [&](const Value& bound, std::int64_t otherwise) {
    if (bound.is(Kind::none)) return otherwise;
    std::int64_t at = bound.as_integer();
    if (at < 0) at = at < -size ? lowest : at + size;
    return std::max(lowest, std::min(at, highest));
  };
  const std::int64_t first = clip(start, stride < 0 ? highest : 0);
  const std::int64_t last = clip(stop, stride < 0 ? -1 : size);
  if (!sequence && stride == 1) {
    if (first >= last) return Value::string({});
    const auto offset = [&](std::int64_t at) {
      return starts.empty() ? static_cast<std::size_t>(at) : starts[static_cast<std::size_t>(at)];
    };
    return make_string(context, std::string(object.as_text().substr(offset(first), offset(last) - offset(first))));
  }
  std::vector<Value> items;
  std::string text;
  // Never steps past the last item: `at` stays inside [lowest, highest], so it cannot overflow.
  for (std::int64_t at = first; stride > 0 ? at < last : at > last;) {
    WISP_CHECK(context.spend());
    const std::size_t i = static_cast<std::size_t>(at);
    if (sequence) {
      items.push_back(object.items()[i]);
    } else {
      const std::size_t from = starts.empty() ? i : starts[i];
      text += object.as_text().substr(from, starts.empty() ? 1 : starts[i + 1] - from);
    }
    if (stride > 0 ? stride >= last - at : stride <= last - at) break;
    at += stride;
  }
  if (!sequence) return Value::string(std::move(text));
  return Value::sequence(object.kind(), std::move(items));
}

Result<Value> binary(Context& context, BinaryOperator op, const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) return integer_arithmetic(op, a.as_integer(), b.as_integer());
  if (a.is_number() && b.is_number()) return real_arithmetic(op, a.as_real(), b.as_real());
  if (op == BinaryOperator::modulo && a.is(Kind::string)) return format_percent(context, a.as_text(), b);
  if (a.is(Kind::undefined)) return undefined_error(a);
  if (b.is(Kind::undefined)) return undefined_error(b);
  if (op == BinaryOperator::add) {
    if (a.is(Kind::string) && b.is(Kind::string)) {
      WISP_CHECK(context.spend_bytes(a.as_text().size() + b.as_text().size()));
      std::string text;
      text.reserve(a.as_text().size() + b.as_text().size());
      text += a.as_text();
      text += b.as_text();
      return Value::string(std::move(text));
    }
    if (same_sequence_kind(a, b) && (a.is(Kind::list) || a.is(Kind::tuple))) {
      WISP_CHECK(context.spend(a.items().size() + b.items().size()));
      std::vector<Value> items;
      items.reserve(a.items().size() + b.items().size());
      items.insert(items.end(), a.items().begin(), a.items().end());
      items.insert(items.end(), b.items().begin(), b.items().end());
      return Value::sequence(a.kind(), std::move(items));
    }
    if (a.is(Kind::string))
      return fail(Code::invalid_argument, "can only concatenate str (not \"{}\") to str", type_name(b));
  }
  const auto repeatable = [](const Value& value) {
    return value.is(Kind::string) || value.is(Kind::list) || value.is(Kind::tuple);
  };
  if (op == BinaryOperator::multiply && repeatable(a) && b.is_integral()) return repeat(context, a, b.as_integer());
  if (op == BinaryOperator::multiply && repeatable(b) && a.is_integral()) return repeat(context, b, a.as_integer());
  return fail(Code::invalid_argument, "unsupported operand type(s) for {}: '{}' and '{}'", symbol_of(op), type_name(a),
              type_name(b));
}

Result<Value> negate(const Value& value) {
  if (value.is(Kind::real)) return Value::real(-value.as_real());
  if (value.is_integral()) return integer_arithmetic(BinaryOperator::subtract, 0, value.as_integer());
  if (value.is(Kind::undefined)) return undefined_error(value);
  return fail(Code::invalid_argument, "bad operand type for unary -: '{}'", type_name(value));
}

}  // namespace wisp::text::jinja
