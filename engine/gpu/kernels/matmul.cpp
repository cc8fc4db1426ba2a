#include "gpu/kernels/matmul.h"

#include <algorithm>

#include "base/checked.h"
#include "gpu/kernels/text.h"
#include "gpu/weights/plane_layout.h"

namespace wisp::gpu {
namespace {

// Blocks of 32 columns of x in workgroup memory, all rows together: 9.7 KiB as floats, 8 KiB as integers, of the 16 KiB
// that every device has.
constexpr std::uint32_t kFloatBlocks = 64;
constexpr std::uint32_t kInt8Blocks = 128;
constexpr std::uint32_t kFloatBlockBytes = 9 * 16 + 8;
constexpr std::uint32_t kInt8BlockBytes = 3 * 16 + 16;

std::string_view activation_name(graph::Activation activation) {
  switch (activation) {
    case graph::Activation::silu: return "silu";
    case graph::Activation::gelu_tanh: return "gelu_tanh";
    case graph::Activation::none: break;
  }
  return "";
}

// Matrices, epilogue and shape, as both templates name them. `first`: "FIRST_TILE" or "FIRST_GROUP", of `unit` rows.
Status define(KernelText& text, const MatMulSpec& spec, std::string_view first, std::uint32_t unit) {
  const std::uint32_t blocks = div_up(spec.columns, kBlockColumns);
  Defines& defines = text.defines();
  defines.set("K", spec.columns).set("KB", blocks).set("MATRICES", static_cast<std::int64_t>(spec.matrices.size()));
  defines.set("GATED", spec.gated).set("ACCUMULATORS", spec.gated ? 2 : 1).set("NORM", spec.norm);
  defines.set("RESIDUAL", spec.residual).set("INT8", spec.int8).set("ACT", activation_name(spec.activation));
  std::uint32_t begin = 0;
  for (std::uint32_t p = 0; p < spec.matrices.size(); ++p) {
    const MatrixUse& matrix = spec.matrices[p];
    WISP_CHECK(text.add_decoder(matrix.type, p, blocks));
    defines.set(fmt::format("BIAS_{}", p), matrix.bias);
    defines.set(fmt::format("{}_{}", first, p), spec.gated ? 0 : begin);
    defines.set(fmt::format("TILES_{}", p), div_up(matrix.rows, kTileRows));
    begin += div_up(matrix.rows, unit);
  }
  return {};
}

std::string label_of(std::string_view kernel, const MatMulSpec& spec) {
  std::string label(kernel);
  for (const MatrixUse& matrix : spec.matrices) {
    label += fmt::format(" {} {}x{}", decoder_name(matrix.type), matrix.rows, spec.columns);
  }
  return label + (spec.gated ? " gated" : "") + (spec.norm ? " norm" : "") + (spec.residual ? " residual" : "") +
         (spec.int8 ? " int8" : " float");
}

std::uint32_t units_of(const MatMulSpec& spec, std::uint32_t unit) {
  if (spec.gated) return div_up(spec.matrices.front().rows, unit);
  std::uint32_t units = 0;
  for (const MatrixUse& matrix : spec.matrices) units += div_up(matrix.rows, unit);
  return units;
}

std::uint32_t chunk_of(const MatMulSpec& spec, const MatVecShape& shape) {
  const std::uint32_t most = (spec.int8 ? kInt8Blocks : kFloatBlocks) / shape.rows;
  return std::min(most, align_up(div_up(spec.columns, kBlockColumns), shape.slices));
}

// Floats through which lanes sum.
std::uint32_t partials_of(const MatMulSpec& spec, const MatVecShape& shape) {
  if (!shape.subgroups) return 8 * shape.slices;
  return 2 * shape.slices * shape.rows * (spec.gated ? 2 : 1);
}

std::uint32_t matvec_bytes(const MatMulSpec& spec, const MatVecShape& shape) {
  const std::uint32_t block = spec.int8 ? kInt8BlockBytes : kFloatBlockBytes;
  return shape.rows * chunk_of(spec, shape) * block + (partials_of(spec, shape) + shape.rows) * 4;
}

}  // namespace

Result<Kernel> matvec_kernel(const MatMulSpec& spec, const MatVecShape& shape, const DeviceInfo& info) {
  KernelText text(info);
  WISP_CHECK(define(text, spec, "FIRST_TILE", kTileRows));
  text.defines().set("ROWS", shape.rows).set("SLICES", shape.slices).set("CHUNK", chunk_of(spec, shape));
  text.defines().set("SUBGROUPS", shape.subgroups).set("PARTIALS", partials_of(spec, shape));
  if (shape.subgroups) text.use_subgroups();
  const std::string label = label_of("matvec", spec) + fmt::format(" rows {} slices {}{}", shape.rows, shape.slices,
                                                                   shape.subgroups ? " subgroups" : "");
  return std::move(text).finish("matvec.wgsl", label, {8 * shape.slices, 1, 1}, matvec_bytes(spec, shape));
}

Grid matvec_grid(const MatMulSpec& spec, const MatVecShape& shape, Extent::Of rows) {
  return {Extent{.count = units_of(spec, kTileRows)}, Extent{.of = rows, .per = shape.rows}, Extent{}};
}

std::uint32_t matvec_rows(const DeviceInfo& info) { return info.type == AdapterType::software ? 2 : 8; }

std::vector<MatVecShape> matvec_shapes(const MatMulSpec& spec, std::uint32_t rows, const DeviceInfo& info) {
  const std::uint32_t blocks = div_up(spec.columns, kBlockColumns);
  std::vector<MatVecShape> shapes;
  const bool has_subgroups = info.features.subgroups && info.subgroup_min >= 4;
  for (const bool subgroups : {false, true}) {
    if (subgroups && !has_subgroups) break;
    for (const std::uint32_t slices : {8u, 16u, 32u, 4u}) {
      const MatVecShape shape = {rows, slices, subgroups};
      if (slices > 4 && slices >= 2 * blocks) continue;  // half of the lanes would have nothing to do
      if (chunk_of(spec, shape) < slices && chunk_of(spec, shape) < blocks) continue;
      if (8 * slices > info.limits.max_invocations || 8 * slices > info.limits.max_workgroup_size[0]) continue;
      if (matvec_bytes(spec, shape) > info.limits.max_workgroup_bytes) continue;
      shapes.push_back(shape);
    }
  }
  return shapes;
}

Result<Kernel> matmul_kernel(const MatMulSpec& spec, const DeviceInfo& info) {
  KernelText text(info);
  WISP_CHECK(define(text, spec, "FIRST_GROUP", kMatMulRows));
  const std::uint32_t matrices = spec.gated ? 2 : 1;
  const std::uint32_t bytes = spec.int8 ? 32 * (48 + 16) * (1 + matrices) : 288 * 16 * (1 + matrices);
  return std::move(text).finish("matmul.wgsl", label_of("matmul", spec), {64, 1, 1}, bytes);
}

Grid matmul_grid(const MatMulSpec& spec, Extent::Of rows) {
  return {Extent{.count = units_of(spec, kMatMulRows)}, Extent{.of = rows, .per = kMatMulRows}, Extent{}};
}

}  // namespace wisp::gpu
