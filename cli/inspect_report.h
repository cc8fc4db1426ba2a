// What `wisp inspect` says about a file, for people and as JSON. Strings from the file are escaped where a terminal or
// a JSON reader could stumble over them.
#pragma once

#include <string>

#include "gguf/reader.h"
#include "json.h"

namespace wisp::cli {

// A summary, the metadata, and with `tensors` the tensor table. Long arrays and strings are shortened unless `full`.
std::string inspect_text(const gguf::File& file, bool tensors, bool full);

// The same and more: {"files", "version", ..., "types", "metadata": {KEY: {"type", "value"}}, "tensors"}. Arrays of
// more than a few elements have "length" and "first" in place of "value", unless `full`.
Json inspect_json(const gguf::File& file, bool full);

}  // namespace wisp::cli
