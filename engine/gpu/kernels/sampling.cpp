#include "gpu/kernels/sampling.h"

#include "base/checked.h"
#include "gpu/kernels/text.h"
#include "gpu/slot_ring.h"

namespace wisp::gpu {
namespace {

constexpr std::uint32_t kLanes = 256;
static_assert(kMostTopK == kLanes);

KernelText text_for(const DeviceInfo& info) {
  KernelText text(info);
  text.defines().set("LANES", kLanes).set("PART", kArgmaxPart).set("SAMPLE_WORDS", kSampleWords);
  return text;
}

// One that writes tokens.
Result<Kernel> choosing_kernel(std::string_view file, std::string label, std::uint32_t workgroup_words,
                               const DeviceInfo& info) {
  KernelText text = text_for(info);
  text.defines()
      .set("SAMPLED", text.add_binding(BindingKind::storage_read_write))
      .set("RESULTS", text.add_binding(BindingKind::storage_read_write));
  return std::move(text).finish(file, std::move(label), {kLanes, 1, 1}, 4 * workgroup_words);
}

}  // namespace

Result<Kernel> adjust_kernel(const DeviceInfo& info) {
  KernelText text = text_for(info);
  text.defines().set("SAMPLED", text.add_binding(BindingKind::storage_read)).set("DEPTH", kSlotDepth);
  return std::move(text).finish("sample_adjust.wgsl", "bias and penalties", {kLanes, 1, 1}, 0);
}
Grid adjust_grid() { return sample_grid(); }

Result<Kernel> mask_kernel(const DeviceInfo& info) {
  return text_for(info).finish("sample_mask.wgsl", "mask of logits", {kLanes, 1, 1}, 0);
}
Grid mask_grid(std::uint32_t vocabulary) { return argmax_parts_grid(vocabulary); }

Result<Kernel> argmax_parts_kernel(const DeviceInfo& info) {
  return text_for(info).finish("argmax_parts.wgsl", "argmax parts", {kLanes, 1, 1}, 8 * kLanes);
}
Grid argmax_parts_grid(std::uint32_t vocabulary) {
  return {Extent{.count = div_up(vocabulary, kArgmaxPart)}, Extent{.of = Extent::Of::samples}, Extent{}};
}

Result<Kernel> argmax_join_kernel(const DeviceInfo& info) {
  return choosing_kernel("argmax_join.wgsl", "argmax join", 2 * kLanes, info);
}
Result<Kernel> draw_top_kernel(const DeviceInfo& info) {
  return choosing_kernel("draw_top.wgsl", "draw of the top", 4 * kLanes + 4, info);
}
Result<Kernel> draw_all_kernel(const DeviceInfo& info) {
  return choosing_kernel("draw_all.wgsl", "draw of all", kLanes + 2, info);
}
Grid sample_grid() { return {Extent{.of = Extent::Of::samples}, Extent{}, Extent{}}; }

}  // namespace wisp::gpu
