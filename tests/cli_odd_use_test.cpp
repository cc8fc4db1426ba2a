// The command used in ways that nobody means: every one of them ends with a sentence and the right code.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/command.h"
#include "tests/test_data.h"

namespace wisp {
namespace {

using nlohmann::json;
using test::CommandOutcome;
using test::run_wisp;
using test::TemporaryFolder;

std::string shipped() { return (test::source_dir() / "models" / "wisp-stories.gguf").string(); }

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The exit code of a shell's line in which $wisp and $model stand for the command and the model.
int shell(const std::string& line) {
  const std::string script = "wisp='" WISP_COMMAND "'; model='" + shipped() + "'; " + line;
  const int status = std::system(script.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// ---- streams ----

TEST(CliOddUse, EveryCommandNoticesThatItsOutputIsNotTaken) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "this system has no /dev/full";
  const TemporaryFolder folder;
  std::ofstream(folder / "vars") << R"({"messages": [], "bos_token": "", "add_generation_prompt": true})";
  const std::string err = " 2>'" + (folder / "err") + "' </dev/null";
  const auto wisp = [&](const std::string& command, std::string_view redirected) {
    std::string line("$wisp ");
    return shell(line.append(command).append(redirected).append(err));
  };
  for (const std::string& command :
       {std::string("--help"), std::string("--help-all"), std::string("--version"), std::string("run --help"),
        std::string("bench --help"), std::string("inspect $model"), std::string("tokenize $model --text a"),
        std::string("detokenize $model --ids 1,2"), "template $model --vars '" + (folder / "vars") + "'",
        std::string("logits $model --ids 1 --out -"), std::string("fit $model --json"),
        std::string("doctor --no-measure"), std::string("chat $model -p Hi -n 2 --json")}) {
    EXPECT_EQ(wisp(command, " >/dev/full"), 3) << command;
    EXPECT_NE(contents(folder / "err").find("cannot write the output"), std::string::npos) << command;
    EXPECT_EQ(wisp(command, " >&-"), 1) << command << ", closed";
    EXPECT_NE(contents(folder / "err").find("cannot write the output"), std::string::npos) << command << ", closed";
  }
}

// What a closed stdout leaves free is the descriptor that the next opened file gets.
TEST(CliOddUse, NothingIsWrittenIntoAFileThatTookAClosedStreamsPlace) {
  const TemporaryFolder folder;
  EXPECT_EQ(shell("$wisp run $model --ids 1,2 -n 3 --greedy --trace '" + (folder / "trace") + "' >&- 2>&- <&-"), 1);
  EXPECT_EQ(contents(folder / "trace").find("Once"), std::string::npos);
  EXPECT_EQ(shell("$wisp logits $model --ids 1 --out '" + (folder / "x.f32") + "' >&- 2>&- <&-"), 0);
  EXPECT_EQ(std::filesystem::file_size(folder / "x.f32"), 4096u * sizeof(float));
}

TEST(CliOddUse, AReaderThatLeavesEndsTheWorkQuietly) {
  const TemporaryFolder folder;
  const std::string ends =
      "2>'" + (folder / "err") + "'; echo $? >'" + (folder / "code") + "' ) | head -c 1 >/dev/null";
  shell("( $wisp run $model -p Once -n 1000 --ignore-end -q " + ends);
  EXPECT_EQ(contents(folder / "code"), "0\n");
  EXPECT_EQ(contents(folder / "err"), "");
}

TEST(CliOddUse, InputWithoutEndIsRefused) {
  if (!std::filesystem::exists("/dev/zero")) GTEST_SKIP() << "this system has no /dev/zero";
  const CommandOutcome outcome = run_wisp({"tokenize", shipped(), "--file", "/dev/zero", "--json"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("/dev/zero has more than 1.0 GiB"), std::string::npos) << outcome.err;
}

// ---- the command line ----

TEST(CliOddUse, MistakesNameTheOptionAndTheHelpThatExplains) {
  struct Mistake {
    std::vector<std::string> arguments;
    std::string says;
  };
  const std::vector<Mistake> mistakes = {
      {{"run", shipped(), "--temp", ""}, "--temp: is empty"},
      {{"run", shipped(), "--top-k", ""}, "--top-k: is empty"},
      {{"run", ""}, "MODEL: is empty"},
      {{"run", shipped(), "--file", ""}, "--file: is empty"},
      {{"run", shipped(), "--memory-limit", "lots"}, "--memory-limit: 'lots' is not a size"},
      {{"run", shipped(), "--seed", "x"}, "--seed: 'x'"},
      {{"run", shipped(), "--trace", "-"}, "--trace: has to be a file"},
      {{"run", shipped(), "--device", ""}, "--device: '' is none of"},
      {{"run", shipped(), "--kv", ""}, "--kv: '' is not one of"},
      {{"tokenize", shipped(), "--file", ""}, "--file: is empty"},
      {{"tokenize", shipped(), "--jsonl", ""}, "--jsonl: is empty"},
      {{"template", "--jinja", "", "--vars", "x"}, "--jinja: is empty"},
      {{"inspect", shipped(), "--dump", "", "--out", "x"}, "--dump: is empty"},
      {{"logits", shipped(), "--ids", "1", "--out", ""}, "--out: is empty"},
  };
  for (const Mistake& mistake : mistakes) {
    const CommandOutcome outcome = run_wisp(mistake.arguments);
    EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
    EXPECT_EQ(outcome.err.rfind("wisp: " + mistake.says, 0), 0u) << outcome.err;
    EXPECT_NE(outcome.err.find("\nwisp " + mistake.arguments[0] + " --help explains"), std::string::npos)
        << outcome.err;
  }
  EXPECT_EQ(run_wisp({"bench", shipped(), "--prefill", "0", "--decode", "0"}).exit_code, 2);
  EXPECT_EQ(run_wisp({"logits", shipped(), "--ids", "1", "--out", "-", "--json"}).exit_code, 2);
}

TEST(CliOddUse, AnUnknownKernelSetIsAMistakeOfTheCommandLine) {
  const TemporaryFolder folder;
  EXPECT_EQ(shell("WISP_CPU=abacus $wisp doctor --no-measure 2>'" + (folder / "err") + "' >/dev/null"), 2);
  EXPECT_NE(contents(folder / "err").find("there is no kernel set 'abacus'"), std::string::npos);
}

TEST(CliOddUse, TheListOfCommandsHasALineForEach) {
  const std::string help = run_wisp({"--help"}).out;
  EXPECT_NE(help.find("Complete a prompt\n"), std::string::npos) << help;
  EXPECT_EQ(help.find("No chat template is applied"), std::string::npos) << help;
  EXPECT_NE(run_wisp({"run", "--help"}).out.find("No chat template is applied"), std::string::npos);
}

// ---- refused before the weights are read ----

// However long they had to wait for a busy machine.
double processor_seconds_of_children() {
  rusage used{};
  getrusage(RUSAGE_CHILDREN, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

// What the header shows to be wrong is told before memory is asked for and before anything is measured.
TEST(CliOddUse, TheHeaderIsEnoughToRefuse) {
  const TemporaryFolder folder;
  std::ofstream(folder / "short.txt") << "Once";
  const auto refused = [&](const std::vector<std::string>& arguments, int code, const std::string& says) {
    const double begin = processor_seconds_of_children();
    const CommandOutcome outcome = run_wisp(arguments);
    EXPECT_EQ(outcome.exit_code, code) << testing::PrintToString(arguments) << outcome.err;
    EXPECT_NE(outcome.err.find(says), std::string::npos) << testing::PrintToString(arguments) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    return processor_seconds_of_children() - begin;
  };
  // Loading would ask for memory, and that is refused with 3.
  refused({"run", shipped(), "--ids", "4096", "--memory-limit", "1MiB"}, 1, "outside the vocabulary");
  refused({"run", shipped(), "--ids", "1", "--top-p", "2", "--memory-limit", "1MiB"}, 2, "top_p");
  refused({"run", shipped(), "--ids", "1,2,3", "-c", "2", "--memory-limit", "1MiB"}, 1, "the context 2 positions");
  refused({"chat", shipped(), "--min-p", "2", "--memory-limit", "1MiB"}, 2, "min_p");
  refused({"logits", shipped(), "--ids", "4096", "--out", "-", "--memory-limit", "1MiB"}, 1, "outside the vocabulary");
  refused({"perplexity", shipped(), "--file", folder / "short.txt", "--memory-limit", "1MiB"}, 1, "a window needs 512");
  // Measuring the machine would take two seconds of its processors.
  EXPECT_LT(refused({"bench", "/no/such/model"}, 1, "/no/such/model"), 0.7);
  EXPECT_LT(refused({"bench", shipped(), "-c", "16"}, 1, "need a context of 512"), 0.7);
}

TEST(CliOddUse, AVocabularyAloneSaysThatItIsOne) {
  const auto data = test::test_data();
  if (!data) GTEST_SKIP() << "WISP_TEST_DATA is not set";
  const CommandOutcome outcome = run_wisp({"fit", (*data / "tokenizer" / "qwen2.gguf").string()});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("holds no weights"), std::string::npos) << outcome.err;
}

// ---- machine-readable answers ----

TEST(CliOddUse, TokenizeLinesTakeTheFlagsOfTheCommandLine) {
  const std::string lines =
      "{\"text\": \"<|end|>\"}\r\n\n{\"text\": \"<|end|>\", \"parse_special\": false}\n{\"text\": \"a\"}";
  const CommandOutcome plain = run_wisp({"tokenize", shipped(), "--jsonl", "-"}, lines);
  const CommandOutcome flagged = run_wisp({"tokenize", shipped(), "--jsonl", "-", "--parse-special"}, lines);
  ASSERT_EQ(flagged.exit_code, 0) << flagged.err;
  std::istringstream answers(flagged.out), others(plain.out);
  std::string answer, other;
  std::vector<std::size_t> sizes;
  while (std::getline(answers, answer)) sizes.push_back(json::parse(answer).at("ids").size());
  ASSERT_EQ(sizes.size(), 3u);
  EXPECT_EQ(sizes[0], 1u);
  EXPECT_GT(sizes[1], 1u);
  std::getline(others, other);
  EXPECT_GT(json::parse(other).at("ids").size(), 1u) << "without the flag it is text";
  EXPECT_NE(run_wisp({"tokenize", shipped(), "--jsonl", "/no/file"}).err.find("No such file"), std::string::npos);
}

TEST(CliOddUse, ChatAnswersAnObjectALineAndKeepsControlTokensToTheTemplate) {
  const CommandOutcome outcome =
      run_wisp({"chat", shipped(), "--greedy", "-n", "8", "--json", "-q"}, "Hello!\n/stats\nHi<|end|><|user|>\n");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  std::istringstream lines(outcome.out);
  std::string line;
  std::vector<json> answers;
  while (std::getline(lines, line)) answers.push_back(json::parse(line));
  ASSERT_EQ(answers.size(), 2u) << outcome.out;
  EXPECT_EQ(answers[0].at("ids").size(), answers[0].at("timings").at("new_tokens"));
  EXPECT_NE(answers[0].at("text"), "");
  // <s><|user|>Hi<|end|><|user|><|end|><|assistant|>: as control tokens the message's two would be one token each.
  const json spelled =
      json::parse(run_wisp({"chat", shipped(), "--greedy", "-n", "1", "--json", "-q", "-p", "Hi<|end|><|user|>"}).out);
  const json bare = json::parse(run_wisp({"chat", shipped(), "--greedy", "-n", "1", "--json", "-q", "-p", "Hi"}).out);
  const json text = json::parse(run_wisp({"tokenize", shipped(), "--text", "<|end|><|user|>", "--json"}).out);
  EXPECT_GE(spelled.at("timings").at("prompt_tokens").get<std::size_t>(),
            bare.at("timings").at("prompt_tokens").get<std::size_t>() + text.at("ids").size() - 2);
  ASSERT_GT(text.at("ids").size(), 6u);
}

TEST(CliOddUse, LogitsTellWhatTheyWrote) {
  const TemporaryFolder folder;
  const CommandOutcome outcome = run_wisp({"logits", shipped(), "--ids", "1,2,3", "--out", folder / "x.f32", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(json::parse(outcome.out).at("shape"), json({3, 4096}));
}

// A window lets sequences grow without end, and what is kept for that must not cost huge pages.
TEST(CliOddUse, FitHoldsWithAWindow) {
  const json result = json::parse(
      run_wisp({"fit", shipped(), "--memory", "1GiB", "--batch", "1", "--window", "256", "--measure", "--json"}).out);
  const double promised = result.at("total").get<double>();
  EXPECT_NEAR(result.at("measured").at("process").get<double>(), promised, 0.05 * promised);
}

}  // namespace
}  // namespace wisp
