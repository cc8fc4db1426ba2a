// A lock that is passed on in the order in which it was asked for, so that nobody who steps an engine keeps those out
// who want to submit. Natively and in wasm, where the C++ library has none.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/wait.h"

namespace wisp::api {

class TurnLock {
 public:
  void take() {
    const std::uint32_t mine = next_.fetch_add(1, std::memory_order_relaxed);
    for (std::uint32_t now = serving_.load(std::memory_order_acquire); now != mine;
         now = serving_.load(std::memory_order_acquire)) {
      wait_while_equal(serving_, now);
    }
    holder_.store(this_thread(), std::memory_order_relaxed);
  }
  void give() {
    holder_.store(nullptr, std::memory_order_relaxed);
    serving_.fetch_add(1, std::memory_order_release);
    wake_all(serving_);
  }
  // The calling thread has it: to take it again would never end.
  [[nodiscard]] bool is_mine() const { return holder_.load(std::memory_order_relaxed) == this_thread(); }

 private:
  static const void* this_thread() {
    static thread_local char mark = 0;
    return &mark;
  }

  std::atomic<std::uint32_t> next_ = 0, serving_ = 0;
  std::atomic<const void*> holder_ = nullptr;
};

// Holds it while it lives.
class Turn {
 public:
  explicit Turn(TurnLock& lock) : lock_(lock) { lock_.take(); }
  ~Turn() { lock_.give(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  TurnLock& lock_;
};

}  // namespace wisp::api
