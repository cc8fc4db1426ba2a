// Catches the errors of what its own thread asks of the library while it lives.
//
// The library's scopes are of no use with threads: wgpu-native 29 has one stack of them a device, whoever pushes, so
// that the error of one thread ends in the scope of another (seen on a machine of 16 cores: a broken kernel passed for
// good and a good one for broken). So none is pushed there. Every error comes to the device's uncaptured-error
// callback, at once and on the thread that caused it, and that offers it to the thread's innermost ErrorScope first.
#pragma once

#include <string>

#include "gpu/native/library.h"

namespace wisp::gpu {

class ErrorScope {
 public:
  ErrorScope();
  ~ErrorScope();
  ErrorScope(const ErrorScope&) = delete;
  ErrorScope& operator=(const ErrorScope&) = delete;

  [[nodiscard]] bool failed() const { return failed_; }
  // Of the first error.
  [[nodiscard]] const std::string& message() const { return message_; }

  // For the callback: true where a scope of the calling thread has taken the error.
  static bool offer(WGPUStringView message);

 private:
  ErrorScope* outer_;
  bool failed_ = false;
  std::string message_;
};

}  // namespace wisp::gpu
