// JSON as the commands print it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "output.h"

namespace wisp::cli {

using Json = nlohmann::ordered_json;

// Indented, keys in the order they were added; bytes that are not UTF-8 become U+FFFD.
inline Status print_json(const Json& value) {
  return print(value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

// The same in one line.
inline Status print_json_line(const Json& value) {
  return print(value.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace wisp::cli
