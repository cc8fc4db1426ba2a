// Where the engine's remarks go. The default sink drops them; a program installs its own (the CLI writes to stderr),
// and a caller of the C interface one for each engine.
#pragma once

#include <string_view>

#include "base/format.h"

namespace wisp {

enum class LogLevel { debug, info, warning };

// Called from any thread that logs; must not call back into the engine. Set once, before engines are made.
using LogSink = void (*)(LogLevel level, std::string_view text);
void set_log_sink(LogSink sink);
void log_text(LogLevel level, std::string_view text);

// A sink with something of its own to write to; none where `write` is nullptr.
struct LogTarget {
  void (*write)(void* context, LogLevel level, std::string_view text) = nullptr;
  void* context = nullptr;
};
// While it lives, what its thread logs goes there in place of the program's sink. They nest.
class LogScope {
 public:
  explicit LogScope(const LogTarget& target);
  ~LogScope();
  LogScope(const LogScope&) = delete;
  LogScope& operator=(const LogScope&) = delete;

 private:
  const LogTarget* before_;
};

template <class... Args>
void log_warning(fmt::format_string<Args...> text, Args&&... args) {
  log_text(LogLevel::warning, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void log_info(fmt::format_string<Args...> text, Args&&... args) {
  log_text(LogLevel::info, fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace wisp
