// The adapters of this machine, and what each may be asked for. Internal to native/.
#pragma once

#include <vector>

#include "gpu/native/library.h"
#include "gpu/native/native_device.h"

namespace wisp::gpu {

// One instance with its adapters; releases them.
class Adapters {
 public:
  static Result<Adapters> open();
  Adapters(Adapters&& other) noexcept;
  Adapters& operator=(Adapters&&) = delete;
  ~Adapters();

  struct Entry {
    WGPUAdapter adapter;
    DeviceInfo info;  // features and limits as the adapter has them
  };
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  // The one that `wanted` names, see NativeOptions; nullptr where none does.
  [[nodiscard]] const Entry* find(std::string_view wanted) const;
  [[nodiscard]] const WebGpu& api() const { return *api_; }

 private:
  Adapters(const WebGpu& api, WGPUInstance instance) : api_(&api), instance_(instance) {}

  const WebGpu* api_;
  WGPUInstance instance_;
  std::vector<Entry> entries_;
};

}  // namespace wisp::gpu
