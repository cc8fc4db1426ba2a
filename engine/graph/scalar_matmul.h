// y = x W^T, one output at a time, straight from the GGUF blocks, in both arithmetics.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/integer_row.h"
#include "graph/scalar_executor.h"
#include "graph/weight.h"

namespace wisp::graph::scalar {

// Memory that matmuls reuse.
struct MatMulScratch {
  std::vector<float> weights;  // [columns] one decoded row
  IntegerRow integers;         // the same, for the int8 arithmetic
  std::vector<std::int8_t> q;  // [rows][columns] rounded activations
  std::vector<float> d;        // [rows][columns / 32] their scales
};

// `bytes`: the weight's rows as the file has them. x: [n_rows][weight.columns], y: [n_rows][weight.rows]. Each output
// is one chain of FMAs in ascending k from 0 (exact arithmetic and float weights), or what int8_activations.h says.
void matmul(const Weight& weight, std::span<const std::byte> bytes, Arithmetic arithmetic, std::size_t n_rows,
            std::span<const float> x, std::span<float> y, MatMulScratch& scratch);

}  // namespace wisp::graph::scalar
