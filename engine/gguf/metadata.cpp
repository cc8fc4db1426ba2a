#include "gguf/metadata.h"

#include <utility>

namespace wisp::gguf {

namespace {

std::unexpected<Error> missing(std::string_view key) {
  return fail(Code::not_found, "metadata key '{}' is missing", printable(key));
}

std::unexpected<Error> mistyped(std::string_view key, const Value& value, std::string_view expected) {
  return fail(Code::invalid_file, "metadata key '{}' is of type {}, expected {}", printable(key),
              value_type_name(value.type), expected);
}

Value array_value(Array array) { return {ValueType::array, std::make_shared<Array>(std::move(array))}; }

}  // namespace

std::string_view value_type_name(ValueType type) {
  switch (type) {
    case ValueType::u8: return "u8";
    case ValueType::i8: return "i8";
    case ValueType::u16: return "u16";
    case ValueType::i16: return "i16";
    case ValueType::u32: return "u32";
    case ValueType::i32: return "i32";
    case ValueType::f32: return "f32";
    case ValueType::boolean: return "bool";
    case ValueType::string: return "string";
    case ValueType::array: return "array";
    case ValueType::u64: return "u64";
    case ValueType::i64: return "i64";
    case ValueType::f64: return "f64";
  }
  return "unknown";
}

std::size_t value_type_bytes(ValueType type) {
  switch (type) {
    case ValueType::u8:
    case ValueType::i8:
    case ValueType::boolean: return 1;
    case ValueType::u16:
    case ValueType::i16: return 2;
    case ValueType::u32:
    case ValueType::i32:
    case ValueType::f32: return 4;
    case ValueType::u64:
    case ValueType::i64:
    case ValueType::f64: return 8;
    case ValueType::string:
    case ValueType::array: return 0;
  }
  return 0;
}

std::size_t Array::size() const { return strings.size() + integers.size() + floats.size(); }

Value Value::strings(std::vector<std::string> values) {
  return array_value({.element = ValueType::string, .strings = std::move(values), .integers = {}, .floats = {}});
}

Value Value::integers(ValueType element, std::vector<std::int64_t> values) {
  return array_value({.element = element, .strings = {}, .integers = std::move(values), .floats = {}});
}

Value Value::floats(ValueType element, std::vector<double> values) {
  return array_value({.element = element, .strings = {}, .integers = {}, .floats = std::move(values)});
}

Status Metadata::add(std::string key, Value value) {
  if (!index_.emplace(key, entries_.size()).second) {
    return fail(Code::invalid_file, "metadata key '{}' is there twice", printable(key));
  }
  entries_.emplace_back(std::move(key), std::move(value));
  return {};
}

void Metadata::set(std::string key, Value value) {
  const auto [place, fresh] = index_.emplace(key, entries_.size());
  if (fresh) {
    entries_.emplace_back(std::move(key), std::move(value));
  } else {
    entries_[place->second].second = std::move(value);
  }
}

const Value* Metadata::find(std::string_view key) const {
  const auto found = index_.find(std::string(key));
  return found == index_.end() ? nullptr : &entries_[found->second].second;
}

Result<std::string_view> Metadata::text(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return missing(key);
  const std::string* held = std::get_if<std::string>(&value->data);
  if (held == nullptr) return mistyped(key, *value, "a string");
  return std::string_view(*held);
}

Result<std::uint64_t> Metadata::unsigned_integer(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return missing(key);
  if (const auto* held = std::get_if<std::uint64_t>(&value->data)) return *held;
  const auto* held = std::get_if<std::int64_t>(&value->data);
  if (held == nullptr) return mistyped(key, *value, "an unsigned integer");
  if (*held < 0) return fail(Code::invalid_file, "metadata key '{}' is {}, expected 0 or more", printable(key), *held);
  return static_cast<std::uint64_t>(*held);
}

Result<double> Metadata::number(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return missing(key);
  if (const auto* held = std::get_if<double>(&value->data)) return *held;
  if (const auto* held = std::get_if<std::uint64_t>(&value->data)) return static_cast<double>(*held);
  if (const auto* held = std::get_if<std::int64_t>(&value->data)) return static_cast<double>(*held);
  return mistyped(key, *value, "a number");
}

Result<bool> Metadata::boolean(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return missing(key);
  const bool* held = std::get_if<bool>(&value->data);
  if (held == nullptr) return mistyped(key, *value, "a bool");
  return *held;
}

Result<const Array*> Metadata::array(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return missing(key);
  const auto* held = std::get_if<std::shared_ptr<Array>>(&value->data);
  if (held == nullptr || *held == nullptr) return mistyped(key, *value, "an array");
  return static_cast<const Array*>(held->get());
}

Result<std::string_view> Metadata::text_or(std::string_view key, std::string_view otherwise) const {
  if (!has(key)) return otherwise;
  return text(key);
}

Result<std::uint64_t> Metadata::unsigned_integer_or(std::string_view key, std::uint64_t otherwise) const {
  if (!has(key)) return otherwise;
  return unsigned_integer(key);
}

Result<double> Metadata::number_or(std::string_view key, double otherwise) const {
  if (!has(key)) return otherwise;
  return number(key);
}

Result<bool> Metadata::boolean_or(std::string_view key, bool otherwise) const {
  if (!has(key)) return otherwise;
  return boolean(key);
}

}  // namespace wisp::gguf
