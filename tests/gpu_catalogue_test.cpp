// Whether naga and a driver take the text of every kernel, with all features of the adapter and with none. What Tint
// says to them stands in web/harness/gpu_checks.mjs.
#include <gtest/gtest.h>

#include <algorithm>

#include "gpu/kernels/catalogue.h"
#include "gpu/pipelines.h"
#include "gpu/tuner/tuning_task.h"
#include "tests/gpu_devices.h"

namespace wisp::gpu {
namespace {

class GpuCatalogue : public testing::TestWithParam<test::GpuDriver> {
 protected:
  void compile_all(const NativeOptions& options) {
    if (test::gpu_device(GetParam()) == nullptr) GTEST_SKIP() << test::no_gpu(GetParam());
    if (!test::is_turn_of(GetParam(), 1)) GTEST_SKIP() << "in full runs only";
    Result<std::unique_ptr<Device>> device = test::make_gpu_device(GetParam(), options);
    ASSERT_TRUE(device) << device.error().message;
    const Result<std::vector<Kernel>> kernels = kernel_catalogue((*device)->info());
    ASSERT_TRUE(kernels) << kernels.error().message;
    EXPECT_GT(kernels->size(), 100u);
    Pipelines pipelines(**device);
    for (const Kernel& kernel : *kernels) {
      pipelines.get(kernel);
    }
    for (Ticket ticket = pipelines.waits_for(); ticket != Ticket::none; ticket = pipelines.waits_for()) {
      ASSERT_TRUE((*device)->wait(ticket)) << (*device)->lost();
      const Result<bool> compiled = pipelines.poll();
      ASSERT_TRUE(compiled) << compiled.error().message;
    }
    EXPECT_EQ(pipelines.compiled(), kernels->size());
  }
};

// What a device with no more than WebGPU promises is given.
TEST(GpuCatalogueTexts, FitDefaultLimits) {
  const Result<std::vector<Kernel>> kernels = kernel_catalogue(DeviceInfo());
  ASSERT_TRUE(kernels) << kernels.error().message;
  EXPECT_GT(kernels->size(), 100u);
  for (const Kernel& kernel : *kernels) EXPECT_TRUE(fits(kernel, Limits())) << kernel.label;
}

// No driver here has matrix units; web/harness/gpu_checks.mjs has Tint read these texts where it can.
TEST(GpuCatalogueTexts, MatrixUnitsWhereTheyFit) {
  const auto count = [](const DeviceInfo& info) {
    const Result<std::vector<Kernel>> kernels = kernel_catalogue(info);
    EXPECT_TRUE(kernels) << kernels.error().message;
    return !kernels ? 0 : std::ranges::count_if(*kernels, [&](const Kernel& kernel) {
      const bool uses = kernel.wgsl.find("subgroupMatrixMultiplyAccumulate") != std::string::npos;
      if (uses) EXPECT_TRUE(fits(kernel, info.limits)) << kernel.label;
      return uses;
    });
  };
  DeviceInfo info;
  info.features = {.shader_f16 = true, .subgroups = true, .packed_dot = true, .subgroup_matrix = true};
  info.subgroup_min = info.subgroup_max = 32;
  info.matrix_unit = {16, 16, 16};
  info.limits.max_workgroup_bytes = 32768;
  info.limits.max_invocations = 1024;
  EXPECT_GT(count(info), 10);
  DeviceInfo small = info;
  small.limits.max_workgroup_bytes = 16384;
  EXPECT_EQ(count(small), 0);
  DeviceInfo odd = info;  // a square of 32 is not made of these
  odd.matrix_unit = {24, 16, 16};
  EXPECT_EQ(count(odd), 0);
  DeviceInfo varying = info;  // lanes cannot be counted by subgroups
  varying.subgroup_min = 16;
  EXPECT_EQ(count(varying), 0);
}

TEST_P(GpuCatalogue, CompilesWithEveryFeature) { compile_all({}); }

TEST_P(GpuCatalogue, CompilesWithoutAny) {
  NativeOptions options;
  options.no_f16 = options.no_subgroups = options.no_packed_dot = options.no_timestamps = true;
  compile_all(options);
}

INSTANTIATE_TEST_SUITE_P(Software, GpuCatalogue, testing::ValuesIn(test::gpu_drivers()), test::gpu_driver_name);

}  // namespace
}  // namespace wisp::gpu
