// What Jinja expressions compute with: Python's values as templates see them. A Value is 16 bytes; strings and
// containers are shared by reference like Python's, and counted without atomics: a value and all that it reaches belong
// to one thread at a time.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace wisp::text::jinja {

enum class Kind : std::uint8_t {
  none,
  boolean,
  integer,  // 64 bits; leaving them is an error, where Python would grow
  real,
  undefined,  // a missing variable, attribute or item; may say which one
  string,     // UTF-8; bytes that are not count as one character each
  list,
  tuple,
  range,      // what range() gave
  view,       // what dict.keys(), values() and items() gave
  generator,  // what map, select and their like gave: iterates once
  dict,
  name_space,  // what namespace() gave: the one kind whose attributes a template can set
  function,    // macros, methods, loop, cycler, joiner
};

class Value;
class Dict;

// What a Value of the kinds from `undefined` on points to.
class Object {
 public:
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

 protected:
  Object() = default;
  virtual ~Object() = default;
  // Hands each Value that the object holds to `drop`. Values nest as deep as a template likes, so they are not
  // destroyed by recursion.
  virtual void drop_children(Object*& /*dead*/) {}
  static void drop(Value& value, Object*& dead);

 private:
  friend class Value;
  static void destroy(Object* first);
  std::uint32_t references_ = 0;
  Object* next_dead_ = nullptr;
};

class Value {
 public:
  Value() = default;  // undefined, of no name
  static Value none() { return Value(Kind::none); }
  static Value boolean(bool value);
  static Value integer(std::int64_t value);
  static Value real(double value);
  static Value string(std::string text);
  static Value list(std::vector<Value> items = {}) { return sequence(Kind::list, std::move(items)); }
  // One that the template made and may change (list.append and its like); other lists are the caller's.
  static Value own_list(std::vector<Value> items);
  static Value tuple(std::vector<Value> items) { return sequence(Kind::tuple, std::move(items)); }
  static Value dict();
  // Undefined, with the sentence that an operation on it fails with: "'tools' is undefined".
  static Value undefined(std::string reason);
  // Any of list, tuple, range, view, generator.
  static Value sequence(Kind kind, std::vector<Value> items);
  // Takes an object made by `new`; for the kinds that the interpreter adds.
  static Value object(Kind kind, Object* object);

  Value(const Value& other);
  Value(Value&& other) noexcept : kind_(std::exchange(other.kind_, Kind::none)), data_(other.data_) {}
  Value& operator=(Value other) noexcept {
    std::swap(kind_, other.kind_);
    std::swap(data_, other.data_);
    return *this;
  }
  ~Value() { release(); }

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] bool is(Kind kind) const { return kind_ == kind; }
  [[nodiscard]] bool is_sequence() const { return kind_ >= Kind::list && kind_ <= Kind::generator; }
  [[nodiscard]] bool is_number() const { return kind_ >= Kind::boolean && kind_ <= Kind::real; }
  [[nodiscard]] bool is_integral() const { return kind_ == Kind::boolean || kind_ == Kind::integer; }

  // Each of these asks for the kind that it names; another kind gives an empty or zero answer.
  [[nodiscard]] bool as_boolean() const { return kind_ == Kind::boolean && data_.integer != 0; }
  [[nodiscard]] std::int64_t as_integer() const { return is_integral() ? data_.integer : 0; }
  [[nodiscard]] double as_real() const;                   // of any number
  [[nodiscard]] std::string_view as_text() const;         // of a string
  [[nodiscard]] std::string_view reason() const;          // of an undefined
  [[nodiscard]] const std::vector<Value>& items() const;  // of list, tuple, range, view, generator
  [[nodiscard]] const Dict* as_dict() const;              // of dict and name_space
  [[nodiscard]] Dict* as_dict();
  [[nodiscard]] Object* as_object() const { return has_object() ? data_.object : nullptr; }
  // The items of a generator can be had once; a second call gives none.
  [[nodiscard]] std::vector<Value> take_items();

  // The items of an own list; nullptr for all else. `first`: nobody asked before.
  struct Change {
    std::vector<Value>* items = nullptr;
    bool first = false;
  };
  [[nodiscard]] Change change();
  [[nodiscard]] bool may_change() const;

  // For building from C++: on a list and on a dict. A changed object is changed for all that share it.
  void append(Value item);
  void set(std::string_view key, Value value);
  // The entry of a dict, or nothing.
  [[nodiscard]] const Value* find(std::string_view key) const;

 private:
  friend class Object;
  explicit Value(Kind kind) : kind_(kind) {}
  [[nodiscard]] bool has_object() const { return kind_ >= Kind::undefined && data_.object != nullptr; }
  void release() {
    if (has_object() && --data_.object->references_ == 0) Object::destroy(data_.object);
  }

  Kind kind_ = Kind::undefined;
  union {
    std::int64_t integer;
    double real;
    Object* object = nullptr;
  } data_;
};

// Exact, also between a 64-bit integer and a real; unordered when one is NaN.
std::partial_ordering order_numbers(const Value& a, const Value& b);

// The order that finds dict keys: what Python holds equal (1, 1.0 and True) is equal here. Only for hashable kinds.
struct KeyLess {
  bool operator()(const Value& a, const Value& b) const;
};

// A dict's entries in the order they came.
class Dict final : public Object {
 public:
  using Entry = std::pair<Value, Value>;
  [[nodiscard]] std::span<const Entry> entries() const { return entries_; }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  // `key` must be hashable(); others are never found.
  [[nodiscard]] const Value* find(const Value& key) const;
  [[nodiscard]] const Value* find(std::string_view key) const;
  void set(Value key, Value value);
  void clear();
  static bool hashable(const Value& key);

 protected:
  void drop_children(Object*& dead) override;

 private:
  [[nodiscard]] std::size_t position(const Value& key) const;  // entries_.size() when absent
  std::vector<Entry> entries_;
  // Filled once there are more entries than are worth a linear search. A tree: hostile keys cannot make it slow.
  std::map<Value, std::size_t, KeyLess> index_;
};

// "str", "int", "list", ...: Python's names, for messages.
std::string_view type_name(const Value& value);

// Reads one JSON text. Integers that fit 64 bits stay integers, other numbers are reals; the order of keys is kept and
// the last of equal keys wins. Code::invalid_argument with line and column; nesting past `max_depth` is Code::limit.
Result<Value> parse_json(std::string_view text, std::uint32_t max_depth = 200);

}  // namespace wisp::text::jinja
