#include "chat_tools.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "arguments.h"
#include "base/clock.h"
#include "interrupt.h"
#include "json.h"
#include "text/chat/chat_form.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX leaves it to the program

namespace wisp::cli {
namespace {

constexpr std::uint64_t kMostNanoseconds = 60'000'000'000;
constexpr std::size_t kMostOutput = 1u << 20, kMostErrors = 2000;

Result<std::vector<std::string>> read_command(const Json& value, const std::string& where) {
  std::vector<std::string> command;
  if (value.is_array()) {
    for (const Json& part : value) {
      if (part.is_string()) command.push_back(part.get<std::string>());
    }
  }
  if (command.empty() || command.size() != value.size() || command.front().empty()) {
    return fail(Code::invalid_file, "{}: \"command\" is a list of texts, a program and its arguments", where);
  }
  return command;
}

// Both ends of a pipe, closed with it.
class Pipe {
 public:
  Pipe() { open_ = pipe2(ends_.data(), O_CLOEXEC) == 0; }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  [[nodiscard]] bool is_open() const { return open_; }
  [[nodiscard]] int end(std::size_t which) const { return ends_[which]; }
  void close_end(std::size_t which) {
    if (ends_[which] >= 0) close(std::exchange(ends_[which], -1));
  }

 private:
  std::array<int, 2> ends_ = {-1, -1};
  bool open_ = false;
};

// A program that runs, and what it has said.
class Program {
 public:
  // "" or why it could not be started.
  std::string start(const std::vector<std::string>& command) {
    if (!in_.is_open() || !out_.is_open() || !err_.is_open()) return std::strerror(errno);
    std::vector<char*> arguments;
    for (const std::string& part : command) arguments.push_back(const_cast<char*>(part.c_str()));
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in_.end(0), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out_.end(1), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err_.end(1), STDERR_FILENO);
    posix_spawnattr_t attributes;  // wisp ignores SIGPIPE; programs expect it to end them
    posix_spawnattr_init(&attributes);
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    const int failed = posix_spawnp(&process_, arguments[0], &actions, &attributes, arguments.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) return std::strerror(failed);
    in_.close_end(0);
    out_.close_end(1);
    err_.close_end(1);
    fcntl(in_.end(1), F_SETFL, O_NONBLOCK);
    return {};
  }

  // Until it closes its output; "" or why it was stopped.
  std::string exchange(std::string_view input) {
    const std::uint64_t end = now_ns() + kMostNanoseconds;
    while (out_.end(0) >= 0 || err_.end(0) >= 0) {
      if (Interrupts::pending()) return "it was interrupted";
      const std::uint64_t now = now_ns();
      if (now >= end) return "it took more than a minute";
      std::array<pollfd, 3> waits = {{{out_.end(0), POLLIN, 0}, {err_.end(0), POLLIN, 0}, {in_.end(1), POLLOUT, 0}}};
      if (poll(waits.data(), waits.size(), 100) < 0 && errno != EINTR) return std::strerror(errno);
      if (waits[0].revents != 0) take(out_, output);
      if (waits[1].revents != 0) take(err_, errors);
      if (output.size() > kMostOutput) return fmt::format("it printed more than {} bytes", kMostOutput);
      if (errors.size() > 2 * kMostErrors) errors.erase(0, errors.size() - kMostErrors);
      if (waits[2].revents != 0) give(input);
    }
    return {};
  }

  // What it ended with; it is ended where it has not.
  int end(bool at_once) {
    if (at_once) kill(process_, SIGKILL);
    int status = 0;
    while (waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
  }

  std::string output, errors;

 private:
  static void take(Pipe& pipe, std::string& into) {
    std::array<char, 4096> bytes;
    const ssize_t n = read(pipe.end(0), bytes.data(), bytes.size());
    if (n > 0) into.append(bytes.data(), static_cast<std::size_t>(n));
    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) pipe.close_end(0);
  }
  void give(std::string_view& input) {
    const ssize_t n = input.empty() ? 0 : write(in_.end(1), input.data(), input.size());
    if (n > 0) input.remove_prefix(static_cast<std::size_t>(n));
    // A program that does not read is free not to.
    if (input.empty() || (n < 0 && errno != EINTR && errno != EAGAIN)) in_.close_end(1);
  }

  Pipe in_, out_, err_;
  pid_t process_ = -1;
};

}  // namespace

Result<ChatTools> read_tools(const std::string& path) {
  WISP_TRY(const std::string text, read_text_file(path));
  Json list = Json::parse(text, nullptr, false);
  if (list.is_object() && list.contains("tools")) list = Json(list["tools"]);
  if (!list.is_array()) {
    return fail(Code::invalid_file, "{}: tools are a JSON list, [{{\"type\": \"function\", \"function\": {{..}}}}]",
                printable(path, 400));
  }
  ChatTools made;
  std::vector<std::pair<std::size_t, std::vector<std::string>>> commands;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (!list[i].is_object() || !list[i].contains("command")) continue;
    WISP_TRY(std::vector<std::string> command,
             read_command(list[i]["command"], fmt::format("{}: tools[{}]", printable(path, 400), i)));
    list[i].erase("command");
    commands.emplace_back(i, std::move(command));
  }
  const Json request = {{"messages", Json::array()}, {"tools", std::move(list)}};
  auto read = text::parse_chat_request(request.dump(-1, ' ', false, Json::error_handler_t::replace));
  if (!read) {
    Error cause = std::move(read).error();
    cause.code = Code::invalid_file;
    return fail_in(std::move(cause), "{}", printable(path, 400));
  }
  made.tools = std::move(read->tools);
  for (auto& [index, command] : commands) made.commands.emplace(made.tools[index].name, std::move(command));
  return made;
}

std::string run_tool(const std::vector<std::string>& command, std::string_view arguments) {
  Program program;
  if (const std::string why = program.start(command); !why.empty()) {
    return fmt::format("error: {} could not be started: {}", printable(command.front()), why);
  }
  std::string why = program.exchange(arguments);
  const int status = program.end(!why.empty());
  if (why.empty() && WIFEXITED(status) && WEXITSTATUS(status) != 0) {
    why = fmt::format("it ended with status {}", WEXITSTATUS(status));
  } else if (why.empty() && WIFSIGNALED(status)) {
    why = fmt::format("it was ended by signal {}", WTERMSIG(status));
  }
  if (why.empty()) return std::move(program.output);
  const std::size_t n = std::min(program.errors.size(), kMostErrors);
  return fmt::format("error: {}: {}. {}", printable(command.front()), why,
                     program.errors.substr(program.errors.size() - n));
}

}  // namespace wisp::cli
