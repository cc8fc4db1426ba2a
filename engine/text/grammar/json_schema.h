// JSON schemas: the grammar of all texts that are, in the order and spelling that a writer would choose, a value which
// the schema accepts. Every text of the grammar is valid; not every valid value is a text of the grammar
// (docs/constraints.md says what is left out). A keyword that cannot be held is refused, never passed over.
#pragma once

#include <string_view>

#include "base/result.h"
#include "text/grammar/grammar.h"

namespace wisp::text::grammar {

// Schemas inside each other, after references are followed where they are merged.
inline constexpr std::uint32_t kMaxSchemaNesting = 100;

// `source` is the schema's text, or, empty, stands for any JSON value. Errors name the place as a JSON pointer
// ("at /properties/age: ..."), or line and column where the text is no JSON.
Status parse_json_schema(std::string_view source, Grammar& grammar);

}  // namespace wisp::text::grammar
