#include "interrupt.h"

#include <unistd.h>

#include <csignal>

#include "output.h"

namespace wisp::cli {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
volatile std::sig_atomic_t interrupted = 0;
volatile std::sig_atomic_t ending = 0;

void on_signal(int signal) {
  if (interrupted != 0) _exit(kRefused);
  interrupted = 1;
  if (signal != SIGINT) ending = 1;
}

void handle_with(void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  // No SA_RESTART: a read from the terminal returns, so that the loop around it looks at the flag.
  for (const int signal : kSignals) sigaction(signal, &action, nullptr);
}

}  // namespace

Interrupts::Interrupts() { handle_with(on_signal); }
Interrupts::~Interrupts() { handle_with(SIG_DFL); }
bool Interrupts::pending() { return interrupted != 0; }
bool Interrupts::must_end() { return ending != 0; }
void Interrupts::clear() { interrupted = 0; }

}  // namespace wisp::cli
