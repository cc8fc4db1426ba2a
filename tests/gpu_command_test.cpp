// --device gpu of the built command: the same text as the CPU's, and never a silent fallback.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/command.h"
#include "tests/gpu_devices.h"
#include "tests/test_data.h"

namespace wisp {
namespace {

using test::CommandOutcome;
using test::run_wisp;

std::string shipped() { return (test::source_dir() / "models/wisp-stories.gguf").string(); }

TEST(GpuCommand, TellsTheStoryThatTheCpuTells) {
  const test::GpuDriver& driver = test::gpu_drivers()[1];  // a child of this process finds the same drivers
  if (test::gpu_device(driver) == nullptr) GTEST_SKIP() << test::no_gpu(driver);
  std::vector<std::string> arguments = {"run",      shipped(), "--prompt", "Once upon a time",
                                        "--greedy", "-n",      "8",        "--json"};
  const CommandOutcome cpu = run_wisp(arguments);
  arguments.insert(arguments.end(), {"--device", "gpu:" + driver.adapter});
  const CommandOutcome gpu = run_wisp(arguments);
  ASSERT_EQ(gpu.exit_code, 0) << gpu.err;
  const auto expected = nlohmann::json::parse(cpu.out), actual = nlohmann::json::parse(gpu.out);
  EXPECT_EQ(actual.at("text"), expected.at("text"));
  EXPECT_NE(actual.at("device").get<std::string>().find(driver.adapter), std::string::npos);
  EXPECT_GT(actual.at("dispatches").get<int>(), 100);
  EXPECT_EQ(expected.at("dispatches"), 0);
  // The weights and more.
  EXPECT_GT(actual.at("peak_device_bytes").get<std::uint64_t>(), std::filesystem::file_size(shipped()) / 2);
  EXPECT_EQ(expected.at("peak_device_bytes"), 0);
}

TEST(GpuCommand, AnAdapterThatIsNotThereIsTheMachinesLack) {
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"run", shipped(), "--prompt", "a"},
        std::vector<std::string>{"logits", shipped(), "--ids", "1,2", "--out", "/dev/null"},
        std::vector<std::string>{"bench", shipped(), "--prefill", "8", "--decode", "1"}}) {
    std::vector<std::string> arguments = command;
    arguments.insert(arguments.end(), {"--device", "gpu:no-such-adapter"});
    const CommandOutcome outcome = run_wisp(arguments);
    EXPECT_EQ(outcome.exit_code, 3) << command[0] << ": " << outcome.err;
    EXPECT_NE(outcome.err, "");
    EXPECT_EQ(outcome.out, "");
  }
}

TEST(GpuCommand, OtherDevicesAreUsageErrors) {
  EXPECT_EQ(run_wisp({"run", shipped(), "--prompt", "a", "--device", "tpu"}).exit_code, 2);
  EXPECT_EQ(run_wisp({"run", shipped(), "--prompt", "a", "--device", "cpu:0"}).exit_code, 2);
}

TEST(GpuCommand, DoctorListsAdapters) {
  if (test::gpu_device(test::gpu_drivers()[1]) == nullptr) GTEST_SKIP() << test::no_gpu(test::gpu_drivers()[1]);
  const CommandOutcome outcome = run_wisp({"doctor", "--device", "gpu", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto adapters = nlohmann::json::parse(outcome.out).at("adapters");
  int chosen = 0;
  for (const auto& adapter : adapters) {
    chosen += adapter.at("chosen").get<bool>() ? 1 : 0;
    EXPECT_GT(adapter.at("limits").at("binding_bytes").get<std::uint64_t>(), 1u << 20);
  }
  EXPECT_EQ(chosen, 1);
}

}  // namespace
}  // namespace wisp
