// What a page or worker calls. Plain C functions over 32-bit pointers into the module's memory; JavaScript reads and
// writes what they point at. Allocation has no lock in this C library: only the thread that owns the engine allocates.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/checked.h"
#include "base/memory.h"

#define WISP_EXPORT(name) extern "C" __attribute__((export_name(#name), visibility("default")))

namespace {
constexpr std::uint32_t kAbiVersion = 1;
}  // namespace

// Rises when a function changes its meaning; the loader refuses a module that it was not made for.
WISP_EXPORT(wisp_abi_version) std::uint32_t wisp_abi_version() { return kAbiVersion; }

// `bytes` of memory aligned for anything, or 0 when there is none left.
WISP_EXPORT(wisp_alloc) void* wisp_alloc(std::size_t bytes) {
  if (bytes > SIZE_MAX - wisp::kBufferAlignment) return nullptr;
  return std::aligned_alloc(wisp::kBufferAlignment, wisp::align_up(bytes, wisp::kBufferAlignment));
}

WISP_EXPORT(wisp_free) void wisp_free(void* memory) { std::free(memory); }
