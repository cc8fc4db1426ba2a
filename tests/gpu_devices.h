// The devices that tests of the GPU backend run on: the software drivers of this machine, in one process, or with
// WISP_TEST_GPU=NAME the one adapter whose name holds NAME (a real GPU: WISP_TEST_GPU=NVIDIA).
//
//   class MyTest : public testing::TestWithParam<test::GpuDriver> {};
//   TEST_P(MyTest, ...) { gpu::Device* device = test::gpu_device(GetParam()); if (device == nullptr) GTEST_SKIP() <<
//   test::no_gpu(GetParam()); ... } INSTANTIATE_TEST_SUITE_P(Software, MyTest, testing::ValuesIn(test::gpu_drivers()),
//   test::gpu_driver_name);
//
// A device is shared by all tests of a process; a test that loses or lowers one makes its own (make_gpu_device).
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gpu/device/commands.h"
#include "gpu/native/native_device.h"
#include "gpu/shader/kernel.h"
#include "tests/executors.h"

namespace wisp::test {

struct GpuDriver {
  std::string name;     // "SwiftShader"
  std::string adapter;  // part of the adapter's name
};

// SwiftShader (subgroups of 4, no f16) and lavapipe (subgroups of 8, f16), whether they are here or not, or the one of
// WISP_TEST_GPU.
inline constexpr std::string_view kNamedGpu = "named";  // what that is called
const std::vector<GpuDriver>& gpu_drivers();
std::string gpu_driver_name(const testing::TestParamInfo<GpuDriver>& info);

// nullptr where the driver or the library is not there; no_gpu() says why.
gpu::Device* gpu_device(const GpuDriver& driver);
Result<std::unique_ptr<gpu::Device>> make_gpu_device(const GpuDriver& driver, gpu::NativeOptions options = {});
std::string no_gpu(const GpuDriver& driver);

// SwiftShader takes seconds to compile a kernel, ten times as long as lavapipe: of the cases of a long list it has
// every fourth and lavapipe the others, unless WISP_TEST_FULL asks for all on both. One of WISP_TEST_GPU has all.
bool is_turn_of(const GpuDriver& driver, std::size_t number);

// The GPU backend on each driver, for tests over executors.
std::vector<ExecutorKind> gpu_executor_kinds();

// One dispatch of one kernel over host data, for tests: uploads, compiles, runs, reads the arena back. Waits.
struct GpuRun {
  gpu::Kernel kernel;
  std::vector<std::uint32_t> step;  // the step buffer (at least one word)
  std::vector<float> arena;         // before; the result is the arena after
  gpu::OpConstants op;
  std::vector<std::vector<std::byte>> buffers;  // of group 1, in order; written back where the kernel may write
  std::array<std::uint32_t, 3> workgroups = {1, 1, 1};
};
// False with the compiler's or the device's message where anything went wrong.
testing::AssertionResult run_on_gpu(gpu::Device& device, GpuRun& run);

}  // namespace wisp::test
