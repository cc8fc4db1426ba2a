// Files that hold what was said: readable by their owner only, and either whole or not there.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/result.h"

namespace wisp::cli {

// Whether one can be made there, which leaves nothing behind: to be asked before the work whose result it is to hold.
Status try_private_file(const std::string& path);

// A file of that name is replaced once the new one is whole. Code::io where none can be made there, Code::device where
// not all was written.
Status write_private_file(const std::string& path, std::span<const std::byte> bytes);

}  // namespace wisp::cli
