// Reading back: buffers that the host can map, used again and again, and the callbacks that say when their bytes are
// there. Callbacks may come on any thread of the library; take() hands the results to the device's own.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "gpu/device/device.h"
#include "gpu/native/library.h"

namespace wisp::gpu {

class Staging {
 public:
  struct Read {
    Ticket ticket;
    WGPUBuffer buffer;  // copy the bytes to its start
    std::span<std::byte> target;
  };
  struct Finished {
    Ticket ticket;
    Event event;
  };

  Staging(const WebGpu& api, WGPUDevice device) : api_(api), device_(device) {}
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  // A buffer of at least the target's size.
  Read begin(Ticket ticket, std::span<std::byte> target);
  // After the copy was submitted.
  void map(const Read& read);
  // Instead of map().
  void drop(const Read& read);
  // Finishes with all work submitted so far.
  void signal(WGPUQueue queue, Ticket ticket);
  std::vector<Finished> take();
  // From now on nothing is read: the device is being destroyed, and the library ends the process when a buffer of it is
  // looked at, though it says that mapping it went well.
  void abandon();

 private:
  struct Idle {
    WGPUBuffer buffer;
    std::uint64_t bytes;
  };
  // What a callback is given: outlives the call, and is freed by it.
  struct Pending {
    Staging* staging;
    Read read;
    std::uint64_t bytes;
  };
  void finish_read(const Pending& pending, bool ok, std::string message);
  // Copies and maps come in words.
  static std::size_t align_size(std::size_t bytes) { return (bytes + 3) / 4 * 4; }

  const WebGpu& api_;
  WGPUDevice device_;
  std::mutex mutex_;
  bool abandoned_ = false;
  std::vector<Idle> idle_;
  std::vector<Idle> lent_;
  std::vector<Finished> finished_;
};

}  // namespace wisp::gpu
