#include "gpu/native/error_scope.h"

#include <utility>

namespace wisp::gpu {
namespace {

thread_local ErrorScope* innermost = nullptr;

}  // namespace

ErrorScope::ErrorScope() : outer_(std::exchange(innermost, this)) {}

ErrorScope::~ErrorScope() { innermost = outer_; }

bool ErrorScope::offer(WGPUStringView message) {
  if (innermost == nullptr) return false;
  if (!innermost->failed_) innermost->message_ = text_of(message);
  innermost->failed_ = true;
  return true;
}

}  // namespace wisp::gpu
