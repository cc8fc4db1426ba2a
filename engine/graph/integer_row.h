// A row of a quantised weight matrix as the int8 arithmetic sees it: small integers, and per sub-block a scale and, for
// affine types, a minimum: w = scale * u + minimum.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "gguf/tensor_type.h"

namespace wisp::graph {

struct IntegerRow {
  std::vector<std::int8_t> u;   // [columns]; symmetric types: signed, their offset already taken away
  std::vector<float> scales;    // [columns / sub_block]
  std::vector<float> minimums;  // [columns / sub_block], empty for symmetric types
  std::size_t sub_block = 32;   // elements that share a scale: 32, or 16 (Q2_K, Q3_K, Q6_K)
};

// Is this type multiplied with int8 activations? False for F32, F16, BF16.
[[nodiscard]] bool has_integer_rows(gguf::TensorType type);

// Unpacks one row. `bytes` are whole blocks of `type`, for which has_integer_rows() holds; `row` is reused, so that it
// allocates only when rows get longer.
void unpack_integer_row(gguf::TensorType type, std::span<const std::byte> bytes, IntegerRow& row);

}  // namespace wisp::graph
