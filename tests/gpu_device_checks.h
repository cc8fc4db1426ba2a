// What every gpu::Device must do, written once without GoogleTest: natively gpu_device_checks_test.cpp runs these, in
// Node and in browsers the WebAssembly module does (web/harness/gpu_checks.cpp). A check is a coroutine that waits for
// events, since a page cannot block for them.
#pragma once

#include <coroutine>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "gpu/device/commands.h"
#include "gpu/device/device.h"

namespace wisp::test {

// A check under way. It ends with a sentence that says what was wrong, or none.
class GpuCheck {
 public:
  enum class State : std::uint8_t { waiting, passed, skipped, failed };

  // Goes on as far as the device's events allow. The device must outlive it.
  State poll();
  // Why it failed or was skipped.
  [[nodiscard]] const std::string& reason() const { return handle_.promise().reason; }

  struct promise_type {
    std::function<bool()> ready;  // what the check waits for; empty: nothing
    std::string reason;
    bool skipped = false;

    GpuCheck get_return_object() { return GpuCheck(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_value(std::string failure) { reason = std::move(failure); }
    void unhandled_exception() {}
  };

  GpuCheck(GpuCheck&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  GpuCheck& operator=(GpuCheck&&) = delete;
  GpuCheck(const GpuCheck&) = delete;
  GpuCheck& operator=(const GpuCheck&) = delete;
  ~GpuCheck() {
    if (handle_) handle_.destroy();
  }

 private:
  explicit GpuCheck(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

struct GpuCheckCase {
  const char* name;
  GpuCheck (*start)(gpu::Device& device);
  // The device that it wants, always one of its own.
  std::uint32_t max_binding_bytes = 0;  // lowered to this; 0: the adapter's
  bool without_features = false;        // none of f16, subgroups, packed dot, timestamps
};

std::span<const GpuCheckCase> gpu_device_checks();

}  // namespace wisp::test
