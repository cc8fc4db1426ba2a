// Runs the built command as a user does, and keeps all that it said.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

extern char** environ;

namespace wisp::test {

struct CommandOutcome {
  int exit_code = -1;  // or minus the signal that ended it
  std::string out, err;
};

// A folder that goes away with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "wisp-test-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// A program, found as a shell finds it, with `input` on stdin. A run that takes longer than `seconds` is killed: exit
// code -9.
inline CommandOutcome run_program(const std::string& program, std::vector<std::string> arguments,
                                  const std::string& input = {}, int seconds = 120) {
  const TemporaryFolder folder;
  std::ofstream(folder / "in", std::ios::binary) << input;
  posix_spawn_file_actions_t redirections;
  posix_spawn_file_actions_init(&redirections);
  posix_spawn_file_actions_addopen(&redirections, 0, (folder / "in").c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&redirections, 1, (folder / "out").c_str(), O_WRONLY | O_CREAT, 0600);
  posix_spawn_file_actions_addopen(&redirections, 2, (folder / "err").c_str(), O_WRONLY | O_CREAT, 0600);
  arguments.insert(arguments.begin(), program);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t process = 0;
  const int spawned = posix_spawnp(&process, program.c_str(), &redirections, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&redirections);
  if (spawned != 0) throw std::runtime_error("cannot run " + program);

  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  int status = 0;
  while (waitpid(process, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > deadline) kill(process, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  const auto read = [&](const std::string& name) {
    std::ifstream file(folder / name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  return {
      .exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), .out = read("out"), .err = read("err")};
}

// `wisp ARGUMENTS`.
inline CommandOutcome run_wisp(std::vector<std::string> arguments, const std::string& input = {}, int seconds = 120) {
  return run_program(WISP_COMMAND, std::move(arguments), input, seconds);
}

}  // namespace wisp::test
