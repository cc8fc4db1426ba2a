#include "interrupt.h"

#include <unistd.h>

#include <atomic>
#include <climits>
#include <csignal>
#include <cstring>

namespace wisp::cli {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
constexpr unsigned kPatienceSeconds = 2;

// Signal handlers read and write these.
volatile std::sig_atomic_t first_signal = 0;  // the one that waits to be noticed; 0: none
volatile std::sig_atomic_t ending = 0;
volatile std::sig_atomic_t ctrl_c_ends = 1;
char unfinished[PATH_MAX] = "";
std::atomic<bool> has_unfinished = false;
static_assert(std::atomic<bool>::is_always_lock_free);

void end_at_once(int signal) {
  if (has_unfinished) unlink(unfinished);
  _exit(128 + (signal == SIGALRM ? static_cast<int>(first_signal) : signal));
}

void ask_to_stop(int signal) {
  if (first_signal != 0) end_at_once(signal);
  first_signal = signal;
  if (signal != SIGINT) ending = 1;
  if (signal != SIGINT || ctrl_c_ends != 0) alarm(kPatienceSeconds);
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction old = {};
  // What was ignored from the start stays so: nohup, and jobs that a shell runs in the background.
  if (sigaction(signal, nullptr, &old) == 0 && old.sa_handler == SIG_IGN) return;
  struct sigaction action = {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  // No SA_RESTART: a read from the terminal returns, so that the loop around it looks at the flag.
  sigaction(signal, &action, nullptr);
}

void handle_all_with(void (*handler)(int)) {
  for (const int signal : kSignals) handle(signal, handler);
}

}  // namespace

void set_up_interrupts() {
  handle_all_with(end_at_once);
  handle(SIGALRM, end_at_once);
}

Interrupts::Interrupts(CtrlC meaning) {
  ctrl_c_ends = meaning == CtrlC::ends_command ? 1 : 0;
  handle_all_with(ask_to_stop);
}

Interrupts::~Interrupts() {
  alarm(0);
  handle_all_with(end_at_once);
}

bool Interrupts::pending() { return first_signal != 0; }
bool Interrupts::must_end() { return ending != 0; }

void Interrupts::clear() {
  if (ending == 0) first_signal = 0;
}

std::unexpected<Error> Interrupts::stopped() {
  switch (first_signal) {
    case SIGTERM: return fail(Code::cancelled, "ended by SIGTERM");
    case SIGHUP: return fail(Code::cancelled, "ended by SIGHUP");
    default: return fail(Code::cancelled, "stopped by Ctrl-C");
  }
}

int Interrupts::exit_code() { return first_signal == 0 ? 0 : 128 + static_cast<int>(first_signal); }

UnfinishedFile::UnfinishedFile(const std::string& path) {
  if (path.size() >= sizeof unfinished) return;
  std::memcpy(unfinished, path.c_str(), path.size() + 1);
  has_unfinished = true;
}

UnfinishedFile::~UnfinishedFile() { has_unfinished = false; }

}  // namespace wisp::cli
