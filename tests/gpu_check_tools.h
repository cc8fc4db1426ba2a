// What checks of a device (gpu_device_checks.h) wait with.
#pragma once

#include <coroutine>
#include <functional>
#include <string>

#include "base/format.h"
#include "tests/gpu_device_checks.h"

namespace wisp::test {

// Ends the check where a promise is broken.
#define CHECK_THAT(condition, ...) \
  if (!(condition)) co_return fmt::format(__VA_ARGS__)

// co_await Until{...}: the check goes on when that holds.
struct Until {
  std::function<bool()> holds;
  [[nodiscard]] bool await_ready() const { return holds(); }
  void await_suspend(std::coroutine_handle<GpuCheck::promise_type> handle) { handle.promise().ready = holds; }
  void await_resume() const {}
};

// co_await event_of(device, ticket): the event; one that says so when the device was lost before.
struct EventOf : Until {
  EventOf(gpu::Device& from, gpu::Ticket of)
      : Until{[&from, of] { return from.has(of) || !from.lost().empty(); }}, device(from), ticket(of) {}
  gpu::Event await_resume() const {
    return device.take(ticket).value_or(gpu::Event{gpu::Event::Kind::done, false, false, "lost: " + device.lost()});
  }
  gpu::Device& device;
  gpu::Ticket ticket;
};

// co_await error_of(device): the next uncaptured error.
struct ErrorOf : Until {
  ErrorOf(gpu::Device& from, std::string& error)
      : Until{[&from, &error] {
          if (error.empty()) error = from.take_uncaptured_error();
          return !error.empty();
        }} {}
};

// co_return skip(...) leaves a check out.
struct Skip {
  std::string reason;
  [[nodiscard]] bool await_ready() const { return false; }
  bool await_suspend(std::coroutine_handle<GpuCheck::promise_type> handle) const {
    handle.promise().skipped = true;
    return false;
  }
  [[nodiscard]] std::string await_resume() const { return reason; }
};

}  // namespace wisp::test
