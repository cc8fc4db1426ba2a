#include "gpu/trial_allocation.h"

#include <algorithm>

namespace wisp::gpu {
namespace {

constexpr std::uint64_t kPiece = std::uint64_t{1} << 30;  // as large as slabs are (slabs.cpp)
// Less is not worth asking for: no text of any use fits.
constexpr std::uint64_t kLeast = std::uint64_t{1} << 20;

}  // namespace

void TrialAllocation::ask() {
  Commands commands;
  scope_ = device_.new_ticket();
  commands.push_error_scope(true);
  const std::uint64_t piece = std::min(kPiece, device_.info().limits.max_buffer_bytes);
  for (std::uint64_t done = 0; done < asked_; done += piece) {
    buffers_.push_back(device_.new_buffer());
    commands.try_buffer(buffers_.back(), kStorage, std::max<std::uint64_t>(std::min(piece, asked_ - done) & ~3ull, 4),
                        "wisp trial of memory");
  }
  commands.pop_error_scope(scope_);
  device_.run(commands);
}

std::optional<std::uint64_t> TrialAllocation::poll() {
  const std::optional<Event> verdict = device_.take(scope_);
  if (!verdict) return std::nullopt;
  Commands commands;
  for (const BufferId buffer : buffers_) commands.destroy_buffer(buffer);
  device_.run(commands);
  buffers_.clear();
  scope_ = Ticket::none;
  if (verdict->ok) return asked_;
  if (asked_ < 2 * kLeast) return 0;
  asked_ /= 2;
  ask();
  return std::nullopt;
}

}  // namespace wisp::gpu
