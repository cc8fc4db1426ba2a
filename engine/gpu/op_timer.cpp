#include "gpu/op_timer.h"

#include "base/clock.h"

namespace wisp::gpu {

void OpTimer::prepare(Device& device, std::size_t ops) {
  if (ops <= ops_) return;
  Commands commands;
  if (queries_ != QuerySetId::none) {
    commands.destroy_query_set(queries_);
    commands.destroy_buffer(resolved_);
  }
  ops_ = ops;
  queries_ = device.new_query_set();
  resolved_ = device.new_buffer();
  commands.create_query_set(queries_, static_cast<std::uint32_t>(2 * ops));
  commands.create_buffer(resolved_, kQueryResolve, std::uint64_t{16} * ops, "wisp timestamps");
  device.run(commands);
}

void OpTimer::begin_pass(int op, std::string_view label, Commands& commands, OpTimes& times) const {
  commands.begin_pass(label, queries_, static_cast<std::uint32_t>(2 * times.ops.size()));
  times.ops.push_back(op);
}

void OpTimer::read(Device& device, Commands& commands, OpTimes& times) const {
  times.stamps.resize(2 * times.ops.size());
  times.read = device.new_ticket();
  commands.resolve_queries(queries_, 0, static_cast<std::uint32_t>(times.stamps.size()), resolved_, 0);
  commands.read_buffer(times.read, resolved_, 0, std::as_writable_bytes(std::span(times.stamps)));
}

void OpTimer::report(const DeviceInfo& info, const OpTimes& times, std::span<graph::OpCounter> counters,
                     const Trace& trace) {
  const std::uint64_t now = now_ns();
  const auto length = [&](std::uint64_t begin, std::uint64_t end) {
    return info.nanoseconds(end > begin ? end - begin : 0);
  };
  for (std::size_t i = 0; i < times.ops.size(); ++i) {
    const std::uint64_t begin = times.stamps[2 * i], end = times.stamps[2 * i + 1];
    counters[static_cast<std::size_t>(times.ops[i])].nanoseconds += length(begin, end);
    // The device's clock is not the host's: its last stamp is taken for now.
    if (trace) trace(times.ops[i], now - length(begin, times.stamps.back()), now - length(end, times.stamps.back()));
  }
}

}  // namespace wisp::gpu
