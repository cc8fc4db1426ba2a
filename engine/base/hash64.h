// A fast hash of bytes against accidents (a damaged file, another model), not against people: XXH64, from its
// specification (github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace wisp {

std::uint64_t hash64(std::span<const std::byte> bytes, std::uint64_t seed = 0);

}  // namespace wisp
