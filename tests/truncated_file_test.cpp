// A model file that another program cuts short while wisp has it open ends the command with a sentence, never with a
// signal.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "tests/command.h"
#include "tests/test_data.h"

namespace wisp {
namespace {

TEST(TruncatedFile, WhileItIsOpenIsARefusal) {
  const test::TemporaryFolder folder;
  const std::string model = folder / "model.gguf", prompt = folder / "prompt";
  std::filesystem::copy_file(test::source_dir() / "models/wisp-stories.gguf", model);
  ASSERT_EQ(mkfifo(prompt.c_str(), 0600), 0);
  // The command opens the model, then waits for its prompt here; the weights are read after that.
  std::thread other([&] {
    const int file = open(prompt.c_str(), O_WRONLY);
    EXPECT_EQ(truncate(model.c_str(), 1 << 20), 0);
    EXPECT_EQ(write(file, "Once", 4), 4);
    close(file);
  });
  const test::CommandOutcome outcome = test::run_wisp({"run", model, "--file", prompt, "-n", "4"});
  other.join();
  EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
  EXPECT_NE(outcome.err.find("cut short"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace wisp
