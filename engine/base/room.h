// Containers cannot report a refusal of memory. Where an input decides their size, it is asked for here first.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace wisp {

// Whether the system gives `bytes`, which are given back at once; small amounts are not asked for. Code::out_of_memory
// says what they were for: `owner`, "the saved sequence".
Status check_room(std::uint64_t bytes, std::string_view owner);

}  // namespace wisp
