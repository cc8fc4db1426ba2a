// A JSON text as a tree, for reading schemas: members keep their order, numbers their digits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace wisp::text::grammar {

enum class JsonKind : std::uint8_t { null, boolean, number, string, array, object };

struct JsonMember;

struct JsonValue {
  JsonValue();
  JsonValue(const JsonValue&);
  JsonValue(JsonValue&&) noexcept;
  JsonValue& operator=(const JsonValue&);
  JsonValue& operator=(JsonValue&&) noexcept;
  ~JsonValue();

  JsonKind kind = JsonKind::null;
  bool boolean = false;
  std::string text;  // of a string, decoded; of a number, as it is written
  std::vector<JsonValue> items;
  std::vector<JsonMember> members;

  [[nodiscard]] bool is(JsonKind wanted) const { return kind == wanted; }
  // The member of this name, or nullptr; also where this is no object.
  [[nodiscard]] const JsonValue* find(std::string_view name) const;
  JsonValue* find(std::string_view name);
  // Sets or adds a member.
  void set(std::string_view name, JsonValue value);
  void remove(std::string_view name);
  // Equal as JSON: members in any order, numbers by value.
  friend bool operator==(const JsonValue& a, const JsonValue& b);

  static JsonValue of(bool value);
  static JsonValue of(std::string_view text);
  static JsonValue array(std::vector<JsonValue> items);
  static JsonValue of(JsonKind kind);  // empty
};

struct JsonMember {
  std::string name;
  JsonValue value;
};

inline constexpr std::uint32_t kMaxJsonNesting = 128;
inline constexpr std::size_t kMaxJsonBytes = 4u << 20;

// Errors name line and column, from 1. A name that an object has twice is refused.
Result<JsonValue> parse_json(std::string_view text);

// A decimal number: +-0.DIGITS * 10^exponent, without zeros at either end of the digits; none for 0.
struct Decimal {
  bool negative = false;
  std::string digits;
  std::int64_t exponent = 0;

  static Decimal of(std::string_view json_number);
  [[nodiscard]] bool is_zero() const { return digits.empty(); }
  [[nodiscard]] bool is_integer() const { return static_cast<std::int64_t>(digits.size()) <= exponent; }
  // Digits in front of the point, without leading zeros, and behind it. Only while |exponent| is small.
  [[nodiscard]] std::string whole() const;
  [[nodiscard]] std::string fraction() const;
};
// -1, 0 or 1.
int compare(const Decimal& a, const Decimal& b);

// Spelled in the one way that generated texts have for it: non-ASCII as UTF-8, escapes only where they must be.
std::string json_string(std::string_view text);

}  // namespace wisp::text::grammar
