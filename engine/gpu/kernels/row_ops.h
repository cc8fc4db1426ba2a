// Kernels that work on rows of activations: norms, single values, table rows.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "gguf/tensor_type.h"
#include "gpu/device/device.h"
#include "gpu/shader/kernel.h"

namespace wisp::gpu {

// ---- wgsl/elementwise.wgsl ----

enum class Elementwise : std::uint8_t { scale, add, mul, add_bias, silu, gelu_tanh, softcap, select_rows };

struct ElementwiseConstants {
  std::uint32_t a = 0, b = 0, out = 0, width = 0;
  float factor = 0.0f;
  std::uint32_t row_set = 0;
};
Result<Kernel> elementwise_kernel(Elementwise function, const DeviceInfo& info);
Grid elementwise_grid(std::uint32_t width, Extent::Of rows);

// ---- wgsl/norm.wgsl: RMS norm or layer norm of whole rows or of heads, and a residual after it ----

struct NormConstants {
  std::uint32_t x = 0, out = 0, weight = 0, residual = 0;
  float eps = 0.0f;
  std::uint32_t row_set = 0;
  std::uint32_t bias = 0;  // of a layer norm
};
// `width` of a row, `group` values normed together.
Result<Kernel> norm_kernel(std::uint32_t width, std::uint32_t group, bool residual, const DeviceInfo& info);
// (x - mean) / sqrt(variance + eps) * weight (+ bias).
Result<Kernel> layer_norm_kernel(std::uint32_t width, std::uint32_t group, bool bias, bool residual,
                                 const DeviceInfo& info);
Grid norm_grid(std::uint32_t width, std::uint32_t group, Extent::Of rows);

// ---- wgsl/embed.wgsl: rows of a table by token; group 1: the table's planes, then the sampled tokens ----

struct EmbedConstants {
  std::uint32_t out = 0;
  std::uint32_t first_token = 0, tokens = 0;  // of this part of the table
};
Result<Kernel> embed_kernel(gguf::TensorType type, std::uint32_t columns, const DeviceInfo& info);
Grid embed_grid();

}  // namespace wisp::gpu
