// wisp run --save-state and --load-state: the same text in two runs as in one, and files that are no use.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/command.h"
#include "tests/examples.h"
#include "tests/test_data.h"

namespace wisp {
namespace {

using test::CommandOutcome;
using test::run_wisp;

std::string shipped() { return (test::source_dir() / "models/wisp-stories.gguf").string(); }

class SavedState : public testing::Test {
 protected:
  static nlohmann::json run(std::vector<std::string> arguments) {
    std::vector<std::string> all = {"run", shipped(), "--seed", "3", "--json"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const CommandOutcome outcome = run_wisp(all);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out);
  }
  test::TemporaryFolder folder_;
  std::string file_ = folder_ / "text.state";
};

TEST_F(SavedState, TwoRunsTellWhatOneTells) {
  const auto whole = run({"--prompt", "Once upon a time", "-n", "40"});
  const auto first = run({"--prompt", "Once upon a time", "-n", "15", "--save-state", file_});
  const auto permissions = std::filesystem::status(file_).permissions();
  EXPECT_EQ(permissions & std::filesystem::perms::mask,
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  // Over the file that it came from.
  const auto second = run({"--load-state", file_, "-n", "15", "--save-state", file_});
  const auto third = run({"--load-state", file_, "-n", "10"});
  std::string text;
  for (const auto* part : {&first, &second, &third}) text += part->at("text").get<std::string>();
  EXPECT_EQ(text, whole.at("text").get<std::string>());
  EXPECT_EQ(third.at("timings").at("cached_tokens"), third.at("prompt_ids").size() - 1);
  // Settings that change keys and values: the tokens are computed again.
  const auto other = run({"--load-state", file_, "-n", "10", "--kv", "f32"});
  EXPECT_EQ(other.at("timings").at("cached_tokens"), 0);
  // A prompt comes behind it, without a beginning of its own.
  const auto more = run({"--load-state", file_, "--prompt", " and", "-n", "1"});
  EXPECT_EQ(more.at("prompt_ids").size(), third.at("prompt_ids").size() + 1);
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(file_).parent_path()))
    ++files;
  EXPECT_EQ(files, 1u) << "something was left behind";
}

TEST_F(SavedState, TheExamplesOfItsPageRun) { EXPECT_EQ(test::run_examples("saved-sequences.md", folder_), 3); }

// All its weights but the last few are those of the model: a fine-tune, say.
TEST_F(SavedState, OfAnotherModelIsRefused) {
  run({"--prompt", "Once", "-n", "5", "--save-state", file_});
  const std::string tuned = folder_ / "tuned.gguf";
  std::filesystem::copy_file(shipped(), tuned);
  std::filesystem::permissions(tuned, std::filesystem::perms::owner_all);
  std::fstream model(tuned, std::ios::in | std::ios::out | std::ios::binary);
  model.seekp(-16, std::ios::end);
  model << std::string(16, 'x');
  model.close();
  const CommandOutcome outcome = run_wisp({"run", tuned, "--load-state", file_, "-n", "5"});
  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  EXPECT_NE(outcome.err.find(file_ + ": the saved sequence belongs to another model"), std::string::npos)
      << outcome.err;
  EXPECT_NE(outcome.err.find("only with the model that it was saved with"), std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  run({"--load-state", file_, "-n", "1"});
}

TEST_F(SavedState, FilesThatAreNoUseAreToldApart) {
  run({"--prompt", "Once", "-n", "5", "--save-state", file_});
  const auto fails = [&](std::vector<std::string> arguments, int code, std::string_view said) {
    arguments.insert(arguments.begin(), {"run", shipped()});
    const CommandOutcome outcome = run_wisp(arguments);
    EXPECT_EQ(outcome.exit_code, code) << outcome.err;
    EXPECT_NE(outcome.err.find(said), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.out, "");
  };
  const auto copy_of = [&](const char* name, const std::string& from) {
    const std::string path = folder_ / name;
    std::filesystem::copy_file(from, path);
    return path;
  };
  const std::string cut = copy_of("cut.state", file_);
  std::filesystem::resize_file(cut, std::filesystem::file_size(cut) - 1);
  fails({"--load-state", cut}, 1, "damaged or cut short");
  fails({"--load-state", cut}, 1, "make it again with --save-state");
  std::filesystem::resize_file(cut, 3);
  fails({"--load-state", cut}, 1, "not a saved sequence");
  const std::string changed = copy_of("changed.state", file_);
  std::fstream(changed, std::ios::in | std::ios::out | std::ios::binary).seekp(60).put('x');
  fails({"--load-state", changed}, 1, "damaged");
  fails({"--load-state", folder_ / "none"}, 1, "none");
  fails({"--load-state", shipped()}, 1, "not a saved sequence; --save-state writes one");
  // Larger than any memory, and sparse.
  const std::string huge = copy_of("huge.state", file_);
  std::filesystem::resize_file(huge, std::uintmax_t{1} << 42);
  fails({"--load-state", huge}, 3, "do not fit the available memory");
  fails({"--prompt", "a", "-n", "1", "--save-state", shipped()}, 2, "is the model itself");
  // Before there is a text that could not be kept.
  fails({"--prompt", "a", "-n", "1", "--save-state", folder_ / "nowhere/text.state"}, 1, "cannot create");
  EXPECT_GT(std::filesystem::file_size(shipped()), 1000u);
}

}  // namespace
}  // namespace wisp
