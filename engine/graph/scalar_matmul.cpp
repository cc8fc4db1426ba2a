#include "graph/scalar_matmul.h"

#include <cmath>

#include "graph/int8_activations.h"
#include "quant/block_format.h"

namespace wisp::graph::scalar {
namespace {

float dot(std::span<const float> weights, const float* x) {
  float sum = 0.0f;
  for (std::size_t k = 0; k < weights.size(); ++k) sum = std::fma(weights[k], x[k], sum);
  return sum;
}

// One output from one row of rounded activations: q [columns], d [columns / 32].
float dot(const IntegerRow& row, const std::int8_t* q, const float* d) {
  float sum = 0.0f;
  for (std::size_t b = 0; b < row.scales.size(); ++b) {
    const std::size_t first = b * row.sub_block;
    std::int32_t products = 0;
    std::int32_t activations = 0;
    for (std::size_t i = first; i < first + row.sub_block; ++i) {
      products += std::int32_t{q[i]} * row.u[i];
      activations += q[i];
    }
    const float scale = d[first / kActivationBlock];
    sum = std::fma(static_cast<float>(products), row.scales[b] * scale, sum);
    if (!row.minimums.empty()) sum = std::fma(row.minimums[b], scale * static_cast<float>(activations), sum);
  }
  return sum;
}

void quantize(std::span<const float> x, MatMulScratch& scratch) {
  scratch.q.resize(x.size());
  scratch.d.resize(x.size() / kActivationBlock);
  for (std::size_t b = 0; b < scratch.d.size(); ++b) {
    const std::size_t first = b * kActivationBlock;
    scratch.d[b] = quantize_activation_block(x.subspan(first).first<kActivationBlock>(),
                                             std::span(scratch.q).subspan(first).first<kActivationBlock>());
  }
}

}  // namespace

void matmul(const Weight& weight, std::span<const std::byte> bytes, Arithmetic arithmetic, std::size_t n_rows,
            std::span<const float> x, std::span<float> y, MatMulScratch& scratch) {
  const std::size_t columns = weight.columns;
  const std::size_t bytes_per_row = bytes.size() / weight.rows;
  const bool integers = arithmetic == Arithmetic::int8_activations && has_integer_rows(weight.type);
  if (integers) quantize(x.first(n_rows * columns), scratch);
  scratch.weights.resize(columns);
  for (std::size_t output = 0; output < weight.rows; ++output) {
    const std::span<const std::byte> row_bytes = bytes.subspan(output * bytes_per_row, bytes_per_row);
    if (integers) {
      unpack_integer_row(weight.type, row_bytes, scratch.integers);
      for (std::size_t r = 0; r < n_rows; ++r) {
        y[r * weight.rows + output] =
            dot(scratch.integers, scratch.q.data() + r * columns, scratch.d.data() + r * (columns / kActivationBlock));
      }
    } else {
      (void)quant::decode(weight.type, row_bytes, scratch.weights);  // the graph builder checked the type
      for (std::size_t r = 0; r < n_rows; ++r)
        y[r * weight.rows + output] = dot(scratch.weights, x.data() + r * columns);
    }
  }
}

}  // namespace wisp::graph::scalar
