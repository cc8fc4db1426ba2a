// A Device over webgpu.h: Vulkan, Metal or Direct3D 12, through a library that is loaded at run time (library.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "gpu/device/device.h"

namespace wisp::gpu {

struct NativeOptions {
  // Which adapter: part of its name, vendor or driver, whatever the case; empty: the first discrete one, else the first
  // integrated one, else what there is.
  std::string adapter;
  // Lowered limits and features to do without, for tests: what is not granted to the device cannot be used by accident.
  std::uint64_t max_binding_bytes = 0;    // 0: the adapter's
  std::uint32_t max_workgroup_bytes = 0;  // 0: the adapter's
  bool no_f16 = false;
  bool no_subgroups = false;
  bool no_packed_dot = false;
  bool no_timestamps = false;
};

// Every adapter of this machine, in the library's order. Code::device when there is no library.
Result<std::vector<DeviceInfo>> list_adapters();

// Code::device, with the adapters that there are, when none fits.
Result<std::unique_ptr<Device>> make_native_device(const NativeOptions& options);

}  // namespace wisp::gpu
