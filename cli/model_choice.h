// Which of a repository's types this machine should have.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "hub/pull.h"

namespace wisp::cli {

// The largest that leaves a tenth of `memory` bytes free while the default context is full. Reads the header of the
// largest candidate, and reckons the others by their size. Code::out_of_memory where none fits; then the message says
// what the smallest needs.
Result<hub::Choice> choose_for_memory(const hub::Listing& listing, std::uint64_t memory,
                                      const hub::ReadHeader& read_header);

}  // namespace wisp::cli
