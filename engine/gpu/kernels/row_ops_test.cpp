// Norms on the software drivers, against the scalar arithmetic.
#include "gpu/kernels/row_ops.h"

#include <gtest/gtest.h>

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

INSTANTIATE_TEST_SUITE_P(Software, GpuRowOps, testing::ValuesIn(test::gpu_drivers()), test::gpu_driver_name);

}  // namespace
}  // namespace wisp::gpu
