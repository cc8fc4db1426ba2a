#include "gpu/kernels/matmul_tile.h"

#include <algorithm>

#include "base/checked.h"
#include "gpu/kernels/matmul_text.h"
#include "gpu/kernels/round_rows.h"
#include "gpu/weights/plane_layout.h"

namespace wisp::gpu {
namespace {

// f16 from one row of a matrix unit's tile to the next: loads want rows at multiples of 16 bytes.
constexpr std::uint32_t kUnitPitch = 40;
constexpr std::uint32_t kUnitEdge = 64;
constexpr std::uint32_t kUnitSubgroups = 4;

std::uint32_t accumulators(const MatMulSpec& spec) { return spec.gated ? 2 : 1; }

std::uint32_t invocations(const TileShape& shape, const DeviceInfo& info) {
  return shape.units ? kUnitSubgroups * info.subgroup_max : 64;
}

// Of var<workgroup>.
std::uint32_t tile_bytes(const MatMulSpec& spec, const TileShape& shape) {
  const std::uint32_t tiles = 1 + accumulators(spec);
  if (shape.units) return shape.edge * kUnitPitch * 2 * tiles + shape.edge * shape.edge * 4;
  if (spec.int8) return shape.edge * (3 * 16 + 16) * tiles;
  return shape.edge * 9 * (shape.halves ? 8 : 16) * tiles;
}

// Of one size, so that lanes can be counted by it, and matrices that a square of 32 is made of.
bool has_units(const DeviceInfo& info) {
  const MatrixUnit& unit = info.matrix_unit;
  const auto divides = [](std::uint32_t size) { return size >= 8 && 32 % size == 0; };
  return info.features.subgroup_matrix && info.features.shader_f16 && info.features.subgroups &&
         info.subgroup_min == info.subgroup_max && info.subgroup_max >= 8 && info.subgroup_max <= 64 &&
         divides(unit.m) && divides(unit.n) && divides(unit.k);
}

bool runs(const MatMulSpec& spec, const TileShape& shape, const DeviceInfo& info) {
  // 64 rows of each, twice: more sums than a lane has registers.
  if (shape.edge > 32 && spec.gated && !shape.units) return false;
  return tile_bytes(spec, shape) <= info.limits.max_workgroup_bytes &&
         invocations(shape, info) <= info.limits.max_invocations;
}

std::string label_of(const MatMulSpec& spec, const TileShape& shape) {
  std::string label = label_of("matmul", spec) + fmt::format(" edge {}", shape.edge);
  if (shape.units) return label + " matrix units";
  return label + (shape.halves ? " f16" : shape.rounded ? " rounded before" : "");
}

}  // namespace

bool fits_halves(const MatMulSpec& spec) {
  return std::ranges::none_of(spec.matrices, [](const MatrixUse& matrix) {
    return matrix.type == gguf::TensorType::f32 || matrix.type == gguf::TensorType::bf16;
  });
}

std::vector<TileShape> tile_shapes(const MatMulSpec& spec, bool halves, const DeviceInfo& info) {
  std::vector<TileShape> shapes = {{.edge = 32}};
  const auto add = [&](const TileShape& shape) {
    if (runs(spec, shape, info)) shapes.push_back(shape);
  };
  if (spec.int8) {
    add({.edge = 32, .rounded = true});
    add({.edge = 64, .rounded = true});
    return shapes;
  }
  add({.edge = 64});
  if (!halves || !fits_halves(spec)) return shapes;
  if (info.features.shader_f16) {
    add({.edge = 32, .rounded = true, .halves = true});
    add({.edge = 64, .rounded = true, .halves = true});
  }
  if (has_units(info)) add({.edge = kUnitEdge, .rounded = true, .halves = true, .units = true});
  return shapes;
}

Result<Kernel> matmul_kernel(const MatMulSpec& spec, const TileShape& shape, const DeviceInfo& info) {
  if (spec.norm || (shape.halves && (spec.int8 || !shape.rounded))) {
    return fail(Code::internal, "tiles take x behind its norm, and rounded before where they hold halves");
  }
  KernelText text(info);
  const std::uint32_t blocks = div_up(spec.columns, kBlockColumns);
  WISP_CHECK(define_matrices(text, spec, fmt::format("{}u", blocks)));
  text.defines()
      .set("K", spec.columns)
      .set("KB", blocks)
      .set("EDGE", shape.edge)
      .set("UNIT", shape.edge)
      .set("SIDE", shape.edge / 8);
  text.defines().set("ROUNDED", shape.rounded).set("NUMBER", shape.halves ? "f16" : "f32");
  define_rounded(text.defines(), spec.columns, shape.halves);
  for (std::uint32_t p = 0; p < spec.matrices.size(); ++p) {
    text.defines().set(fmt::format("FIRST_{}", p), fmt::format("{}u", first_unit_of(spec, p, shape.edge)));
    text.defines().set(fmt::format("TILES_{}", p), div_up(spec.matrices[p].rows, kTileRows));
  }
  if (shape.halves) text.use_f16();
  if (shape.units) {
    text.use_matrix_units();
    text.defines()
        .set("UNIT_M", info.matrix_unit.m)
        .set("UNIT_N", info.matrix_unit.n)
        .set("UNIT_K", info.matrix_unit.k);
    text.defines().set("LANES", info.subgroup_max).set("PITCH", kUnitPitch);
  }
  return std::move(text).finish(shape.units ? "matmul_units.wgsl" : "matmul.wgsl", label_of(spec, shape),
                                {invocations(shape, info), 1, 1}, tile_bytes(spec, shape));
}

Grid matmul_grid(const MatMulSpec& spec, const TileShape& shape, Extent::Of rows) {
  return {Extent{.count = units_of(spec, shape.edge)}, Extent{.of = rows, .per = shape.edge}, Extent{}};
}

}  // namespace wisp::gpu
