// How much memory a device really gives: WebGPU tells no sizes, so it is asked for and given back. Half as much each
// time it refuses.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "gpu/device/commands.h"
#include "gpu/device/device.h"

namespace wisp::gpu {

class TrialAllocation {
 public:
  // Asks for `bytes` first, in pieces that a buffer may have.
  TrialAllocation(Device& device, std::uint64_t bytes) : device_(device), asked_(bytes) { ask(); }

  // The bytes that were given, once the device has answered; 0 where it refuses even the least.
  std::optional<std::uint64_t> poll();
  [[nodiscard]] Ticket waits_for() const { return scope_; }

 private:
  void ask();

  Device& device_;
  std::uint64_t asked_;
  std::vector<BufferId> buffers_;
  Ticket scope_ = Ticket::none;
};

}  // namespace wisp::gpu
