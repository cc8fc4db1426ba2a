// Runs tests/pull_server.py for a test, and asks it what it has seen.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>

#include "tests/command.h"
#include "tests/test_data.h"

namespace wisp::test {

class PullServer {
 public:
  // Serves the files of `folder`. Throws where there is no Python.
  explicit PullServer(const std::string& folder) {
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) throw std::runtime_error("no pipes");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    std::string script = (source_dir() / "tests/pull_server.py").string(), python = "python3", root = folder;
    char* const argv[] = {python.data(), script.data(), root.data(), nullptr};
    const int spawned = posix_spawnp(&process_, "python3", &actions, nullptr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    input_ = in[1];
    std::string line;
    for (char c = 0; spawned == 0 && read(out[0], &c, 1) == 1 && c != '\n';) line += c;
    close(out[0]);
    if (spawned != 0 || line.empty()) throw std::runtime_error("python3 does not run tests/pull_server.py");
    port_ = line.substr(0, line.find(' '));
  }
  ~PullServer() {
    close(input_);
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  PullServer(const PullServer&) = delete;
  PullServer& operator=(const PullServer&) = delete;

  [[nodiscard]] std::string url(const std::string& path) const { return "http://127.0.0.1:" + port_ + path; }

  // What it has seen: see pull_server.py.
  [[nodiscard]] nlohmann::json log() const { return nlohmann::json::parse(get("/_log")); }
  void forget() const { static_cast<void>(get("/_forget")); }
  // Bytes of bodies sent for a path, or 0.
  [[nodiscard]] std::uint64_t bytes(const std::string& path) const {
    const nlohmann::json all = log();
    return all["bytes"].value(path, std::uint64_t{0});
  }

 private:
  [[nodiscard]] std::string get(const std::string& path) const {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port_)));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const std::string request = "GET " + path + " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    std::string answer;
    if (connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
        write(socket, request.data(), request.size()) == static_cast<ssize_t>(request.size())) {
      char buffer[4096];
      for (ssize_t n = 0; (n = read(socket, buffer, sizeof buffer)) > 0;)
        answer.append(buffer, static_cast<std::size_t>(n));
    }
    close(socket);
    const std::size_t body = answer.find("\r\n\r\n");
    return body == std::string::npos ? std::string() : answer.substr(body + 4);
  }
  pid_t process_ = 0;
  int input_ = -1;
  std::string port_;
};

// Environment variables while a test runs; commands that it starts see them.
class Environment {
 public:
  void set(const std::string& name, const std::string& value) {
    remember(name);
    setenv(name.c_str(), value.c_str(), 1);
  }
  void unset(const std::string& name) {
    remember(name);
    unsetenv(name.c_str());
  }
  Environment() = default;
  ~Environment() {
    for (const auto& [name, value] : before_) {
      if (value) {
        setenv(name.c_str(), value->c_str(), 1);
      } else {
        unsetenv(name.c_str());
      }
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  void remember(const std::string& name) {
    const char* value = std::getenv(name.c_str());
    before_.try_emplace(name, value == nullptr ? std::nullopt : std::optional<std::string>(value));
  }
  std::map<std::string, std::optional<std::string>> before_;
};

}  // namespace wisp::test
