#include "gpu/native/staging.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace wisp::gpu {
namespace {

constexpr std::uint64_t kSmallest = 4096;

}  // namespace

Staging::~Staging() {
  for (const Idle& idle : idle_) api_.BufferRelease(idle.buffer);
  for (const Idle& lent : lent_) api_.BufferRelease(lent.buffer);
}

Staging::Read Staging::begin(Ticket ticket, std::span<std::byte> target) {
  const std::lock_guard lock(mutex_);
  // The smallest that is large enough; sizes are powers of two, so that few suffice.
  const std::uint64_t bytes = std::bit_ceil(std::max<std::uint64_t>(target.size(), kSmallest));
  auto found = std::ranges::find(idle_, bytes, &Idle::bytes);
  Idle chosen = {};
  if (found != idle_.end()) {
    chosen = *found;
    idle_.erase(found);
  } else {
    WGPUBufferDescriptor descriptor = {};
    descriptor.label = view("wisp read back");
    descriptor.usage = WGPUBufferUsage_MapRead | WGPUBufferUsage_CopyDst;
    descriptor.size = bytes;
    chosen = {api_.DeviceCreateBuffer(device_, &descriptor), bytes};
  }
  lent_.push_back(chosen);
  return {ticket, chosen.buffer, target};
}

void Staging::drop(const Read& read) {
  const std::lock_guard lock(mutex_);
  const auto lent = std::ranges::find(lent_, read.buffer, &Idle::buffer);
  idle_.push_back(*lent);
  lent_.erase(lent);
}

void Staging::map(const Read& read) {
  auto pending = std::make_unique<Pending>(Pending{this, read, read.target.size()});
  WGPUBufferMapCallbackInfo callback = {};
  callback.mode = WGPUCallbackMode_AllowSpontaneous;
  callback.callback = [](WGPUMapAsyncStatus status, WGPUStringView message, void* user, void*) {
    const std::unique_ptr<Pending> self(static_cast<Pending*>(user));
    self->staging->finish_read(*self, status == WGPUMapAsyncStatus_Success, text_of(message));
  };
  callback.userdata1 = pending.release();
  api_.BufferMapAsync(read.buffer, WGPUMapMode_Read, 0, align_size(read.target.size()), callback);
}

void Staging::finish_read(const Pending& pending, bool ok, std::string message) {
  const Read& read = pending.read;
  bool wanted;
  {
    const std::lock_guard lock(mutex_);
    wanted = !abandoned_;
  }
  if (ok && wanted) {
    const void* bytes = api_.BufferGetConstMappedRange(read.buffer, 0, align_size(read.target.size()));
    ok = bytes != nullptr;
    if (ok) std::memcpy(read.target.data(), bytes, read.target.size());
    api_.BufferUnmap(read.buffer);
  }
  drop(read);
  const std::lock_guard lock(mutex_);
  finished_.push_back({read.ticket, {Event::Kind::read, ok, false, std::move(message)}});
}

void Staging::signal(WGPUQueue queue, Ticket ticket) {
  auto pending = std::make_unique<Pending>(Pending{this, {ticket, nullptr, {}}, 0});
  WGPUQueueWorkDoneCallbackInfo callback = {};
  callback.mode = WGPUCallbackMode_AllowSpontaneous;
  callback.callback = [](WGPUQueueWorkDoneStatus status, WGPUStringView message, void* user, void*) {
    const std::unique_ptr<Pending> self(static_cast<Pending*>(user));
    const std::lock_guard lock(self->staging->mutex_);
    self->staging->finished_.push_back(
        {self->read.ticket, {Event::Kind::done, status == WGPUQueueWorkDoneStatus_Success, false, text_of(message)}});
  };
  callback.userdata1 = pending.release();
  api_.QueueOnSubmittedWorkDone(queue, callback);
}

void Staging::abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
}

std::vector<Staging::Finished> Staging::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(finished_, {});
}

}  // namespace wisp::gpu
