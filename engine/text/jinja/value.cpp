#include "text/jinja/value.h"

#include <cmath>

namespace wisp::text::jinja {
namespace {

constexpr std::size_t kIndexFrom = 8;  // entries of a dict that are searched one by one

struct String final : Object {
  explicit String(std::string value) : text(std::move(value)) {}
  std::string text;
};

class Sequence final : public Object {
 public:
  explicit Sequence(std::vector<Value> values) : items(std::move(values)) {}
  std::vector<Value> items;
  enum class Owner : std::uint8_t { caller, template_, changed_template } owner = Owner::caller;

 protected:
  void drop_children(Object*& dead) override {
    for (Value& item : items) drop(item, dead);
  }
};

// Kinds that may be dict keys, in an order of classes: none, numbers, strings.
int key_class(const Value& key) {
  if (key.is_number()) return 1;
  return key.is(Kind::string) ? 2 : 0;
}

}  // namespace

void Object::drop(Value& value, Object*& dead) {
  if (value.has_object() && --value.data_.object->references_ == 0) {
    value.data_.object->next_dead_ = dead;
    dead = value.data_.object;
  }
  value.kind_ = Kind::none;
}

void Object::destroy(Object* first) {
  Object* dead = first;
  while (dead != nullptr) {
    Object* object = dead;
    dead = object->next_dead_;
    object->drop_children(dead);
    delete object;
  }
}

Value Value::object(Kind kind, Object* object) {
  Value value(kind);
  value.data_.object = object;
  if (object != nullptr) ++object->references_;
  return value;
}

Value Value::boolean(bool flag) {
  Value value(Kind::boolean);
  value.data_.integer = flag ? 1 : 0;
  return value;
}

Value Value::integer(std::int64_t number) {
  Value value(Kind::integer);
  value.data_.integer = number;
  return value;
}

Value Value::real(double number) {
  Value value(Kind::real);
  value.data_.real = number;
  return value;
}

Value Value::string(std::string text) { return object(Kind::string, new String(std::move(text))); }
Value Value::undefined(std::string reason) { return object(Kind::undefined, new String(std::move(reason))); }
Value Value::dict() { return object(Kind::dict, new Dict); }
Value Value::sequence(Kind kind, std::vector<Value> items) { return object(kind, new Sequence(std::move(items))); }

Value Value::own_list(std::vector<Value> items) {
  Value made = list(std::move(items));
  static_cast<Sequence*>(made.data_.object)->owner = Sequence::Owner::template_;
  return made;
}

bool Value::may_change() const {
  return kind_ == Kind::list && static_cast<const Sequence*>(data_.object)->owner != Sequence::Owner::caller;
}

Value::Change Value::change() {
  if (!may_change()) return {};
  auto* sequence = static_cast<Sequence*>(data_.object);
  const auto before = std::exchange(sequence->owner, Sequence::Owner::changed_template);
  return {&sequence->items, before == Sequence::Owner::template_};
}

Value::Value(const Value& other) : kind_(other.kind_), data_(other.data_) {
  if (has_object()) ++data_.object->references_;
}

double Value::as_real() const {
  if (kind_ == Kind::real) return data_.real;
  return static_cast<double>(as_integer());
}

std::string_view Value::as_text() const {
  return kind_ == Kind::string ? std::string_view(static_cast<const String*>(data_.object)->text) : std::string_view();
}

std::string_view Value::reason() const {
  if (kind_ != Kind::undefined || data_.object == nullptr) return "a value is undefined";
  return static_cast<const String*>(data_.object)->text;
}

const std::vector<Value>& Value::items() const {
  static const std::vector<Value> kEmpty;
  return is_sequence() ? static_cast<const Sequence*>(data_.object)->items : kEmpty;
}

std::vector<Value> Value::take_items() {
  if (!is_sequence()) return {};
  auto& items = static_cast<Sequence*>(data_.object)->items;
  return kind_ == Kind::generator ? std::exchange(items, {}) : items;
}

const Dict* Value::as_dict() const {
  return kind_ == Kind::dict || kind_ == Kind::name_space ? static_cast<const Dict*>(data_.object) : nullptr;
}

Dict* Value::as_dict() {
  return kind_ == Kind::dict || kind_ == Kind::name_space ? static_cast<Dict*>(data_.object) : nullptr;
}

void Value::append(Value item) {
  if (is_sequence()) static_cast<Sequence*>(data_.object)->items.push_back(std::move(item));
}

void Value::set(std::string_view key, Value value) {
  if (Dict* dict = as_dict()) dict->set(string(std::string(key)), std::move(value));
}

const Value* Value::find(std::string_view key) const {
  const Dict* dict = as_dict();
  return dict == nullptr ? nullptr : dict->find(key);
}

std::partial_ordering order_numbers(const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) return a.as_integer() <=> b.as_integer();
  if (!a.is_integral() && !b.is_integral()) return a.as_real() <=> b.as_real();
  if (!a.is_integral()) return 0 <=> order_numbers(b, a);
  const double real = b.as_real();
  constexpr double kPastIntegers = 9223372036854775808.0;  // 2^63
  if (std::isnan(real)) return std::partial_ordering::unordered;
  if (real >= kPastIntegers) return std::partial_ordering::less;
  if (real < -kPastIntegers) return std::partial_ordering::greater;
  const double whole = std::trunc(real);
  const auto integer = static_cast<std::int64_t>(whole);
  if (a.as_integer() != integer) return a.as_integer() <=> integer;
  return 0.0 <=> real - whole;
}

