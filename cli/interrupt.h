// Ctrl-C asks politely: the loop that works notices, stops at a clean point and says so. Work that takes long to get
// there is not waited for, and neither is anything after a second signal: the process ends at once, without what it was
// writing. Never by the signal itself: with 128 and the signal's number, as shells tell it (130 for Ctrl-C).
#pragma once

#include <string>

#include "base/result.h"

namespace wisp::cli {

// Once, before anything else: SIGINT, SIGTERM and SIGHUP end the process at once.
void set_up_interrupts();

// While one lives, these signals set a flag, and the process ends at once only some seconds later.
class Interrupts {
 public:
  enum class CtrlC : std::uint8_t { ends_command, breaks_off };
  // `breaks_off`: Ctrl-C stops a part of the work only, so however long that takes, the process goes on.
  explicit Interrupts(CtrlC meaning = CtrlC::ends_command);
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  [[nodiscard]] static bool pending();
  // The process was asked to end (SIGTERM, SIGHUP), not only to break off what it does.
  [[nodiscard]] static bool must_end();
  static void clear();
  // Code::cancelled, with what came.
  [[nodiscard]] static std::unexpected<Error> stopped();
  // What the process ends with after it stopped cleanly: 128 and the signal; 0 where none came.
  [[nodiscard]] static int exit_code();
};

// While one lives, the process removes this file when it ends at once. One at a time.
class UnfinishedFile {
 public:
  explicit UnfinishedFile(const std::string& path);
  ~UnfinishedFile();
  UnfinishedFile(const UnfinishedFile&) = delete;
  UnfinishedFile& operator=(const UnfinishedFile&) = delete;
};

}  // namespace wisp::cli
