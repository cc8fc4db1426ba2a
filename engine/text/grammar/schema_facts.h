// What can be read off a schema (merged, without allOf) before a grammar is made of it.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "text/grammar/json_value.h"
#include "text/grammar/number_range.h"

namespace wisp::text::grammar {

// The types that a schema's values can have, by JSON schema's names, in the order in which they are tried; all seven
// where it says nothing. Keywords tell a type where "type" does not.
Result<std::vector<std::string>> types_of(const JsonValue& schema);

// minimum, maximum and their exclusive forms.
Result<NumberRange> range_of(const JsonValue& schema);

// A count such as minLength; `otherwise` where it is absent. Counts past 2^31 are as good as 2^31.
Result<std::uint32_t> count_of(const JsonValue& schema, std::string_view keyword, std::uint32_t otherwise);

// Whether objects have no properties but those that are listed: by additionalProperties, or, where nothing is said,
// when some are listed.
bool is_closed(const JsonValue& schema);
bool is_required(const JsonValue& schema, std::string_view property);

// Whether a value of an enum passes the other keywords of its schema. Code::unsupported where that is not known.
Result<bool> passes(const JsonValue& value, const JsonValue& schema);

// Whether no text that is generated for one of the two schemas is valid for the other. False where that is not known.
Result<bool> exclude_each_other(const JsonValue& a, const JsonValue& b);

}  // namespace wisp::text::grammar
