// The checks of every device (gpu_device_checks.h) on the native one.
#include "tests/gpu_device_checks.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <tuple>

#include "tests/gpu_devices.h"

namespace wisp {
namespace {

using Case = std::tuple<test::GpuDriver, test::GpuCheckCase>;

class GpuDeviceChecks : public testing::TestWithParam<Case> {};

TEST_P(GpuDeviceChecks, Hold) {
  const auto& [driver, wanted] = GetParam();
  const bool without = wanted.without_features;
  auto device = test::make_gpu_device(driver, {.adapter = {},
                                               .max_binding_bytes = wanted.max_binding_bytes,
                                               .no_f16 = without,
                                               .no_subgroups = without,
                                               .no_packed_dot = without,
                                               .no_timestamps = without});
  if (!device) GTEST_SKIP() << test::no_gpu(driver);
  test::GpuCheck check = wanted.start(**device);
  test::GpuCheck::State state = check.poll();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (state == test::GpuCheck::State::waiting) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "it waits for ever";
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    (*device)->poll();
    state = check.poll();
  }
  if (state == test::GpuCheck::State::skipped) GTEST_SKIP() << check.reason();
  EXPECT_EQ(state, test::GpuCheck::State::passed) << check.reason();
  EXPECT_EQ((*device)->take_uncaptured_error(), "");
}

INSTANTIATE_TEST_SUITE_P(
    Software, GpuDeviceChecks,
    testing::Combine(testing::ValuesIn(test::gpu_drivers()),
                     testing::ValuesIn(std::vector<test::GpuCheckCase>(test::gpu_device_checks().begin(),
                                                                       test::gpu_device_checks().end()))),
    [](const testing::TestParamInfo<Case>& one) { return std::get<0>(one.param).name + std::get<1>(one.param).name; });

}  // namespace
}  // namespace wisp
