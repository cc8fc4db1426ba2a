#include "output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/log.h"
#include "interrupt.h"

namespace wisp::cli {
namespace {

int first_failure = 0;  // errno of the first write to stdout that failed; nothing is written after it

Status write_failure() {
  if (first_failure == 0) return {};
  if (first_failure == EPIPE) return fail(Code::cancelled, "whoever read the output has left");
  return fail(first_failure == EBADF ? Code::io : Code::device, "cannot write the output: {}",
              std::strerror(first_failure));
}

// The lowest free descriptor is what open() gives, so a closed one would become the model, or the file of --out, and
// what is meant for stdout would end up there. Opened the wrong way round, reading and writing fail as if it were
// closed.
void occupy_closed_descriptors() {
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(standard, F_GETFD) == -1 && errno == EBADF) {
      const int taken = open("/dev/null", standard == STDIN_FILENO ? O_WRONLY : O_RDONLY);
      static_cast<void>(taken);  // where there is no /dev/null nothing can be done
    }
  }
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
  occupy_closed_descriptors();
  set_log_sink([](LogLevel level, std::string_view text) {
    if (level != LogLevel::debug) note(text);
  });
}

Status print(std::string_view bytes) {
  errno = 0;
  if (first_failure == 0 && std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size()) first_failure = errno;
  return write_failure();
}

Status flush_output() {
  errno = 0;
  if (first_failure == 0 && std::fflush(stdout) != 0) first_failure = errno;
  return write_failure();
}

int finish(const Status& status) {
  const Status flushed = flush_output();
  if (first_failure == EPIPE) return kDone;
  const Status& worst = status ? flushed : status;
  if (worst) return kDone;
  note("wisp: {}", worst.error().message);
  if (worst.error().code == Code::cancelled && Interrupts::exit_code() != 0) return Interrupts::exit_code();
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
