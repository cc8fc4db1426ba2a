#include "gpu/kernels/matmul_id.h"

#include "base/checked.h"
#include "gpu/kernels/text.h"
#include "gpu/weights/plane_layout.h"

namespace wisp::gpu {

Result<Kernel> matmul_id_kernel(const MatMulIdSpec& spec, const DeviceInfo& info) {
  const MatMulSpec& product = spec.product;
  if (product.norm || product.residual || product.matrices.size() != (product.gated ? 2 : 1)) {
    return fail(Code::internal, "a product with experts has one stack, or two that are gated, and no norm or residual");
  }
  KernelText text(info);
  const MatVecShape shape = {1, spec.slices};
  WISP_CHECK(define_matvec(text, product, shape));
  text.defines().set("USED", spec.used);
  std::string label = fmt::format("matmul id {} of", spec.used);
  for (std::uint32_t p = 0; p < product.matrices.size(); ++p) {
    const MatrixUse& matrix = product.matrices[p];
    text.defines().set(fmt::format("TILE_{}", p),
                       fmt::format("group.x + expert * {}u", div_up(matrix.rows, kTileRows)));
    label += fmt::format(" {} {}x{}", decoder_name(matrix.type), matrix.rows, product.columns);
  }
  label += fmt::format("{} slices {}", product.int8 ? " int8" : " float", spec.slices);
  return std::move(text).finish("matmul_id.wgsl", std::move(label), {8 * spec.slices, 1, 1},
                                matvec_bytes(product, shape) + 4);
}

Grid matmul_id_grid(const MatMulIdSpec& spec, Extent::Of rows) {
  return {Extent{.count = div_up(spec.product.matrices.front().rows, kTileRows)}, Extent{.of = rows},
          Extent{.count = spec.used}};
}

}  // namespace wisp::gpu
