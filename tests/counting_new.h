// How often this program asked for memory: operator new is replaced by one that counts (counting_new.cpp).
#pragma once

#include <cstdint>

// Sanitizers bring their own operator new; there is nothing to count then.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WISP_COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WISP_COUNTS_ALLOCATIONS 0
#endif
#endif
#ifndef WISP_COUNTS_ALLOCATIONS
#define WISP_COUNTS_ALLOCATIONS 1
#endif

namespace wisp::test {

inline constexpr bool kCountsAllocations = WISP_COUNTS_ALLOCATIONS != 0;
// Calls of operator new so far, of all threads.
std::uint64_t allocations();

}  // namespace wisp::test
