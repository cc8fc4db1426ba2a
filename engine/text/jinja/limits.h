// Bounds on what a template from an untrusted file may do; passing one is Code::limit.
#pragma once

#include <cstdint>

namespace wisp::text::jinja {

struct Limits {
  std::uint64_t max_steps = 10'000'000;        // evaluated nodes, made elements, 32 bytes read or made
  std::uint32_t max_depth = 200;               // nesting of calls, expressions, statements and values
  std::uint64_t max_output_bytes = 64u << 20;  // of the result, and of any string on the way
};

}  // namespace wisp::text::jinja
