// The engine's only clock: for counters and traces, never for decisions that change a token.
#pragma once

#include <cstdint>

namespace wisp {

// Nanoseconds since an arbitrary fixed point; monotonic.
std::uint64_t now_ns();

}  // namespace wisp
