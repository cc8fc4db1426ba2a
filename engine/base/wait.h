// Sleep until a 32-bit word changes, and wake the sleepers: a futex natively, memory.atomic.wait in wasm.
#pragma once

#include <atomic>
#include <cstdint>

namespace wisp {

// Busy-waits this many rounds before sleeping: 25 us on Zen 4, 40 us on Sapphire Rapids (a pause takes 25 and 40 ns
// there). The barriers of a decode step are a few microseconds to some tens apart, so workers stay awake inside a step;
// between steps, and where others want the processor, they sleep. Waking a sleeper costs 5 us on bare metal and up to
// 50 us in a virtual machine.
#if defined(__wasm__)
// There is no pause in wasm: a round is a load and a branch, 0.25 ns in V8 on Zen 5. With 1,000 rounds workers slept at
// every barrier, and a decode step of a small model in Chromium took 1.2 times as long; 100,000 gained nothing more.
inline constexpr int kSpinRounds = 40'000;
#else
inline constexpr int kSpinRounds = 1000;
#endif

inline void spin_pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Returns once `word` differs from `old`.
inline void wait_while_equal(std::atomic<std::uint32_t>& word, std::uint32_t old) {
  for (int round = 0; round < kSpinRounds; ++round) {
    if (word.load(std::memory_order_acquire) != old) return;
    spin_pause();
  }
  while (word.load(std::memory_order_acquire) == old) {
#if defined(__wasm__)
#if defined(__wasm_atomics__)
    __builtin_wasm_memory_atomic_wait32(reinterpret_cast<int*>(&word), static_cast<int>(old), -1);
#endif
#else
    word.wait(old, std::memory_order_acquire);
#endif
  }
}

inline void wake_all([[maybe_unused]] std::atomic<std::uint32_t>& word) {
#if defined(__wasm__)
#if defined(__wasm_atomics__)
  __builtin_wasm_memory_atomic_notify(reinterpret_cast<int*>(&word), 0xFFFFFFFFu);
#endif
#else
  word.notify_all();
#endif
}

}  // namespace wisp
