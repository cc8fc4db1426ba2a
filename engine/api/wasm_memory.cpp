// Memory that a page writes into and hands to the other exports. The C library's heap has no lock: only the thread that
// owns the module's sessions allocates.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "api/wasm_export.h"
#include "base/checked.h"
#include "base/memory.h"

// `bytes` of memory aligned for anything, or 0 when there is none left.
WISP_EXPORT(wisp_alloc) void* wisp_alloc(std::size_t bytes) {
  if (bytes > SIZE_MAX - wisp::kBufferAlignment) return nullptr;
  return std::aligned_alloc(wisp::kBufferAlignment, wisp::align_up(bytes, wisp::kBufferAlignment));
}

WISP_EXPORT(wisp_free) void wisp_free(void* memory) { std::free(memory); }
