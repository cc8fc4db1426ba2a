#include "gpu/kernels/matmul_text.h"

#include "base/checked.h"
#include "gpu/weights/plane_layout.h"

namespace wisp::gpu {
namespace {

std::string_view activation_name(graph::Activation activation) {
  switch (activation) {
    case graph::Activation::silu: return "silu";
    case graph::Activation::gelu_tanh: return "gelu_tanh";
    case graph::Activation::none: break;
  }
  return "";
}

}  // namespace

Status define_matrices(KernelText& text, const MatMulSpec& spec, std::string_view blocks) {
  Defines& defines = text.defines();
  defines.set("MATRICES", static_cast<std::int64_t>(spec.matrices.size()));
  defines.set("GATED", spec.gated).set("ACCUMULATORS", spec.gated ? 2 : 1).set("NORM", spec.norm);
  defines.set("RESIDUAL", spec.residual).set("INT8", spec.int8).set("ACT", activation_name(spec.activation));
  for (std::uint32_t p = 0; p < spec.matrices.size(); ++p) {
    WISP_CHECK(text.add_decoder(spec.matrices[p].type, p, blocks));
    defines.set(fmt::format("BIAS_{}", p), spec.matrices[p].bias);
  }
  return {};
}

std::uint32_t units_of(const MatMulSpec& spec, std::uint32_t unit) {
  if (spec.gated) return div_up(spec.matrices.front().rows, unit);
  std::uint32_t units = 0;
  for (const MatrixUse& matrix : spec.matrices) units += div_up(matrix.rows, unit);
  return units;
}

std::uint32_t first_unit_of(const MatMulSpec& spec, std::uint32_t p, std::uint32_t unit) {
  std::uint32_t first = 0;
  for (std::uint32_t i = 0; i < p && !spec.gated; ++i) first += div_up(spec.matrices[i].rows, unit);
  return first;
}

std::string label_of(std::string_view kernel, const MatMulSpec& spec) {
  std::string label(kernel);
  for (const MatrixUse& matrix : spec.matrices) {
    label += fmt::format(" {} {}x{}", decoder_name(matrix.type), matrix.rows, spec.columns);
  }
  return label + (spec.gated ? " gated" : "") + (spec.norm ? " norm" : "") + (spec.residual ? " residual" : "") +
         (spec.int8 ? " int8" : " float");
}

}  // namespace wisp::gpu
