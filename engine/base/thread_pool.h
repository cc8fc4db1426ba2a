// Persistent workers and one verb: parallel_for over tiles. Work is cut by the caller, so the result of a step cannot
// depend on how many threads there are; a thread only decides who computes a tile, never what a tile is.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "base/result.h"

namespace wisp {

class ThreadPool {
 public:
  // `threads` counts the caller, so 1 means no workers. Natively the workers are started here; in wasm the page starts
  // them, and each calls run_worker() with its own index in 1..threads-1.
  static Result<std::unique_ptr<ThreadPool>> create(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  [[nodiscard]] int threads() const { return threads_; }

  // Calls body(task, worker) for every task in [0, tasks), in any order, on any thread; returns when all are done.
  // `worker` is in [0, threads()) and fixed per thread: an index for scratch memory. Not reentrant; one caller at a
  // time.
  template <class Body>
  void parallel_for(std::int64_t tasks, Body&& body) {
    using Plain = std::remove_reference_t<Body>;
    run(
        tasks, [](void* context, std::int64_t task, int worker) { (*static_cast<Plain*>(context))(task, worker); },
        const_cast<void*>(static_cast<const void*>(&body)));
  }

  // A worker's life; returns when the pool is destroyed. Called by the pool's own threads, and by wasm's.
  void run_worker(int worker);

 private:
  explicit ThreadPool(int threads);
  using Task = void (*)(void* context, std::int64_t task, int worker);
  void run(std::int64_t tasks, Task task, void* context);
  void drain(int worker);

  struct Threads;  // native std::thread handles
  std::unique_ptr<Threads> native_;
  int threads_ = 1;
  Task task_ = nullptr;
  void* context_ = nullptr;
  std::int64_t tasks_ = 0;
  // Each on a line of its own: the first is written by the caller, the others by everybody.
  alignas(64) std::atomic<std::uint32_t> generation_ = 0;  // counts jobs; a change announces one
  alignas(64) std::atomic<std::int64_t> next_ = 0;         // the next unclaimed task
  alignas(64) std::atomic<std::uint32_t> busy_ = 0;        // workers that have not finished the current job
  std::atomic<bool> stopping_ = false;
};

}  // namespace wisp
