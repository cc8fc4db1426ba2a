#include "gpu/copy_bandwidth.h"

#include <algorithm>
#include <array>

#include "base/clock.h"
#include "gpu/device/commands.h"

namespace wisp::gpu {
namespace {

constexpr std::uint64_t kBufferBytes = std::uint64_t{256} << 20;  // past every cache
constexpr int kCopies = 8;
constexpr std::size_t kSamples = 5;               // behind one for warmth
constexpr std::uint64_t kEnough = 1'000'000'000;  // ns: slow devices are measured less often

}  // namespace

Result<double> copy_bandwidth(Device& device) {
  const std::uint64_t bytes = std::min(kBufferBytes, device.info().limits.max_buffer_bytes) & ~std::uint64_t{255};
  const std::array buffers = {device.new_buffer(), device.new_buffer()};
  Commands commands;
  for (const BufferId buffer : buffers) commands.create_buffer(buffer, kStorage, bytes, "wisp copy bandwidth");
  device.run(commands);
  std::array<std::uint64_t, kSamples> samples = {};
  std::size_t taken = 0;
  std::uint64_t spent = 0;
  bool alive = true;
  for (std::size_t i = 0; i <= kSamples && alive && spent < kEnough; ++i) {
    const Ticket done = device.new_ticket();
    commands.clear();
    for (int copy = 0; copy < kCopies; ++copy) {
      commands.copy_buffer(buffers[static_cast<std::size_t>(copy % 2)], 0,
                           buffers[static_cast<std::size_t>(1 - copy % 2)], 0, bytes);
    }
    commands.signal(done);
    const std::uint64_t begin = now_ns();
    device.run(commands);
    alive = device.wait(done);
    const std::uint64_t elapsed = std::max<std::uint64_t>(now_ns() - begin, 1);
    if (alive) static_cast<void>(device.take(done));
    spent += elapsed;
    // The first also waits for pages; it counts where there is no second.
    if (i == 0 && spent < kEnough) continue;
    samples[taken++] = elapsed;
  }
  commands.clear();
  for (const BufferId buffer : buffers) commands.destroy_buffer(buffer);
  device.run(commands);
  if (!alive) return fail(Code::device, "the device was lost: {}", device.lost());
  if (const std::string error = device.take_uncaptured_error(); !error.empty()) {
    return fail(Code::device, "{} has no two buffers of {}: {}", device.info().name, format_bytes(bytes), error);
  }
  const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(taken / 2);
  std::nth_element(samples.begin(), middle, samples.begin() + static_cast<std::ptrdiff_t>(taken));
  return 2.0 * kCopies * static_cast<double>(bytes) / (static_cast<double>(*middle) * 1e-9);
}

}  // namespace wisp::gpu
