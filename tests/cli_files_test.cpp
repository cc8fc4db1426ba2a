// The files that the command reads and writes, where things are not as they should be.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/command.h"
#include "tests/gguf_bytes.h"
#include "tests/test_data.h"

namespace wisp {
namespace {

using test::CommandOutcome;
using test::run_wisp;
using test::TemporaryFolder;

std::string shipped() { return (test::source_dir() / "models" / "wisp-stories.gguf").string(); }

// The model is mapped while it runs: emptying its file would end the process with SIGBUS, and the model with it.
TEST(CliFiles, TheModelIsNeverOverwrittenByWhatIsMadeOfIt) {
  const TemporaryFolder folder;
  const std::string model = folder / "copy.gguf", other_name = folder / "hard link.gguf";
  std::filesystem::copy_file(shipped(), model);
  std::filesystem::create_hard_link(model, other_name);
  const std::vector<std::vector<std::string>> attempts = {
      {"logits", model, "--ids", "1,2", "--out", model},
      {"logits", model, "--ids", "1,2", "--out", other_name},
      {"run", model, "--ids", "1", "-n", "2", "--print-ids", "--trace", model},
      {"inspect", model, "--dump", "output_norm.weight", "--out", other_name},
  };
  for (const auto& arguments : attempts) {
    const CommandOutcome outcome = run_wisp(arguments);
    EXPECT_EQ(outcome.exit_code, 2) << testing::PrintToString(arguments);
    EXPECT_NE(outcome.err.find("the model itself"), std::string::npos) << outcome.err;
  }
  EXPECT_TRUE(test::read_bytes(model) == test::read_bytes(shipped()));
}

TEST(CliFiles, AFullDiskIsTheMachinesLackAndDevicesStay) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "this system has no /dev/full";
  EXPECT_EQ(run_wisp({"logits", shipped(), "--ids", "1,2,3", "--out", "/dev/full"}).exit_code, 3);
  EXPECT_EQ(run_wisp({"inspect", shipped(), "--dump", "token_embd.weight", "--out", "/dev/full"}).exit_code, 3);
  const CommandOutcome traced =
      run_wisp({"run", shipped(), "--ids", "1", "-n", "3", "--print-ids", "--trace", "/dev/full"});
  EXPECT_EQ(traced.exit_code, 3) << "a trace that could not be written";
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full")) << "an unfinished result is removed, a device never";
}

TEST(CliFiles, ADashIsStandardOutput) {
  const TemporaryFolder folder;
  ASSERT_EQ(run_wisp({"inspect", shipped(), "--dump", "output_norm.weight", "--out", folder / "norm.f32"}).exit_code,
            0);
  std::ifstream file(folder / "norm.f32", std::ios::binary);
  const std::string values(std::istreambuf_iterator<char>(file), {});
  EXPECT_EQ(values.size(), 256 * sizeof(float));
  EXPECT_EQ(run_wisp({"inspect", shipped(), "--dump", "output_norm.weight", "--out", "-"}).out, values);
}

// "Any GGUF file, a complete model or not": a part whose siblings are elsewhere is still a file to look at.
TEST(CliFiles, InspectShowsALonePartOfASplitModel) {
  const TemporaryFolder folder;
  const std::string part = folder / "model-00002-of-00003.gguf";
  test::GgufBytes bytes;
  bytes.header(1, 3)
      .key("split.no", gguf::ValueType::u16)
      .number<std::uint16_t>(1)
      .key("split.count", gguf::ValueType::u16)
      .number<std::uint16_t>(3)
      .key("split.tensors.count", gguf::ValueType::i32)
      .number<std::int32_t>(5)
      .tensor("lonely.weight", {4}, 0, 0)
      .data(16);
  test::write_bytes(part, bytes.bytes());
  const CommandOutcome outcome = run_wisp({"inspect", part, "--tensors"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_NE(outcome.out.find("lonely.weight"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.err.find("model-00001-of-00003.gguf"), std::string::npos)
      << "names what is missing: " << outcome.err;
  EXPECT_EQ(run_wisp({"fit", part, "--memory", "1GiB"}).exit_code, 1) << "to run it, all parts are needed";
}

TEST(CliFiles, AForeignModelIsRefusedByItsArchitecture) {
  const auto data = test::test_data();
  if (!data) GTEST_SKIP() << "WISP_TEST_DATA is not set";
  // Its tokenizer is foreign too.
  const std::string bert = (*data / "models" / "bert.gguf").string();
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"run", bert, "--prompt", "a"}, {"logits", bert, "--ids", "1", "--out", "-"}}) {
    const CommandOutcome outcome = run_wisp(arguments);
    EXPECT_EQ(outcome.exit_code, 1);
    for (const char* part : {"'bert'", "gemma2", "gemma3", "llama", "qwen2", "qwen3"})
      EXPECT_NE(outcome.err.find(part), std::string::npos) << part << " is not in: " << outcome.err;
  }
}

}  // namespace
}  // namespace wisp
