// Ctrl-C asks politely: the loop that works notices, stops at a clean point and says so. A second one while the first
// still waits ends the process at once.
#pragma once

namespace wisp::cli {

// While one lives, SIGINT, SIGTERM and SIGHUP only set a flag. Commands that look at it hold one; the others keep the
// system's way.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  [[nodiscard]] static bool pending();
  // The process was asked to end (SIGTERM, SIGHUP), not only to break off what it does.
  [[nodiscard]] static bool must_end();
  static void clear();
};

}  // namespace wisp::cli
