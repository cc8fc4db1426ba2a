#include "base/room.h"

#include <cstdlib>

#include "base/checked.h"

namespace wisp {

Status check_room(std::uint64_t bytes, std::string_view owner) {
  constexpr std::uint64_t kSmall = std::uint64_t{1} << 20;
  if (bytes <= kSmall) return {};
  // Volatile: a compiler may take an allocation that nobody uses for one that succeeds.
  void* volatile const probe = bytes < SIZE_MAX ? std::malloc(static_cast<std::size_t>(bytes)) : nullptr;
  if (probe == nullptr) return fail(Code::out_of_memory, "no memory for {} of {}", format_bytes(bytes), owner);
  std::free(probe);
  return {};
}

}  // namespace wisp
