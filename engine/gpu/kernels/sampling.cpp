#include "gpu/kernels/sampling.h"

#include "base/checked.h"
#include "gpu/kernels/text.h"

namespace wisp::gpu {
namespace {

constexpr std::uint32_t kLanes = 256;

}  // namespace

Result<Kernel> argmax_parts_kernel(const DeviceInfo& info) {
  KernelText text(info);
  text.defines().set("LANES", kLanes).set("PART", kArgmaxPart).set("SAMPLE_WORDS", kSampleWords);
  return std::move(text).finish("argmax_parts.wgsl", "argmax parts", {kLanes, 1, 1}, 8 * kLanes);
}

Grid argmax_parts_grid(std::uint32_t vocabulary) {
  return {Extent{.count = div_up(vocabulary, kArgmaxPart)}, Extent{.of = Extent::Of::samples}, Extent{}};
}

Result<Kernel> argmax_join_kernel(const DeviceInfo& info) {
  KernelText text(info);
  text.defines()
      .set("LANES", kLanes)
      .set("SAMPLE_WORDS", kSampleWords)
      .set("SAMPLED", text.add_binding(BindingKind::storage_read_write))
      .set("RESULTS", text.add_binding(BindingKind::storage_read_write));
  return std::move(text).finish("argmax_join.wgsl", "argmax join", {kLanes, 1, 1}, 8 * kLanes);
}

Grid argmax_join_grid() { return {Extent{.of = Extent::Of::samples}, Extent{}, Extent{}}; }

}  // namespace wisp::gpu
