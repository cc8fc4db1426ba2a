// Schemas that have to hold together become one: references with something beside them, allOf, and alternatives with
// what stands beside them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "text/grammar/json_value.h"

namespace wisp::text::grammar {

// How a schema may grow while it is merged, in values; a few lines can ask for more than memory holds.
inline constexpr std::uint64_t kMaxMergedValues = 2'000'000;

class SchemaMerger {
 public:
  explicit SchemaMerger(const JsonValue& root) : root_(root) {}

  // What "#", "#/$defs/x" or "#anchor" names. Code::not_found, Code::unsupported for a reference to another document.
  Result<const JsonValue*> resolve(std::string_view reference) const;
  // A schema without allOf, and without $ref unless that is all it says. Boolean schemas stay.
  Result<JsonValue> flatten(const JsonValue& schema, std::uint32_t depth = 0);
  // What satisfies both; `false` where nothing can.
  Result<JsonValue> both(const JsonValue& a, const JsonValue& b, std::uint32_t depth = 0);

 private:
  Status spend(const JsonValue& value);
  Status combine(std::string_view keyword, JsonValue& mine, const JsonValue& other);
  Status combine_properties(const JsonValue& a, const JsonValue& b, JsonValue& merged);

  const JsonValue& root_;
  std::uint64_t spent_ = 0;
};

// Keywords that say nothing about which values are valid.
bool is_annotation(std::string_view keyword);
// A schema that says nothing but its reference.
bool is_plain_reference(const JsonValue& schema);

}  // namespace wisp::text::grammar
