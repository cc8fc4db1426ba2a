// A tensor's values, decoded.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "gguf/reader.h"

namespace wisp::cli {

// Writes tensor `name` to the file `out` as little-endian float32, innermost dimension first, in constant memory.
// Returns the number of values. A file that could not be completed is removed.
Result<std::uint64_t> dump_tensor(const gguf::File& file, const std::string& name, const std::string& out);

}  // namespace wisp::cli
