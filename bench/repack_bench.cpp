// Megabytes of a file that become the layouts of the CPU's and the GPU's kernels in a second, on one core.
//   repack_bench [--benchmark_... options]
#include <benchmark/benchmark.h>

#include <array>
#include <string>
#include <vector>

#include "base/checked.h"
#include "cpu/repack.h"
#include "gpu/weights/plane_layout.h"
#include "gpu/weights/repack.h"
#include "quant/random_blocks.h"

namespace {

using wisp::gguf::TensorType;

constexpr std::uint32_t kRows = 512, kColumns = 4096;
constexpr std::array kTypes = {TensorType::q4_0, TensorType::q4_1, TensorType::q5_0, TensorType::q5_1,
                               TensorType::q8_0, TensorType::q2_k, TensorType::q3_k, TensorType::q4_k,
                               TensorType::q5_k, TensorType::q6_k, TensorType::f16,  TensorType::f32};

std::vector<std::byte> rows_of(TensorType type) {
  const wisp::gguf::TensorTypeInfo& info = wisp::gguf::tensor_type_info(type);
  std::vector<std::byte> bytes(std::size_t{kColumns} / info.block_elements * info.block_bytes * kRows);
  wisp::quant::Random random(1);
  wisp::quant::random_blocks(type, 1.0f, random, bytes);
  return bytes;
}

void count_bytes(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * bytes));
}

void for_cpu(benchmark::State& state, TensorType type) {
  const std::vector<std::byte> bytes = rows_of(type);
  const wisp::cpu::PanelFormat format = *wisp::cpu::panel_format(type);
  const std::size_t row_bytes = bytes.size() / kRows;
  const std::size_t quants = wisp::cpu::panel_quant_bytes(format, kColumns);
  const std::size_t scales = wisp::cpu::panel_scale_bytes(format, kColumns);
  constexpr std::size_t kPanels = kRows / wisp::cpu::kPanelRows;
  std::vector<std::uint8_t> packed((quants + scales) * kPanels);
  for (auto _ : state) {
    for (std::size_t panel = 0; panel < kPanels; ++panel) {
      std::uint8_t* const out = packed.data() + panel * (quants + scales);
      wisp::cpu::repack_panel(format, bytes.data() + panel * wisp::cpu::kPanelRows * row_bytes, row_bytes,
                              wisp::cpu::kPanelRows, kColumns, out, out + quants);
    }
    benchmark::DoNotOptimize(packed.data());
  }
  count_bytes(state, bytes.size());
}

void for_gpu(benchmark::State& state, TensorType type) {
  const std::vector<std::byte> bytes = rows_of(type);
  const auto room = wisp::gpu::plane_bytes(type, kColumns, kRows);
  if (!room) return state.SkipWithError(room.error().message.c_str());
  std::vector<std::uint32_t> quants(room->quants / 4), scales(room->scales / 4);
  for (auto _ : state) {
    const wisp::Status status = wisp::gpu::repack(type, kColumns, kRows, bytes, quants, scales);
    if (!status) return state.SkipWithError(status.error().message.c_str());
    benchmark::DoNotOptimize(quants.data());
  }
  count_bytes(state, bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  for (const TensorType type : kTypes) {
    const std::string name(wisp::gguf::tensor_type_info(type).name);
    benchmark::RegisterBenchmark(("cpu/" + name).c_str(), [type](benchmark::State& state) { for_cpu(state, type); });
    benchmark::RegisterBenchmark(("gpu/" + name).c_str(), [type](benchmark::State& state) { for_gpu(state, type); });
  }
  benchmark::RunSpecifiedBenchmarks();
}
