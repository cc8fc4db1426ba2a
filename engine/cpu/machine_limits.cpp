#include "cpu/machine_limits.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <vector>

#include "base/clock.h"
#include "base/memory.h"
#include "cpu/repack.h"

namespace wisp::cpu {
namespace {

constexpr int kRepeats = 7;

template <class Work>
double median_seconds(const Work& work) {
  std::array<std::uint64_t, kRepeats> times{};
  work();  // warm-up: pages, caches, clock frequency
  for (std::uint64_t& time : times) {
    const std::uint64_t begin = now_ns();
    work();
    time = now_ns() - begin;
  }
  std::ranges::sort(times);
  return std::max(1e-9, static_cast<double>(times[kRepeats / 2]) * 1e-9);
}

// Eight sums, so that no addition waits for the one before.
std::uint64_t sum_words(std::span<const std::uint64_t> words) {
  std::array<std::uint64_t, 8> sums{};
  for (std::size_t i = 0; i + 8 <= words.size(); i += 8) {
    for (std::size_t lane = 0; lane < 8; ++lane) sums[lane] += words[i + lane];
  }
  std::uint64_t total = 0;
  for (const std::uint64_t sum : sums) total += sum;
  return total;
}

Result<double> measure_read_bandwidth(ThreadPool& pool) {
  // Last-level caches of servers reach hundreds of megabytes, of which a few cores use a part.
  constexpr std::uint64_t kLargest = 512u << 20, kSmallest = 16u << 20;
  constexpr std::uint64_t kTile = 1u << 20;
  Result<Buffer> buffer = Buffer::allocate(kLargest, "measuring memory");
  for (std::uint64_t bytes = kLargest / 2; !buffer && bytes >= kSmallest; bytes /= 2) {
    buffer = Buffer::allocate(bytes, "measuring memory");
  }
  if (!buffer) return std::unexpected(buffer.error());
  const std::span<std::uint64_t> words = buffer->as<std::uint64_t>();
  const std::size_t tile_words = kTile / sizeof(std::uint64_t);
  const auto tiles = static_cast<std::int64_t>(words.size() / tile_words);
  const auto tile = [&](std::int64_t index) {
    return words.subspan(static_cast<std::size_t>(index) * tile_words, tile_words);
  };
  // Pages that were never written all read the same zero page.
  pool.parallel_for(tiles, [&](std::int64_t index, int) { std::ranges::fill(tile(index), 1u); });
  std::atomic<std::uint64_t> total = 0;  // keeps the sums from being optimised away
  const double seconds = median_seconds([&] {
    pool.parallel_for(
        tiles, [&](std::int64_t index, int) { total.fetch_add(sum_words(tile(index)), std::memory_order_relaxed); });
  });
  if (total.load() == 0) return fail(Code::internal, "the memory that was just written reads as zero");
  return static_cast<double>(words.size_bytes()) / seconds;
}

// One panel times 16 rows: 8 KiB of weights and 16 KiB of activations stay in any L1.
Result<double> measure_int8(ThreadPool& pool, const Kernels& kernels) {
  constexpr std::uint32_t kColumns = 512, kRows = 16;
  constexpr int kCallsPerTask = 400, kTasksPerThread = 4;
  constexpr std::size_t kBlocks = kColumns / kBlockColumns;
  struct Thread {
    Buffer matrix, activations, out, scratch;
  };
  const std::size_t quant_bytes = panel_quant_bytes(PanelFormat::q8_0, kColumns);
  std::vector<Thread> threads(static_cast<std::size_t>(pool.threads()));
  for (Thread& thread : threads) {
    WISP_TRY(thread.matrix, Buffer::allocate(quant_bytes + panel_scale_bytes(PanelFormat::q8_0, kColumns), "a panel"));
    WISP_TRY(thread.activations, Buffer::allocate(kRows * kBlocks * sizeof(ActivationBlock), "activations"));
    WISP_TRY(thread.out, Buffer::allocate(kRows * kPanelRows * sizeof(float), "results"));
    WISP_TRY(thread.scratch, Buffer::allocate(kColumns * kScratchBytesPerColumn, "scratch"));
  }
  const int tasks = pool.threads() * kTasksPerThread;
  const double seconds = median_seconds([&] {
    pool.parallel_for(tasks, [&](std::int64_t, int worker) {
      const Thread& own = threads[static_cast<std::size_t>(worker)];
      MatMulArgs args{};
      args.matrix.quants = reinterpret_cast<const std::uint8_t*>(own.matrix.data());
      args.matrix.scales = args.matrix.quants + quant_bytes;
      args.matrix.quant_stride = quant_bytes;
      args.matrix.scale_stride = panel_scale_bytes(PanelFormat::q8_0, kColumns);
      args.matrix.rows = kPanelRows;
      args.matrix.columns = kColumns;
      args.matrix.format = PanelFormat::q8_0;
      args.first_panel = 0;
      args.last_panel = 1;
      args.rows = kRows;
      args.int8_rows = reinterpret_cast<const ActivationBlock*>(own.activations.data());
      args.out = reinterpret_cast<float*>(own.out.data());
      args.out_stride = kPanelRows;
      args.scratch = reinterpret_cast<std::uint8_t*>(own.scratch.data());
      for (int call = 0; call < kCallsPerTask; ++call) kernels.matmul(args);
    });
  });
  return 2.0 * kColumns * kPanelRows * kRows * kCallsPerTask * tasks / seconds;
}

}  // namespace

Result<MachineLimits> measure_machine(ThreadPool& pool, const Kernels& kernels) {
  MachineLimits limits{.threads = pool.threads()};
  WISP_TRY(limits.read_bytes_per_second, measure_read_bandwidth(pool));
  WISP_TRY(limits.int8_ops_per_second, measure_int8(pool, kernels));
  return limits;
}

}  // namespace wisp::cpu
