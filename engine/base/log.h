// Where the engine's remarks go. The default sink drops them; a program installs its own (the CLI writes to stderr).
#pragma once

#include <string_view>

#include "base/format.h"

namespace wisp {

enum class LogLevel { debug, info, warning };

// Called from any thread that logs; must not call back into the engine. Set once, before engines are made.
using LogSink = void (*)(LogLevel level, std::string_view text);
void set_log_sink(LogSink sink);
void log_text(LogLevel level, std::string_view text);

template <class... Args>
void log_warning(fmt::format_string<Args...> text, Args&&... args) {
  log_text(LogLevel::warning, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void log_info(fmt::format_string<Args...> text, Args&&... args) {
  log_text(LogLevel::info, fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace wisp
