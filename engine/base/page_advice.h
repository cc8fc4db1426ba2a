// What the system should know about memory before it is touched.
#pragma once

#include <cstddef>
#include <span>

namespace wisp {

// Tables that are large and filled here and there only: a huge page behind each touched place would cost 2 MiB. Advice:
// where it is refused, or unknown to the system, nothing changes but the memory taken.
void prefer_small_pages(std::span<std::byte> memory);

}  // namespace wisp
