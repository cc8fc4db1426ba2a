// Ctrl-C and its like: the command stops soon, says so, leaves no half-written file and ends with 128 and the signal.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>

#include "tests/command.h"
#include "tests/test_data.h"

namespace wisp {
namespace {

using test::TemporaryFolder;
using Clock = std::chrono::steady_clock;

std::string shipped() { return (test::source_dir() / "models" / "wisp-stories.gguf").string(); }

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// `wisp ARGUMENTS` in the background, with the signals' default handling whatever the test itself was started with.
class Running {
 public:
  explicit Running(std::vector<std::string> arguments) {
    posix_spawn_file_actions_t redirections;
    posix_spawn_file_actions_init(&redirections);
    posix_spawn_file_actions_addopen(&redirections, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&redirections, 1, (folder_ / "out").c_str(), O_WRONLY | O_CREAT, 0600);
    posix_spawn_file_actions_addopen(&redirections, 2, (folder_ / "err").c_str(), O_WRONLY | O_CREAT, 0600);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    arguments.insert(arguments.begin(), WISP_COMMAND);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    if (posix_spawn(&process_, WISP_COMMAND, &redirections, &attributes, argv.data(), environ) != 0) {
      throw std::runtime_error("cannot run " WISP_COMMAND);
    }
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&redirections);
  }

  // Waits until `path` is there and, if `size` is not 0, has that many bytes.
  static void wait_for(const std::string& path, std::uintmax_t size) {
    const auto deadline = Clock::now() + std::chrono::seconds(30);
    std::error_code missing;
    while (Clock::now() < deadline) {
      const std::uintmax_t bytes = std::filesystem::file_size(path, missing);
      if (!missing && bytes >= size) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    ADD_FAILURE() << path << " never came";
  }

  // The exit code after this signal, and how long that took; minus the signal where it ended the process itself.
  int end_by(int signal) {
    const auto begin = Clock::now();
    kill(process_, signal);
    int status = 0;
    while (waitpid(process_, &status, WNOHANG) == 0) {
      if (Clock::now() - begin > std::chrono::seconds(60)) kill(process_, SIGKILL);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    seconds_ = std::chrono::duration<double>(Clock::now() - begin).count();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  [[nodiscard]] double seconds() const { return seconds_; }
  [[nodiscard]] std::string out_path() const { return folder_ / "out"; }
  [[nodiscard]] std::string err() const { return contents(folder_ / "err"); }

 private:
  TemporaryFolder folder_;
  pid_t process_ = 0;
  double seconds_ = 0;
};

// What does not stop goes on for at least twice as long, on any machine; what stops takes milliseconds, on a busy one
// seconds.
constexpr double kAtOnce = 9;

TEST(CliInterrupt, ARunStopsAtACleanPoint) {
  for (const auto& [signal, words] : {std::pair{SIGINT, "stopped by Ctrl-C"}, {SIGTERM, "ended by SIGTERM"}}) {
    Running run({"run", shipped(), "-p", "Once", "-n", "1000", "--ignore-end", "--device", "reference"});
    Running::wait_for(run.out_path(), 1);
    EXPECT_EQ(run.end_by(signal), 128 + signal);
    EXPECT_LT(run.seconds(), kAtOnce);
    EXPECT_NE(run.err().find(words), std::string::npos) << run.err();
    EXPECT_NE(run.err().find("ended by cancelled"), std::string::npos) << "its figures: " << run.err();
    EXPECT_EQ(contents(run.out_path()).back(), '\n');
  }
}

// A step of 900 rows takes this backend far longer than anybody waits for.
TEST(CliInterrupt, LongStepsAreNotWaitedForAndHalfAFileGoesAway) {
  const TemporaryFolder folder;
  std::string ids = "1";
  for (int i = 1; i < 900; ++i) ids += ",5";
  Running logits(
      {"logits", shipped(), "--ids", ids, "--out", folder / "x.f32", "--chunk", "900", "--device", "reference"});
  Running::wait_for(folder / "x.f32", 0);
  EXPECT_EQ(logits.end_by(SIGINT), 130);
  EXPECT_LT(logits.seconds(), kAtOnce);
  EXPECT_FALSE(std::filesystem::exists(folder / "x.f32"));
}

TEST(CliInterrupt, IdsAreAllPrintedOrNone) {
  const TemporaryFolder folder;
  Running run({"run", shipped(), "--ids", "1,2", "-n", "1000", "--print-ids", "--device", "reference", "--trace",
               folder / "trace"});
  Running::wait_for(folder / "trace", 1);  // it works
  EXPECT_EQ(run.end_by(SIGINT), 130);
  EXPECT_EQ(contents(run.out_path()), "");
}

// Commands that do nothing long have no clean point to wait for, and still end by themselves.
TEST(CliInterrupt, ACommandThatWaitsForInputEndsAtOnce) {
  const TemporaryFolder folder;
  const std::string pipe = folder / "lines";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  Running tokenize({"tokenize", shipped(), "--jsonl", pipe});
  const int writer = open(pipe.c_str(), O_WRONLY);  // waits until the command reads
  EXPECT_EQ(tokenize.end_by(SIGHUP), 128 + SIGHUP);
  EXPECT_LT(tokenize.seconds(), kAtOnce);
  close(writer);
}

}  // namespace
}  // namespace wisp
