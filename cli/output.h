// Where words go and how the process ends: results to stdout, everything else to stderr, and one of four exit codes.
#pragma once

#include <string_view>

#include "base/result.h"

namespace wisp::cli {

// What the process ends with; never a signal. Ctrl-C and its like add 128 and their number (interrupt.h).
inline constexpr int kDone = 0;
inline constexpr int kRefused = 1;  // the input: a file, a prompt, ids; or an output that is closed
inline constexpr int kUsage = 2;    // the command line
inline constexpr int kLacking = 3;  // the machine or a device lacks memory, disk space, instructions

int exit_code(Code code);

// Once, before anything else: a closed pipe becomes an error of a write instead of a signal, standard streams that are
// closed can no longer be taken for the next file that is opened, and the engine's warnings reach stderr.
void set_up_output();

// Bytes of a result to stdout, buffered. Code::device when they cannot be written (a full disk), Code::io when stdout
// is closed; Code::cancelled when the reader has left, which is the end of the work but no failure.
Status print(std::string_view bytes);
Status flush_output();

// Ends a command: flushes stdout, says what went wrong on stderr, gives the exit code.
int finish(const Status& status);

// stderr is a terminal, so progress may be drawn and redrawn.
bool stderr_is_terminal();
// A line on stderr.
void note(std::string_view text);

template <class... Args>
void note(fmt::format_string<Args...> text, Args&&... args) {
  note(std::string_view(fmt::format(text, std::forward<Args>(args)...)));
}

}  // namespace wisp::cli
