// The key-value part of a GGUF file, typed and checked. Strings are bytes: files hold token texts that are not UTF-8.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/result.h"

namespace wisp::gguf {

// Numbers as they stand in files.
enum class ValueType : std::uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};
std::string_view value_type_name(ValueType type);  // "u32", "bool", "string", ...
// Bytes of one value in a file; 0 for strings and arrays, whose length the file tells.
std::size_t value_type_bytes(ValueType type);

// Integers and bools widen to 64 bits, floats to f64; `type` keeps what the file said.
struct Array;
struct Value {
  ValueType type = ValueType::u32;
  std::variant<std::uint64_t, std::int64_t, double, bool, std::string, std::shared_ptr<Array>> data;

  // For those who write files.
  static Value u32(std::uint32_t value) { return {ValueType::u32, std::uint64_t{value}}; }
  static Value i32(std::int32_t value) { return {ValueType::i32, std::int64_t{value}}; }
  static Value f32(float value) { return {ValueType::f32, double{value}}; }
  static Value boolean(bool value) { return {ValueType::boolean, value}; }
  static Value text(std::string value) { return {ValueType::string, std::move(value)}; }
  static Value strings(std::vector<std::string> values);
  static Value integers(ValueType element, std::vector<std::int64_t> values);
  static Value floats(ValueType element, std::vector<double> values);
};
// Homogeneous; at most one of the vectors is filled, by element type. Arrays of arrays are refused by the reader.
struct Array {
  ValueType element = ValueType::u32;
  std::vector<std::string> strings;
  std::vector<std::int64_t> integers;  // every integer type and bool; u64 above 2^63-1 is refused by the reader
  std::vector<double> floats;
  [[nodiscard]] std::size_t size() const;
};

// Keys in file order, each once. A lookup of a missing key is Code::not_found naming the key; of another type,
// Code::invalid_file naming both types. Integer look-ups take any integer type whose value fits.
class Metadata {
 public:
  Status add(std::string key, Value value);  // Code::invalid_file when the key is already there
  void set(std::string key, Value value);    // adds or replaces; for writers
  [[nodiscard]] const Value* find(std::string_view key) const;
  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }
  [[nodiscard]] const std::vector<std::pair<std::string, Value>>& entries() const { return entries_; }

  Result<std::string_view> text(std::string_view key) const;
  Result<std::uint64_t> unsigned_integer(std::string_view key) const;
  Result<double> number(std::string_view key) const;  // any float or integer type
  Result<bool> boolean(std::string_view key) const;
  Result<const Array*> array(std::string_view key) const;
  // The same with a default for a missing key; a key of the wrong type is still an error.
  Result<std::string_view> text_or(std::string_view key, std::string_view otherwise) const;
  Result<std::uint64_t> unsigned_integer_or(std::string_view key, std::uint64_t otherwise) const;
  Result<double> number_or(std::string_view key, double otherwise) const;
  Result<bool> boolean_or(std::string_view key, bool otherwise) const;

 private:
  std::vector<std::pair<std::string, Value>> entries_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace wisp::gguf
