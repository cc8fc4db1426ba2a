#include "gpu/slabs.h"

#include <algorithm>
#include <optional>

#include "base/checked.h"

namespace wisp::gpu {
namespace {

// Large enough that even a large model has few, small enough that a fragmented device memory holds them.
constexpr std::uint64_t kSlabBytes = std::uint64_t{1} << 30;

}  // namespace

Result<std::size_t> Slabs::reserve(std::uint64_t bytes) {
  const Limits& limits = device_->info().limits;
  if (bytes > limits.max_binding_bytes || bytes > limits.max_buffer_bytes) {
    return fail(Code::limit, "{}: {} bytes are past the {} that {} binds at once", label_, bytes,
                limits.max_binding_bytes, device_->info().name);
  }
  const std::uint64_t alignment = limits.storage_alignment;
  const std::uint64_t most = std::min(kSlabBytes, limits.max_buffer_bytes);
  std::uint64_t offset = slabs_.empty() ? 0 : align_up(slabs_.back().bytes, alignment);
  if (slabs_.empty() || offset + bytes > most) {
    slabs_.push_back({});
    offset = 0;
  }
  slabs_.back().bytes = offset + std::max<std::uint64_t>(align_up<std::uint64_t>(bytes, 4), 4);
  ranges_.push_back({slabs_.size() - 1, offset, bytes});
  return ranges_.size() - 1;
}

Status Slabs::allocate() {
  Commands commands;
  verdict_ = device_->new_ticket();
  commands.push_error_scope(true);
  for (Slab& slab : slabs_) {
    slab.buffer = device_->new_buffer();
    commands.create_buffer(slab.buffer, kStorage, slab.bytes, label_);
    bytes_ += slab.bytes;
  }
  commands.pop_error_scope(verdict_);
  device_->run(commands);
  if (!device_->can_wait()) return {};
  device_->wait(verdict_);
  WISP_CHECK(poll());
  return {};
}

Result<bool> Slabs::poll() {
  if (verdict_ == Ticket::none) return true;
  if (!device_->lost().empty()) return fail(Code::device, "the device was lost: {}", device_->lost());
  const std::optional<Event> verdict = device_->take(verdict_);
  if (!verdict) return false;
  verdict_ = Ticket::none;
  if (verdict->ok) return true;
  return fail(Code::out_of_memory, "{}: {} gave no {} bytes: {}", label_, device_->info().name, bytes_,
              verdict->message);
}

Binding Slabs::operator[](std::size_t range) const {
  const Range& one = ranges_[range];
  return {slabs_[one.slab].buffer, one.offset, std::max<std::uint64_t>(align_up<std::uint64_t>(one.bytes, 4), 4)};
}

}  // namespace wisp::gpu
