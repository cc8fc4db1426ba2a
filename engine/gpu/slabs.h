// A few large buffers that many things share by offset: WebGPU charges for buffers, and binds ranges of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "gpu/device/commands.h"
#include "gpu/device/device.h"

namespace wisp::gpu {

class Slabs {
 public:
  Slabs(Device& device, std::string label) : device_(&device), label_(std::move(label)) {}

  // Reserves a range that can be bound as a whole; its number. Code::limit where the device cannot bind so much.
  Result<std::size_t> reserve(std::uint64_t bytes);
  // Makes the buffers for all that was reserved. Waits for the device's verdict where it can.
  Status allocate();
  // Whether the device has given them. Code::out_of_memory says how much was asked for.
  Result<bool> poll();
  // What the next poll() waits for.
  [[nodiscard]] Ticket waits_for() const { return verdict_; }
  [[nodiscard]] Binding operator[](std::size_t range) const;
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  struct Range {
    std::size_t slab;
    std::uint64_t offset, bytes;
  };
  struct Slab {
    BufferId buffer = BufferId::none;
    std::uint64_t bytes = 0;
  };
  Device* device_;
  std::string label_;
  std::vector<Slab> slabs_;
  std::vector<Range> ranges_;
  std::uint64_t bytes_ = 0;
  Ticket verdict_ = Ticket::none;  // on the buffers; none once it is known
};

}  // namespace wisp::gpu
