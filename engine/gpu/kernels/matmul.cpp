#include "gpu/kernels/matmul.h"

#include <algorithm>

#include "base/checked.h"
#include "gpu/kernels/matmul_text.h"
#include "gpu/kernels/round_rows.h"
#include "gpu/weights/plane_layout.h"

namespace wisp::gpu {
namespace {

// Blocks of 32 columns of x in workgroup memory, all rows together: at most 9.5 KiB of the 16 KiB that every device
// has.
constexpr std::uint32_t kBlocks = 64;
constexpr std::uint32_t kRoundedBlocks = 128;
// Vectors of 16 bytes a block: all of its columns, or what they are rounded to; always an odd number.
constexpr std::uint32_t kBlockVectors = 9;
constexpr std::uint32_t kRoundedVectors = 3;
constexpr std::uint32_t kBlockSumsBytes = 8;  // where x stays float

std::uint32_t most_chunk(const MatVecShape& shape) { return (shape.rounded ? kRoundedBlocks : kBlocks) / shape.rows; }

std::uint32_t chunk_of(const MatMulSpec& spec, const MatVecShape& shape) {
  return std::min(most_chunk(shape), align_up(div_up(spec.columns, kBlockColumns), shape.slices));
}

// Floats through which lanes sum.
std::uint32_t partials_of(const MatMulSpec& spec, const MatVecShape& shape) {
  if (!shape.subgroups) return 8 * shape.slices;
  return 2 * shape.slices * shape.rows * (spec.gated ? 2 : 1);
}

std::uint32_t matvec_bytes(const MatMulSpec& spec, const MatVecShape& shape, std::uint32_t chunk) {
  const std::uint32_t block =
      16 * (shape.rounded ? kRoundedVectors : kBlockVectors) + (spec.int8 ? 0 : kBlockSumsBytes);
  return shape.rows * chunk * block + (partials_of(spec, shape) + shape.rows) * 4;
}

// The names of a shape; `chunk`: blocks of x that lie in workgroup memory.
void define_shape(Defines& defines, const MatMulSpec& spec, const MatVecShape& shape, std::uint32_t chunk) {
  defines.set("ROWS", shape.rows).set("SLICES", shape.slices).set("CHUNK", chunk);
  defines.set("SUBGROUPS", shape.subgroups).set("PARTIALS", partials_of(spec, shape));
  defines.set("ROUNDED", shape.rounded).set("VECTORS", shape.rounded ? kRoundedVectors : kBlockVectors);
  if (shape.rounded) define_rounded(defines, spec.columns, false);
}

void define_first_tile(Defines& defines, std::uint32_t p, const std::string& first) {
  defines.set(fmt::format("FIRST_{}", p), first).set(fmt::format("TILE_{}", p), "group.x - " + first);
}

// Of either text.
Result<Kernel> finish_matvec(KernelText text, const MatMulSpec& spec, const MatVecShape& shape, std::uint32_t chunk,
                             std::string label) {
  define_shape(text.defines(), spec, shape, chunk);
  text.defines().set("UNIT", kTileRows);
  if (shape.subgroups) text.use_subgroups();
  label += fmt::format(" rows {} slices {}{}{}", shape.rows, shape.slices, shape.subgroups ? " subgroups" : "",
                       shape.rounded ? " rounded before" : "");
  return std::move(text).finish("matvec.wgsl", std::move(label), {8 * shape.slices, 1, 1},
                                matvec_bytes(spec, shape, chunk));
}

}  // namespace

Status define_matvec(KernelText& text, const MatMulSpec& spec, const MatVecShape& shape) {
  const std::string blocks = fmt::format("{}u", div_up(spec.columns, kBlockColumns));
  WISP_CHECK(define_matrices(text, spec, blocks));
  text.defines().set("COLUMNS", fmt::format("{}u", spec.columns)).set("BLOCKS", blocks);
  text.defines().set("WHOLE", spec.columns % kBlockColumns == 0);
  define_shape(text.defines(), spec, shape, chunk_of(spec, shape));
  return {};
}

std::uint32_t matvec_bytes(const MatMulSpec& spec, const MatVecShape& shape) {
  return matvec_bytes(spec, shape, chunk_of(spec, shape));
}

Result<Kernel> matvec_kernel(const MatMulSpec& spec, const MatVecShape& shape, const DeviceInfo& info) {
  if (shape.rounded && (spec.norm || !spec.int8)) {
    return fail(Code::internal, "what was rounded before has int8, and its norm behind it");
  }
  KernelText text(info);
  WISP_CHECK(define_matvec(text, spec, shape));
  for (std::uint32_t p = 0; p < spec.matrices.size(); ++p) {
    define_first_tile(text.defines(), p, fmt::format("{}u", first_unit_of(spec, p, kTileRows)));
  }
  return finish_matvec(std::move(text), spec, shape, chunk_of(spec, shape), label_of("matvec", spec));
}

Result<Kernel> generic_matvec_kernel(const MatMulSpec& spec, const MatVecShape& shape, const DeviceInfo& info) {
  KernelText text(info);
  WISP_CHECK(define_matrices(text, spec, "op.blocks"));
  text.defines().set("COLUMNS", "op.columns").set("BLOCKS", "op.blocks");
  // Quantised rows are of whole blocks.
  const auto quantised = [](const MatrixUse& matrix) { return !is_float_type(matrix.type); };
  text.defines().set("WHOLE", std::ranges::any_of(spec.matrices, quantised));
  std::string label = "matvec of any shape";
  for (std::uint32_t p = 0; p < spec.matrices.size(); ++p) {
    define_first_tile(text.defines(), p, spec.gated ? "0u" : fmt::format("op.first_tile[{}]", p));
    label += fmt::format(" {}", decoder_name(spec.matrices[p].type));
  }
  return finish_matvec(std::move(text), spec, shape, most_chunk(shape), std::move(label));
}

void set_shape(const MatMulSpec& spec, MatMulConstants& constants) {
  constants.columns = spec.columns;
  constants.blocks = div_up(spec.columns, kBlockColumns);
  for (std::uint32_t p = 0; p < spec.matrices.size(); ++p) constants.first_tile[p] = first_unit_of(spec, p, kTileRows);
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
      if (matvec_bytes(spec, shape, chunk_of(spec, shape)) > info.limits.max_workgroup_bytes) continue;
      shapes.push_back(shape);
    }
  }
  return shapes;
}

}  // namespace wisp::gpu
