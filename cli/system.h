// What the operating system tells about memory.
#pragma once

#include <cstdint>

namespace wisp::cli {

struct SystemMemory {
  std::uint64_t total = 0;      // of the machine, or what its container allows; 0 where the system does not tell
  std::uint64_t available = 0;  // without pushing others out
};
SystemMemory system_memory();

// Memory that this process has written and holds, without pages of mapped files.
std::uint64_t private_bytes();

}  // namespace wisp::cli
