// What a backend does: hold weights and KV bytes, and run plans. cpu/ and gpu/ implement it; graph/scalar_executor.h is
// the reference. A backend knows blocks by number; whose they are is kv/'s business.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "gguf/reader.h"
#include "graph/plan.h"
#include "graph/weight_stream.h"

namespace wisp::graph {

// Copy a whole KV block (all layers of the group) before the step.
struct BlockCopy {
  int group;
  std::int32_t from, to;
};

// Everything that changes from step to step. Spans are owned by the caller for the duration of the call.
struct StepInputs {
  // [rows] ids, checked against the vocabulary by the caller; on a backend that samples, -1 - slot takes the token that
  // was sampled last into a slot (async_executor.h).
  std::span<const std::int32_t> tokens;
  std::span<const std::int32_t> positions;   // [rows]
  std::span<const std::int32_t> sequences;   // [rows] index of the row's sequence in `tables`
  std::span<const std::int32_t> logit_rows;  // [n] ascending row indices that want logits
  // [groups][sequences]: block number per block index of the sequence (position / kKvBlock); negative where the block
  // has left the window. Covers every position that a row of this step writes or may see.
  std::span<const std::span<const std::int32_t>> tables;
  std::uint32_t n_sequences = 0;
  std::span<const BlockCopy> copies;
};

struct MemoryUse {
  std::string owner;  // "weights", "kv", "activations", "scratch"
  std::uint64_t bytes = 0;
};

// Time and work of one op of the graph, summed over the steps of all its plans; times are 0 unless profiling is on.
struct OpCounter {
  std::uint64_t calls = 0;
  std::uint64_t rows = 0;
  std::uint64_t nanoseconds = 0;
};

// What it took to get ready on a device, all losses together.
struct StartCost {
  std::uint32_t kernels = 0;        // compiled
  std::uint32_t known_kernels = 0;  // of them so many were known from an earlier run, and compiled while weights loaded
  std::uint64_t compile_ns = 0;     // while at least one was being compiled
  std::uint64_t tuning_ns = 0;
};

class AsyncExecutor;

class Executor {
 public:
  virtual ~Executor() = default;
  [[nodiscard]] virtual std::string describe() const = 0;  // "cpu avx512-vnni, 2 threads"

  // Makes room for what the graph uses. Once. Graph and file must outlive the executor (tables may be read in place,
  // and a device that was lost is filled again).
  virtual Status begin_load(const Graph& graph, const gguf::File& file) = 0;
  // Brings the next weights from the file into the backend's layout, about kChunkBytes of them. Never waits. A device
  // that is lost meanwhile is no error: the next one is filled from the start.
  virtual Result<LoadState> load_more() = 0;
  // How far that is; nullptr where there is no device to load to.
  [[nodiscard]] virtual const WeightStream* weight_stream() const = 0;
  // All of it at once, where the backend can be waited for and the source has everything.
  Status load_weights(const Graph& graph, const gguf::File& file);

  // How many of `wanted` bytes allocate_kv() can have, asked after begin_load(): what a device really gives, tried out,
  // with a tenth of it left free. Nothing while that is being found out: ask again once the device has moved on. Memory
  // of the system is the caller's to judge.
  [[nodiscard]] virtual std::optional<std::uint64_t> kv_room(std::uint64_t wanted) { return wanted; }

  // Room for `blocks[g]` KV blocks per group. Called once, after begin_load(), before the first prepare().
  virtual Status allocate_kv(const KvLayout& layout, KvType type, std::span<const std::uint32_t> blocks) = 0;

  // Makes room for the plan's arena and scratch, once per plan; execute() then allocates nothing.
  virtual Status prepare(const Plan& plan) = 0;

  // Runs one step and waits for it. The logits [logit_rows, vocabulary] stay valid until the next call.
  virtual Result<std::span<const float>> execute(const Plan& plan, const StepInputs& step) = 0;

  // Whether a row's logits are the same bits whatever else is in its step.
  [[nodiscard]] virtual bool rows_independent() const { return true; }

  // Blocks of keys and values to and from the host, in the form of kv_block.h, between steps. Only the first
  // `positions` of a block are read, zeros behind them. A backend that cannot says so.
  [[nodiscard]] virtual bool moves_kv() const { return false; }
  virtual Status read_kv(int /*group*/, std::int32_t /*block*/, std::uint32_t /*positions*/,
                         std::span<std::byte> /*bytes*/) {
    return fail(Code::unsupported, "{} does not give its keys and values", describe());
  }
  virtual Status write_kv(int /*group*/, std::int32_t /*block*/, std::span<const std::byte> /*bytes*/) {
    return fail(Code::unsupported, "{} does not take keys and values", describe());
  }

  // Where time is spent. `trace` (if set) is called for each op with its index in the plan and start and end in ns.
  virtual void set_profiling(bool on, std::function<void(int op, std::uint64_t begin, std::uint64_t end)> trace) = 0;
  [[nodiscard]] virtual std::span<const OpCounter> counters() const = 0;  // by op; empty before the first plan
  [[nodiscard]] virtual std::vector<MemoryUse> memory() const = 0;

  // The most that there ever was at once on a device, whoever owned it; 0 where there is none.
  [[nodiscard]] virtual std::uint64_t peak_device_bytes() const { return 0; }

  // Kernels launched on a device so far; 0 where there is none.
  [[nodiscard]] virtual std::uint64_t dispatches() const { return 0; }

  [[nodiscard]] virtual StartCost start_cost() const { return {}; }

  // The same backend as one that works by itself (async_executor.h); nullptr where it computes in the caller's time.
  [[nodiscard]] virtual AsyncExecutor* async() { return nullptr; }
};

}  // namespace wisp::graph
