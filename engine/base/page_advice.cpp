#include "base/page_advice.h"

#include <cstdint>

#include "base/checked.h"

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace wisp {

void prefer_small_pages([[maybe_unused]] std::span<std::byte> memory) {
#if defined(__linux__)
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(memory.data());
  const std::uintptr_t first = align_up(begin, page);
  const std::uintptr_t end = (begin + memory.size()) / page * page;  // whole pages only: others may share the rest
  if (first < end) madvise(memory.data() + (first - begin), end - first, MADV_NOHUGEPAGE);
#endif
}

}  // namespace wisp
