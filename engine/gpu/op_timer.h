// How long each op takes on the device: a pass an op, with timestamps, where its time is wanted.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "gpu/device/commands.h"
#include "gpu/device/device.h"
#include "graph/executor.h"

namespace wisp::gpu {

// The passes of one step, until its timestamps have been read.
struct OpTimes {
  std::vector<int> ops;               // in the order of their passes
  std::vector<std::uint64_t> stamps;  // begin and end of each
  Ticket read = Ticket::none;
};

class OpTimer {
 public:
  using Trace = std::function<void(int op, std::uint64_t begin_ns, std::uint64_t end_ns)>;

  // Room for steps of so many ops.
  void prepare(Device& device, std::size_t ops);
  void begin_pass(int op, std::string_view label, Commands& commands, OpTimes& times) const;
  // Behind the last pass. `times` must stay where it is until `times.read` was answered.
  void read(Device& device, Commands& commands, OpTimes& times) const;
  // Adds what was read to the counters, and tells the trace.
  static void report(const DeviceInfo& info, const OpTimes& times, std::span<graph::OpCounter> counters,
                     const Trace& trace);

 private:
  QuerySetId queries_ = QuerySetId::none;
  BufferId resolved_ = BufferId::none;
  std::size_t ops_ = 0;
};

}  // namespace wisp::gpu
