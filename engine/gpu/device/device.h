// The seam between wisp and WebGPU. A Device executes command streams (commands.h); everything that takes time comes
// back as an event under a ticket. Two implementations execute the same streams: native_device.h over webgpu.h, and
// web/gpu/ in JavaScript behind one wasm import. No call waits but wait(), which a page does not have.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace wisp::gpu {

class Commands;

// Names of things on the device, given out by Device and never used again. 0 is nothing.
enum class BufferId : std::uint32_t { none = 0 };
enum class LayoutId : std::uint32_t { none = 0 };  // of a bind group
enum class PipelineId : std::uint32_t { none = 0 };
enum class BindGroupId : std::uint32_t { none = 0 };
enum class QuerySetId : std::uint32_t { none = 0 };  // timestamps
// What an event answers to.
enum class Ticket : std::uint32_t { none = 0 };

// The compiler behind the device: they disagree on directives (docs/architecture.md).
enum class Dialect : std::uint8_t { tint, naga };
enum class AdapterType : std::uint8_t { discrete, integrated, software, unknown };

// What may be used in WGSL or asked of a pass; already granted to the device.
struct Features {
  bool shader_f16 = false;
  bool subgroups = false;
  bool timestamps = false;
  bool packed_dot = false;       // dot4I8Packed and its relatives compile
  bool subgroup_matrix = false;  // chromium-experimental
};

// WebGPU's limits by meaning; the defaults are those that every WebGPU device has.
struct Limits {
  std::uint64_t max_buffer_bytes = std::uint64_t{256} << 20;
  std::uint64_t max_binding_bytes = std::uint64_t{128} << 20;
  std::uint32_t max_storage_buffers = 8;  // a stage
  std::uint32_t max_workgroup_bytes = 16384;
  std::uint32_t max_invocations = 256;  // a workgroup
  std::array<std::uint32_t, 3> max_workgroup_size = {256, 256, 64};
  std::uint32_t max_workgroups = 65535;   // a dimension
  std::uint32_t storage_alignment = 256;  // of binding offsets
  std::uint32_t uniform_alignment = 256;
};

// What a matrix unit multiplies at once: [m, k] f16 by [k, n] f16, with sums of f32. 0: there is none.
struct MatrixUnit {
  std::uint32_t m = 0, n = 0, k = 0;
};

struct DeviceInfo {
  std::string name;     // "NVIDIA H100 80GB HBM3", "SwiftShader Device (LLVM 16)"
  std::string vendor;   // "nvidia", "google", "mesa"
  std::string driver;   // name and version, as far as told; part of the key of what is remembered
  std::string backend;  // "vulkan", "metal", "d3d12", "webgpu" in a page
  AdapterType type = AdapterType::unknown;
  Dialect dialect = Dialect::tint;
  Features features;
  Limits limits;
  std::uint32_t subgroup_min = 0, subgroup_max = 0;  // 0: not known
  MatrixUnit matrix_unit;                            // with the feature subgroup_matrix
  double timestamp_nanoseconds = 1.0;                // of one unit of a resolved timestamp

  [[nodiscard]] std::uint64_t nanoseconds(std::uint64_t units) const {
    return static_cast<std::uint64_t>(static_cast<double>(units) * timestamp_nanoseconds);
  }
};

struct Event {
  enum class Kind : std::uint8_t {
    pipeline,     // compiled, or not: `ok` and the compiler's message
    read,         // bytes of a read arrived at their host address
    done,         // all work of a stream is finished
    error_scope,  // ok: nothing went wrong inside; out_of_memory: an allocation was refused
  };
  Kind kind = Kind::done;
  bool ok = true;
  bool out_of_memory = false;
  std::string message;
};

class Device {
 public:
  virtual ~Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  [[nodiscard]] const DeviceInfo& info() const { return info_; }

  // Executes a stream from its first word to its last, in order. Never waits. What goes wrong is an event, an
  // uncaptured error or a loss. Host memory that the stream names is read before run() returns; the target of a read
  // must live until its event.
  virtual void run(const Commands& commands) = 0;

  // Gathers the events that are there. Natively also drives the device; in a page events come by themselves.
  virtual void poll() = 0;
  // False in a page, where the caller has to return to the event loop instead.
  [[nodiscard]] virtual bool can_wait() const = 0;
  // Blocks until the event of `ticket` is there (true) or the device is lost (false). Only where can_wait().
  virtual bool wait(Ticket ticket) = 0;

  // Takes the event of a ticket, if it has come.
  std::optional<Event> take(Ticket ticket);
  [[nodiscard]] bool has(Ticket ticket) const { return events_.contains(ticket); }
  // Why the device is gone; empty while it is not. A lost device executes nothing and answers nothing more.
  [[nodiscard]] const std::string& lost() const { return lost_; }
  // The first error that no scope caught since the last call; empty where there was none.
  std::string take_uncaptured_error();

  // Bytes of buffers that streams have made, and the most there ever were at once.
  [[nodiscard]] std::uint64_t buffer_bytes() const { return buffer_bytes_; }
  [[nodiscard]] std::uint64_t peak_buffer_bytes() const { return peak_buffer_bytes_; }

  // Loses the device on purpose, as a driver reset would.
  virtual void destroy() = 0;

  // Fresh names for the streams of this device.
  BufferId new_buffer() { return BufferId{++last_id_}; }
  LayoutId new_layout() { return LayoutId{++last_id_}; }
  PipelineId new_pipeline() { return PipelineId{++last_id_}; }
  BindGroupId new_bind_group() { return BindGroupId{++last_id_}; }
  QuerySetId new_query_set() { return QuerySetId{++last_id_}; }
  Ticket new_ticket() { return Ticket{++last_ticket_}; }

 protected:
  explicit Device(DeviceInfo info) : info_(std::move(info)) {}
  // For implementations, on the thread that owns the device.
  void deliver(Ticket ticket, Event event) { events_[ticket] = std::move(event); }
  void note_lost(std::string reason);
  void note_uncaptured_error(std::string message);
  void count_buffers(const Commands& commands);  // of a stream that is run

  DeviceInfo info_;

 private:
  std::uint32_t last_id_ = 0;  // counted apart: things live long and are indexed by their number
  std::uint32_t last_ticket_ = 0;
  std::unordered_map<Ticket, Event> events_;
  std::string lost_;
  std::string uncaptured_;
  std::unordered_map<BufferId, std::uint64_t> buffers_;  // bytes of each
  std::uint64_t buffer_bytes_ = 0, peak_buffer_bytes_ = 0;
};

}  // namespace wisp::gpu
