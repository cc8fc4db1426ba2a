#include "base/log.h"

#include <atomic>

namespace wisp {

namespace {
std::atomic<LogSink> g_sink = nullptr;
thread_local const LogTarget* t_target = nullptr;
}  // namespace

void set_log_sink(LogSink sink) { g_sink.store(sink); }

LogScope::LogScope(const LogTarget& target) : before_(t_target) { t_target = &target; }
LogScope::~LogScope() { t_target = before_; }

void log_text(LogLevel level, std::string_view text) {
  if (const LogTarget* target = t_target; target != nullptr) {
    if (target->write != nullptr) target->write(target->context, level, text);
  } else if (const LogSink sink = g_sink.load()) {
    sink(level, text);
  }
}

}  // namespace wisp
