#include "output.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/log.h"

namespace wisp::cli {
namespace {

bool reader_left = false;

// After a failed write to stdout.
Status write_failure(int error) {
  if (error == EPIPE) {
    reader_left = true;
    return fail(Code::cancelled, "whoever read the output has left");
  }
  return fail(Code::device, "cannot write the output: {}", std::strerror(error));
}

}  // namespace

int exit_code(Code code) {
  switch (code) {
    case Code::invalid_argument: return kUsage;
    case Code::out_of_memory:
    case Code::device: return kLacking;
    case Code::invalid_file:
    case Code::unsupported:
    case Code::not_found:
    case Code::io:
    case Code::need_more_data:
    case Code::limit:
    case Code::cancelled:
    case Code::internal: return kRefused;
  }
  return kRefused;
}

void set_up_output() {
  std::signal(SIGPIPE, SIG_IGN);
  set_log_sink([](LogLevel level, std::string_view text) {
    if (level != LogLevel::debug) note(text);
  });
}

Status print(std::string_view bytes) {
  if (reader_left) return write_failure(EPIPE);
  errno = 0;
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size()) return write_failure(errno);
  return {};
}

Status flush_output() {
  if (reader_left) return write_failure(EPIPE);
  errno = 0;
  if (std::fflush(stdout) != 0) return write_failure(errno);
  return {};
}

int finish(const Status& status) {
  const Status flushed = flush_output();
  if (reader_left) return kDone;
  const Status& worst = status ? flushed : status;
  if (worst) return kDone;
  note("wisp: {}", worst.error().message);
  return exit_code(worst.error().code);
}

bool stderr_is_terminal() {
  static const bool terminal = isatty(STDERR_FILENO) == 1;
  return terminal;
}

void note(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fputc('\n', stderr);
}

}  // namespace wisp::cli
