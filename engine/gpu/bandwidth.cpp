#include "gpu/bandwidth.h"

#include <algorithm>
#include <array>
#include <functional>

#include "base/checked.h"
#include "base/clock.h"
#include "gpu/device/commands.h"
#include "gpu/shader/template.h"

namespace wisp::gpu {
namespace {

constexpr std::uint64_t kBufferBytes = std::uint64_t{256} << 20;  // past every cache
constexpr int kTurns = 8;
constexpr std::size_t kSamples = 5;               // behind one for warmth
constexpr std::uint64_t kEnough = 1'000'000'000;  // ns: slow devices are measured less often

constexpr std::uint64_t kGroupBytes = 256 * 32 * 16;  // that a workgroup of read_all.wgsl reads

// Nanoseconds of what `record` adds to a stream of commands, the median; 0 where the device was lost.
std::uint64_t time_of(Device& device, const std::function<void(Commands&)>& record) {
  std::array<std::uint64_t, kSamples> samples = {};
  std::size_t taken = 0;
  std::uint64_t spent = 0;
  for (std::size_t i = 0; i <= kSamples && spent < kEnough; ++i) {
    const Ticket done = device.new_ticket();
    Commands commands;
    record(commands);
    commands.signal(done);
    const std::uint64_t begin = now_ns();
    device.run(commands);
    if (!device.wait(done)) return 0;
    static_cast<void>(device.take(done));
    const std::uint64_t elapsed = std::max<std::uint64_t>(now_ns() - begin, 1);
    spent += elapsed;
    // The first also waits for pages; it counts where there is no second.
    if (i == 0 && spent < kEnough) continue;
    samples[taken++] = elapsed;
  }
  const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(taken / 2);
  std::nth_element(samples.begin(), middle, samples.begin() + static_cast<std::ptrdiff_t>(taken));
  return *middle;
}

double rate(std::uint64_t bytes, std::uint64_t nanoseconds) {
  return nanoseconds == 0 ? 0.0 : kTurns * static_cast<double>(bytes) / (static_cast<double>(nanoseconds) * 1e-9);
}

}  // namespace

Result<double> memory_bandwidth(Device& device) {
  const Limits& limits = device.info().limits;
  WISP_TRY(const std::string_view wgsl, wgsl_file("read_all.wgsl"));
  const std::uint64_t bytes =
      std::min({kBufferBytes, limits.max_buffer_bytes, limits.max_binding_bytes}) / kGroupBytes * kGroupBytes;
  const std::array buffers = {device.new_buffer(), device.new_buffer()};
  const LayoutId layout = device.new_layout();
  const BindGroupId group = device.new_bind_group();
  const PipelineId reader = device.new_pipeline();
  const Ticket compiled = device.new_ticket();
  Commands commands;
  for (const BufferId buffer : buffers) commands.create_buffer(buffer, kStorage, bytes, "wisp bandwidth");
  commands.create_layout(layout, std::array{BindingKind::storage_read, BindingKind::storage_read_write}, "wisp reader");
  commands.create_bind_group(group, layout, std::array{Binding{buffers[0], 0, bytes}, Binding{buffers[1], 0, 256}},
                             "wisp reader");
  commands.create_pipeline(reader, compiled, wgsl, std::array{layout}, "wisp reader");
  device.run(commands);

  const std::uint64_t copied = time_of(device, [&](Commands& stream) {
    for (std::size_t turn = 0; turn < kTurns; ++turn) {
      stream.copy_buffer(buffers[turn % 2], 0, buffers[1 - turn % 2], 0, bytes);
    }
  });
  std::uint64_t read = 0;
  if (device.wait(compiled) && device.take(compiled)->ok) {
    read = time_of(device, [&](Commands& stream) {
      stream.begin_pass("wisp reader");
      stream.set_pipeline(reader);
      stream.set_bind_group(0, group);
      for (int turn = 0; turn < kTurns; ++turn) stream.dispatch(static_cast<std::uint32_t>(bytes / kGroupBytes));
      stream.end_pass();
    });
  }

  commands.clear();
  commands.destroy_pipeline(reader);
  commands.destroy_bind_group(group);
  for (const BufferId buffer : buffers) commands.destroy_buffer(buffer);
  device.run(commands);
  if (!device.lost().empty()) return fail(Code::device, "the device was lost: {}", device.lost());
  if (const std::string error = device.take_uncaptured_error(); !error.empty()) {
    return fail(Code::device, "{} has no two buffers of {}: {}", device.info().name, format_bytes(bytes), error);
  }
  return std::max(rate(2 * bytes, copied), rate(bytes, read));
}

}  // namespace wisp::gpu
