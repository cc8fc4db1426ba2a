// Products with experts: y[pair] = W[expert(pair)] x[row(pair)], for rows that chose some matrices of a stack
// (wgsl/matmul_id.wgsl). The planes of a stack (gpu/weights/plane_layout.h) are those of its experts one after another,
// each filled up to whole tiles.
#pragma once

#include <array>
#include <cstdint>

#include "gpu/kernels/matmul.h"

namespace wisp::gpu {

// `product`: one stack, or two that are gated; `rows` are those of one expert. Neither norm nor residual. It reads a
// matrix once for each pair, which suits the few rows of decoding.
struct MatMulIdSpec {
  MatMulSpec product;
  std::uint32_t used = 1;    // experts of a row
  std::uint32_t slices = 8;  // as in MatVecShape
};

struct MatMulIdConstants {
  std::uint32_t x = 0;
  std::uint32_t pair_x = 0;                     // 0: the pairs of a row share a row of x; 1: each has its own
  std::uint32_t ids = 0;                        // words of the arena, [rows][used]
  std::uint32_t first_expert = 0, experts = 0;  // of the stacks' part that is bound; other pairs' results stay
  std::uint32_t row_set = 0;
  // By stack. Of results [rows][used][width] only the first counts; biases are those of all experts.
  std::array<std::uint32_t, 2> out = {}, width = {}, rows = {}, bias = {};
};

Result<Kernel> matmul_id_kernel(const MatMulIdSpec& spec, const DeviceInfo& info);
Grid matmul_id_grid(const MatMulIdSpec& spec, Extent::Of rows);

}  // namespace wisp::gpu
