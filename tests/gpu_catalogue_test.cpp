// Whether naga and a driver take the text of every kernel, with all features of the adapter and with none. What Tint
// says to them stands in web/harness/gpu_checks.mjs.
#include <gtest/gtest.h>

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
      EXPECT_TRUE(fits(kernel, Limits())) << kernel.label << " is past WebGPU's default limits";
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

TEST_P(GpuCatalogue, CompilesWithEveryFeature) { compile_all({}); }

TEST_P(GpuCatalogue, CompilesWithoutAny) {
  NativeOptions options;
  options.no_f16 = options.no_subgroups = options.no_packed_dot = options.no_timestamps = true;
  compile_all(options);
}

INSTANTIATE_TEST_SUITE_P(Software, GpuCatalogue, testing::ValuesIn(test::gpu_drivers()), test::gpu_driver_name);

}  // namespace
}  // namespace wisp::gpu
