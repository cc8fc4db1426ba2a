// Stands in for the native device in a build that had no webgpu.h.
#include "gpu/native/native_device.h"

namespace wisp::gpu {
namespace {

std::unexpected<Error> absent() {
  return fail(Code::device, "this build has no WebGPU: run ./dev setup gpu, then ./dev build");
}

}  // namespace

Result<std::vector<DeviceInfo>> list_adapters() { return absent(); }
Result<std::unique_ptr<Device>> make_native_device(const NativeOptions&) { return absent(); }

}  // namespace wisp::gpu