bool KeyLess::operator()(const Value& a, const Value& b) const {
  if (const int left = key_class(a), right = key_class(b); left != right) return left < right;
  if (a.is(Kind::string)) return a.as_text() < b.as_text();
  if (!a.is_number()) return false;
  const std::partial_ordering order = order_numbers(a, b);
  if (order != std::partial_ordering::unordered) return order < 0;
  // NaN is equal to itself as a key, and smaller than the others, or the order would not be one.
  return std::isnan(a.as_real()) && !std::isnan(b.as_real());
}

bool Dict::hashable(const Value& key) { return key.is(Kind::none) || key.is_number() || key.is(Kind::string); }

std::size_t Dict::position(const Value& key) const {
  if (!hashable(key)) return entries_.size();
  if (!index_.empty()) {
    const auto found = index_.find(key);
    return found == index_.end() ? entries_.size() : found->second;
  }
  constexpr KeyLess kLess;
  std::size_t i = 0;
  while (i < entries_.size() && (kLess(entries_[i].first, key) || kLess(key, entries_[i].first))) ++i;
  return i;
}

const Value* Dict::find(const Value& key) const {
  const std::size_t at = position(key);
  return at < entries_.size() ? &entries_[at].second : nullptr;
}

const Value* Dict::find(std::string_view key) const {
  if (!index_.empty()) return find(Value::string(std::string(key)));
  for (const Entry& entry : entries_)
    if (entry.first.is(Kind::string) && entry.first.as_text() == key) return &entry.second;
  return nullptr;
}

void Dict::set(Value key, Value value) {
  if (!hashable(key)) return;
  const std::size_t at = position(key);
  if (at < entries_.size()) {
    entries_[at].second = std::move(value);
    return;
  }
  entries_.emplace_back(std::move(key), std::move(value));
  if (entries_.size() == kIndexFrom + 1) {
    for (std::size_t i = 0; i < entries_.size(); ++i) index_.emplace(entries_[i].first, i);
  } else if (!index_.empty()) {
    index_.emplace(entries_.back().first, at);
  }
}

void Dict::clear() {
  index_.clear();
  entries_.clear();
}

void Dict::drop_children(Object*& dead) {
  index_.clear();
  for (auto& [key, value] : entries_) {
    drop(key, dead);
    drop(value, dead);
  }
}

std::string_view type_name(const Value& value) {
  switch (value.kind()) {
    case Kind::none: return "NoneType";
    case Kind::boolean: return "bool";
    case Kind::integer: return "int";
    case Kind::real: return "float";
    case Kind::undefined: return "Undefined";
    case Kind::string: return "str";
    case Kind::list: return "list";
    case Kind::tuple: return "tuple";
    case Kind::range: return "range";
    case Kind::view: return "dict view";
    case Kind::generator: return "generator";
    case Kind::dict: return "dict";
    case Kind::name_space: return "Namespace";
    case Kind::function: return "function";
  }
  return "object";
}

}  // namespace wisp::text::jinja
