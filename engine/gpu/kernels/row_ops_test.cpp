// Norms on the software drivers, against the scalar arithmetic.
#include "gpu/kernels/row_ops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "gpu/tuner/tuning_task.h"
#include "graph/scalar_ops.h"
#include "tests/gpu_devices.h"

namespace wisp::gpu {
namespace {

class GpuRowOps : public testing::TestWithParam<test::GpuDriver> {
 protected:
  void SetUp() override {
    device_ = test::gpu_device(GetParam());
    if (device_ == nullptr) GTEST_SKIP() << test::no_gpu(GetParam());
  }
  Device* device_ = nullptr;
};

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

// A mean that is large beside the deviation: half the digits are gone if it is not taken off first.
TEST_P(GpuRowOps, LayerNorms) {
  std::mt19937 random(4);
  for (const bool bias : {false, true}) {
    constexpr std::uint32_t kWidth = 150, kRows = 3;
    const std::uint32_t group = bias ? kWidth : kWidth / 3;
    test::GpuRun run;
    Result<Kernel> kernel = layer_norm_kernel(kWidth, group, bias, bias, device_->info());
    ASSERT_TRUE(kernel) << kernel.error().message;
    run.kernel = std::move(*kernel);
    run.step = {kRows, 0};
    std::normal_distribution<float> normal(50.0f, 1.0f);
    run.arena.resize(2 * group + 3 * kWidth * kRows);
    std::ranges::generate(run.arena, [&] { return normal(random); });
    NormConstants constants{.x = 2 * group, .weight = 0, .eps = 1e-5f, .bias = group};
    constants.residual = constants.x + kWidth * kRows;
    constants.out = constants.residual + kWidth * kRows;
    run.op = OpConstants::of(constants);
    const Grid grid = norm_grid(kWidth, group, Extent::Of::rows);
    run.workgroups = {grid[0].count, kRows, 1};
    std::vector<float> expected(kWidth * kRows);
    for (std::uint32_t first = 0; first < kWidth * kRows; first += group) {
      const std::span<const float> x = std::span<const float>(run.arena).subspan(constants.x + first, group);
      double mean = 0.0, squares = 0.0;
      for (const float value : x) mean += value / double(group);
      for (const float value : x) squares += (value - mean) * (value - mean) / group;
      for (std::uint32_t i = 0; i < group; ++i) {
        double y = (x[i] - mean) / std::sqrt(squares + double{constants.eps}) * double{run.arena[i]};
        if (bias) y += double{run.arena[group + i]} + double{run.arena[constants.residual + first + i]};
        expected[first + i] = static_cast<float>(y);
      }
    }
    ASSERT_TRUE(test::run_on_gpu(*device_, run));
    // The mean is rounded to an ulp of 50, 4e-6 of a deviation.
    EXPECT_LE(relative_error(std::span(run.arena).subspan(constants.out, expected.size()), expected), 1e-5) << bias;
  }
}

INSTANTIATE_TEST_SUITE_P(Software, GpuRowOps, testing::ValuesIn(test::gpu_drivers()), test::gpu_driver_name);

}  // namespace
}  // namespace wisp::gpu
