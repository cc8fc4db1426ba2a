// Table rows, norms and single values on the software drivers. What embed.wgsl gives is what the planes and decoders
// hold: with quant::decode on the other side it is the round trip of every weight type.
#include "gpu/kernels/row_ops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "base/checked.h"
#include "gpu/tuner/tuning_task.h"
#include "gpu/weights/plane_layout.h"
#include "gpu/weights/repack.h"
#include "graph/scalar_ops.h"
#include "quant/block_format.h"
#include "tests/gpu_devices.h"
#include "tools/random_blocks.h"

namespace wisp::gpu {
namespace {

using gguf::TensorType;

class GpuRowOps : public testing::TestWithParam<test::GpuDriver> {
 protected:
  void SetUp() override {
    device_ = test::gpu_device(GetParam());
    if (device_ == nullptr) GTEST_SKIP() << test::no_gpu(GetParam());
  }
  Device* device_ = nullptr;
};

std::vector<std::byte> bytes_of(std::span<const std::uint32_t> words) {
  const auto bytes = std::as_bytes(words);
  return {bytes.begin(), bytes.end()};
}

TEST_P(GpuRowOps, TableRowsAreWhatTheFileHolds) {
  constexpr std::uint32_t kRows = 21;
  for (const TensorType type : {TensorType::f32, TensorType::f16, TensorType::bf16, TensorType::q4_0, TensorType::q4_1,
                                TensorType::q5_0, TensorType::q5_1, TensorType::q8_0, TensorType::q2_k,
                                TensorType::q3_k, TensorType::q4_k, TensorType::q5_k, TensorType::q6_k}) {
    const std::uint32_t columns = is_float_type(type) ? 43 : 512;
    const gguf::TensorTypeInfo& info = gguf::tensor_type_info(type);
    std::vector<std::byte> file(std::size_t{columns} / info.block_elements * info.block_bytes * kRows);
    tools::Random random(static_cast<std::uint64_t>(type) + 5);
    tools::random_blocks(type, 0.5f, random, file);
    std::vector<float> expected(std::size_t{columns} * kRows);
    ASSERT_TRUE(quant::decode(type, file, expected));

    const Result<PlaneBytes> size = plane_bytes(type, columns, kRows);
    ASSERT_TRUE(size);
    std::vector<std::uint32_t> quants(size->quants / 4), scales(size->scales / 4);
    ASSERT_TRUE(repack(type, columns, kRows, file, quants, scales));
    // The size of the file, but for the rows that fill up the last tile and a few bytes in 256 columns.
    if (!is_float_type(type)) {
      EXPECT_LE(size->quants + size->scales, file.size() / kRows * align_up(kRows, kTileRows) / 100 * 102);
    }

    test::GpuRun run;
    Result<Kernel> kernel = embed_kernel(type, columns, device_->info());
    ASSERT_TRUE(kernel) << kernel.error().message;
    run.kernel = std::move(*kernel);
    run.buffers.push_back(bytes_of(quants));
    if (!is_float_type(type)) run.buffers.push_back(bytes_of(scales));
    // Slots: the last row asked for is the token that slot 2 holds.
    run.buffers.push_back(bytes_of(std::array<std::uint32_t, 4>{0, 0, 17, 0}));
    const std::vector<std::int32_t> tokens = {0, 20, 7, 8, -3};
    run.step.assign(16, 0);
    run.step[0] = static_cast<std::uint32_t>(tokens.size());
    run.step[3] = 16;
    for (const std::int32_t token : tokens) run.step.push_back(static_cast<std::uint32_t>(token));
    run.arena.assign(columns * tokens.size(), -1.0f);
    run.op = OpConstants::of(EmbedConstants{0, 0, kRows});
    run.workgroups = {static_cast<std::uint32_t>(tokens.size()), 1, 1};
    ASSERT_TRUE(test::run_on_gpu(*device_, run));
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const std::size_t row = tokens[i] < 0 ? 17 : static_cast<std::size_t>(tokens[i]);
      const auto actual = std::span(run.arena).subspan(i * columns, columns);
      const auto wanted = std::span(expected).subspan(row * columns, columns);
      // Scale times integer plus base, in one rounding or two.
      EXPECT_LE(relative_error(actual, wanted), is_float_type(type) ? 0.0 : 2e-7)
          << info.name << ", token " << tokens[i];
    }
  }
}

TEST_P(GpuRowOps, NormsOfRowsAndHeads) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  for (const std::uint32_t group : {96u, 12u}) {
    constexpr std::uint32_t kWidth = 96, kRows = 3;
    test::GpuRun run;
    Result<Kernel> kernel = norm_kernel(kWidth, group, true, device_->info());
    ASSERT_TRUE(kernel) << kernel.error().message;
    run.kernel = std::move(*kernel);
    run.step = {kRows, 0};
    for (std::uint32_t i = 0; i < group + 3 * kWidth * kRows; ++i) run.arena.push_back(normal(random));
    NormConstants constants{.x = group, .weight = 0, .eps = 1e-6f};
    constants.residual = constants.x + kWidth * kRows;
    constants.out = constants.residual + kWidth * kRows;
    run.op = OpConstants::of(constants);
    const Grid grid = norm_grid(kWidth, group, Extent::Of::rows);
    run.workgroups = {grid[0].count, kRows, 1};
    std::vector<float> expected(kWidth * kRows);
    const std::span<const float> arena = run.arena;
    for (std::uint32_t i = 0; i < kWidth * kRows; i += group) {
      graph::scalar::rms_norm(arena.subspan(constants.x + i, group), arena.first(group), constants.eps,
                              std::span(expected).subspan(i, group));
    }
    for (std::uint32_t i = 0; i < kWidth * kRows; ++i) expected[i] += arena[constants.residual + i];
    ASSERT_TRUE(test::run_on_gpu(*device_, run));
    EXPECT_LE(relative_error(std::span(run.arena).subspan(constants.out, expected.size()), expected), 1e-6) << group;
  }
}

INSTANTIATE_TEST_SUITE_P(Software, GpuRowOps, testing::ValuesIn(test::gpu_drivers()), test::gpu_driver_name);

}  // namespace
}  // namespace wisp::gpu
