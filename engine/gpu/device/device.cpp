#include "gpu/device/device.h"

#include <algorithm>
#include <utility>

#include "gpu/device/commands.h"

namespace wisp::gpu {

std::optional<Event> Device::take(Ticket ticket) {
  auto node = events_.extract(ticket);
  if (node.empty()) return std::nullopt;
  return std::move(node.mapped());
}

std::string Device::take_uncaptured_error() { return std::exchange(uncaptured_, {}); }

void Device::count_buffers(const Commands& commands) {
  for (const BufferChange& change : commands.buffer_changes()) {
    std::uint64_t& bytes = buffers_[change.buffer];
    buffer_bytes_ += change.bytes - bytes;
    bytes = change.bytes;
    if (bytes == 0) buffers_.erase(change.buffer);
    peak_buffer_bytes_ = std::max(peak_buffer_bytes_, buffer_bytes_);
  }
}

void Device::note_lost(std::string reason) {
  if (lost_.empty()) lost_ = reason.empty() ? std::string("the device was lost") : std::move(reason);
}

void Device::note_uncaptured_error(std::string message) {
  if (uncaptured_.empty()) uncaptured_ = std::move(message);
}

}  // namespace wisp::gpu
