#include "base/log.h"

#include <atomic>

namespace wisp {

namespace {
std::atomic<LogSink> g_sink = nullptr;
}

void set_log_sink(LogSink sink) { g_sink.store(sink); }

void log_text(LogLevel level, std::string_view text) {
  if (const LogSink sink = g_sink.load()) sink(level, text);
}

}  // namespace wisp
