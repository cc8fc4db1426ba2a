#include "gpu/kernels/row_ops.h"

#include "base/checked.h"
#include "gpu/kernels/text.h"
#include "gpu/weights/plane_layout.h"

namespace wisp::gpu {

Result<Kernel> elementwise_kernel(Elementwise function, const DeviceInfo& info) {
  constexpr std::string_view kNames[] = {"scale", "add", "mul", "add bias", "silu", "gelu", "softcap", "select rows"};
  KernelText text(info);
  text.defines().set("FUNCTION", static_cast<std::int64_t>(function));
  return std::move(text).finish("elementwise.wgsl", std::string(kNames[static_cast<std::size_t>(function)]), {64, 1, 1},
                                0);
}

Grid elementwise_grid(std::uint32_t width, Extent::Of rows) {
  return {Extent{.count = div_up(width, 64u)}, Extent{.of = rows}, Extent{}};
}

Result<Kernel> norm_kernel(std::uint32_t width, std::uint32_t group, bool residual, const DeviceInfo& info) {
  KernelText text(info);
  text.defines().set("WIDTH", width).set("GROUP", group).set("RESIDUAL", residual).set("LAYER", 0).set("BIAS", 0);
  return std::move(text).finish("norm.wgsl", fmt::format("norm {} of {}", group, width), {64, 1, 1}, 256);
}

Result<Kernel> layer_norm_kernel(std::uint32_t width, std::uint32_t group, bool bias, bool residual,
                                 const DeviceInfo& info) {
  KernelText text(info);
  text.defines().set("WIDTH", width).set("GROUP", group).set("RESIDUAL", residual).set("LAYER", 1).set("BIAS", bias);
  return std::move(text).finish("norm.wgsl", fmt::format("layer norm {} of {}", group, width), {64, 1, 1}, 256);
}

Grid norm_grid(std::uint32_t width, std::uint32_t group, Extent::Of rows) {
  return {Extent{.count = width / group}, Extent{.of = rows}, Extent{}};
}

Result<Kernel> embed_kernel(gguf::TensorType type, std::uint32_t columns, const DeviceInfo& info) {
  KernelText text(info);
  const std::uint32_t blocks = div_up(columns, kBlockColumns);
  WISP_CHECK(text.add_decoder(type, 0, blocks));
  text.defines().set("K", columns).set("KB", blocks).set("SAMPLED", text.add_binding(BindingKind::storage_read));
  return std::move(text).finish("embed.wgsl", fmt::format("embed {} {}", decoder_name(type), columns), {64, 1, 1}, 0);
}

Grid embed_grid() { return {Extent{.of = Extent::Of::rows}, Extent{}, Extent{}}; }

}  // namespace wisp::gpu
