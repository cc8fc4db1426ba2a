#include "mapped_file_guard.h"

#include <unistd.h>

#include <csignal>
#include <string_view>

#include "output.h"

namespace wisp::cli {
namespace {

// Nothing here may allocate, lock or return: the read that failed would only fail again.
void refuse(int) {
  constexpr std::string_view kWhat =
      "wisp: a file was cut short while it was read; make sure that no other program changes it, and try again\n";
  const ssize_t written = write(STDERR_FILENO, kWhat.data(), kWhat.size());
  static_cast<void>(written);
  _exit(kRefused);
}

}  // namespace

void guard_mapped_files() {
  struct sigaction action = {};
  action.sa_handler = refuse;
  sigaction(SIGBUS, &action, nullptr);
}

}  // namespace wisp::cli
