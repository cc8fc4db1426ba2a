// Matrix products, y = x W^T with what may come before and after, and the kernel for few rows of x (wgsl/matvec.wgsl).
// The one for many is in matmul_tile.h.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "gguf/tensor_type.h"
#include "gpu/device/device.h"
#include "gpu/shader/kernel.h"
#include "graph/graph.h"

namespace wisp::gpu {

class KernelText;

// A matrix, or a run of its rows that starts at a tile.
struct MatrixUse {
  gguf::TensorType type = gguf::TensorType::f32;
  std::uint32_t rows = 0;
  bool bias = false;
};

// The most that fit a kernel: two bindings each, beside the step and the arena, of the 8 that every device has.
inline constexpr std::size_t kMostMatrices = 3;

struct MatMulSpec {
  std::vector<MatrixUse> matrices;  // 1 to kMostMatrices that share x
  std::uint32_t columns = 0;        // of each, and of x
  bool gated = false;               // two matrices of equal rows: y = activation(first) * second
  bool norm = false;                // of x; only for few rows
  bool residual = false;            // added last; for a single matrix
  graph::Activation activation = graph::Activation::none;
  bool int8 = false;  // round x to int8; without effect on matrices of floats, so never with those
};

// How a matvec is cut. Results depend on `slices`, `subgroups` and the chunk, never on `rows`.
struct MatVecShape {
  std::uint32_t rows = 1;    // of x a workgroup computes: 1, 2, 4 or 8
  std::uint32_t slices = 8;  // lanes that share a row of W: 4, 8, 16 or 32
  bool subgroups = false;    // sum by shuffles; only where the device has subgroups of at least 4
  bool rounded = false;      // x is what round_kernel() made of it, to int8: for specifications with int8 and no norm
};

// The uniform of all matrix kernels; wgsl/matmul_op.wgsl. By matrix three entries, padded to a vector.
struct MatMulConstants {
  std::uint32_t x = 0, norm = 0;
  float eps = 0.0f;
  std::uint32_t residual = 0, row_set = 0;
  std::uint32_t columns = 0, blocks = 0;  // these and first_tile only for a matvec_kernel of any shape: set_shape()
  std::uint32_t padding = 0;
  std::array<std::uint32_t, 4> out = {}, width = {}, rows = {}, bias = {}, first_tile = {};
};

Result<Kernel> matvec_kernel(const MatMulSpec& spec, const MatVecShape& shape, const DeviceInfo& info);
// One text for matrices of any shape: only types, and what comes before and after, are those of `spec`. Columns and
// rows are read from the constants.
Result<Kernel> generic_matvec_kernel(const MatMulSpec& spec, const MatVecShape& shape, const DeviceInfo& info);
void set_shape(const MatMulSpec& spec, MatMulConstants& constants);

// For kernels made of the same parts (wgsl/matvec_x.wgsl, matvec_products.wgsl): all their names but TILE_<matrix>, and
// the workgroup memory that they take.
Status define_matvec(KernelText& text, const MatMulSpec& spec, const MatVecShape& shape);
std::uint32_t matvec_bytes(const MatMulSpec& spec, const MatVecShape& shape);
Grid matvec_grid(const MatMulSpec& spec, const MatVecShape& shape, Extent::Of rows);
// The most rows of x that a workgroup of the matvec kernel should take: 8, or 2 on software drivers, whose compilers
// take seconds over the unrolled text.
std::uint32_t matvec_rows(const DeviceInfo& info);
// Every shape that the device can run, the best guess first; those with subgroups, which a probe should see before
// they are used (wgsl/matvec.wgsl), come last.
std::vector<MatVecShape> matvec_shapes(const MatMulSpec& spec, std::uint32_t rows, const DeviceInfo& info);

}  // namespace wisp::gpu
