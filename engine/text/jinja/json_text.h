// Values as JSON text, as Python's json.dumps writes it.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "text/jinja/context.h"
#include "text/jinja/value.h"

namespace wisp::text::jinja {

struct JsonStyle {
  bool ascii = false;                 // \uXXXX for all that is not ASCII
  std::optional<std::string> indent;  // of one level; none: all in one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool sort_keys = false;
};

// Fails for what JSON has no form for: undefined, ranges, namespaces, functions.
Result<std::string> to_json(Context& context, const Value& value, const JsonStyle& style);

}  // namespace wisp::text::jinja
