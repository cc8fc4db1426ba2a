// The checks of every GPU device (tests/gpu_device_checks.h) inside the WebAssembly module, driven by
// web/harness/gpu_checks.mjs: each is started on a device of its own, and polled from the page's event loop until it
// says how it ended.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/wasm_export.h"
#include "gpu/js/js_device.h"
#include "gpu/kernels/catalogue.h"
#include "tests/gpu_device_checks.h"

using wisp::gpu::JsDevice;
using wisp::test::gpu_device_checks;
using wisp::test::GpuCheck;

namespace {

struct RunningCheck {
  std::unique_ptr<JsDevice> device;
  GpuCheck check;
  std::string reason = {};
};

}  // namespace

WISP_EXPORT(check_gpu_count) std::size_t check_gpu_count() { return gpu_device_checks().size(); }
WISP_EXPORT(check_gpu_name) const char* check_gpu_name(std::size_t index) { return gpu_device_checks()[index].name; }
// What the device that it wants has to do without: bytes of a binding (0: the adapter's), and whether the features.
WISP_EXPORT(check_gpu_binding_bytes) std::uint32_t check_gpu_binding_bytes(std::size_t index) {
  return gpu_device_checks()[index].max_binding_bytes;
}
WISP_EXPORT(check_gpu_without_features) bool check_gpu_without_features(std::size_t index) {
  return gpu_device_checks()[index].without_features;
}

// Takes the device.
WISP_EXPORT(check_gpu_start) RunningCheck* check_gpu_start(std::size_t index, JsDevice* device) {
  return new RunningCheck{std::unique_ptr<JsDevice>(device), gpu_device_checks()[index].start(*device)};
}
// GpuCheck::State; check_gpu_reason() says why, zero-terminated.
WISP_EXPORT(check_gpu_poll) std::uint32_t check_gpu_poll(RunningCheck* running) {
  const GpuCheck::State state = running->check.poll();
  running->reason = running->check.reason();
  if (state != GpuCheck::State::passed) return static_cast<std::uint32_t>(state);
  running->reason = running->device->take_uncaptured_error();
  return static_cast<std::uint32_t>(running->reason.empty() ? GpuCheck::State::passed : GpuCheck::State::failed);
}
WISP_EXPORT(check_gpu_reason) const char* check_gpu_reason(RunningCheck* running) { return running->reason.c_str(); }
WISP_EXPORT(check_gpu_end) void check_gpu_end(RunningCheck* running) { delete running; }

// ---- every kernel's text, for the page's compiler ----

// The kernels for a device, which goes; nullptr where they cannot be made.
WISP_EXPORT(check_kernels_make) std::vector<wisp::gpu::Kernel>* check_kernels_make(JsDevice* device) {
  const std::unique_ptr<JsDevice> owned(device);
  auto kernels = wisp::gpu::kernel_catalogue(device->info());
  return kernels ? new std::vector<wisp::gpu::Kernel>(std::move(*kernels)) : nullptr;
}
WISP_EXPORT(check_kernels_count) std::size_t check_kernels_count(const std::vector<wisp::gpu::Kernel>* kernels) {
  return kernels->size();
}
WISP_EXPORT(check_kernel_label)
const char* check_kernel_label(const std::vector<wisp::gpu::Kernel>* kernels, std::size_t index) {
  return (*kernels)[index].label.c_str();
}
WISP_EXPORT(check_kernel_text)
const char* check_kernel_text(const std::vector<wisp::gpu::Kernel>* kernels, std::size_t index) {
  return (*kernels)[index].wgsl.c_str();
}
WISP_EXPORT(check_kernels_end) void check_kernels_end(std::vector<wisp::gpu::Kernel>* kernels) { delete kernels; }
