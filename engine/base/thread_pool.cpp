#include "base/thread_pool.h"

#include <new>

#include "base/wait.h"

#if !defined(__wasm__)
#include <pthread.h>
#include <system_error>
#include <thread>
#include <vector>
#endif

#if defined(__wasm__)
// Whether the module's memory is shared. Each module says it for itself (api/wasm_support.cpp): this library is linked
// to all.
extern "C" bool wisp_module_has_threads();
#endif

namespace wisp {

namespace {
// More than any machine this runs on; a bound so that a typo does not start a million threads.
constexpr int kMaxThreads = 1024;

void wait_for_zero(std::atomic<std::uint32_t>& word) {
  for (std::uint32_t left = word.load(std::memory_order_acquire); left != 0;
       left = word.load(std::memory_order_acquire)) {
    wait_while_equal(word, left);
  }
}
}  // namespace

#if defined(__wasm__)
struct ThreadPool::Threads {};
#else
// pthreads directly: std::thread reports a refusal by exception, which the engine does not have.
struct ThreadPool::Threads {
  struct Start {
    ThreadPool* pool;
    int worker;
  };
  std::vector<Start> starts;
  std::vector<pthread_t> handles;
};
#endif

ThreadPool::ThreadPool(int threads) : threads_(threads) {}

Result<std::unique_ptr<ThreadPool>> ThreadPool::create(int threads) {
  if (threads < 1 || threads > kMaxThreads) {
    return fail(Code::invalid_argument, "thread count {} is outside 1..{}", threads, kMaxThreads);
  }
#if defined(__wasm__)
  if (threads != 1 && !wisp_module_has_threads())
    return fail(Code::unsupported, "this module was built without threads; {} were asked for", threads);
#endif
  std::unique_ptr<ThreadPool> pool(new (std::nothrow) ThreadPool(threads));
  if (!pool) return fail(Code::out_of_memory, "no memory for a thread pool");
#if !defined(__wasm__)
  pool->native_ = std::make_unique<Threads>();
  Threads& native = *pool->native_;
  native.starts.reserve(static_cast<std::size_t>(threads));
  for (int worker = 1; worker < threads; ++worker) {
    native.starts.push_back({pool.get(), worker});
    pthread_t handle{};
    const int refused = pthread_create(
        &handle, nullptr,
        [](void* raw) -> void* {
          const auto* start = static_cast<Threads::Start*>(raw);
          start->pool->run_worker(start->worker);
          return nullptr;
        },
        &native.starts.back());
    if (refused != 0) {
      pool->threads_ = worker;  // the destructor joins those that did start
      return fail(Code::out_of_memory, "the system refused thread {} of {}", worker + 1, threads);
    }
    native.handles.push_back(handle);
  }
#endif
  return pool;
}

ThreadPool::~ThreadPool() {
  busy_.store(static_cast<std::uint32_t>(threads_ - 1), std::memory_order_relaxed);
  stopping_.store(true, std::memory_order_release);
  generation_.fetch_add(1, std::memory_order_acq_rel);
  wake_all(generation_);
  // A page's workers cannot be joined; they are done with this memory once they have counted themselves out.
  wait_for_zero(busy_);
#if !defined(__wasm__)
  for (const pthread_t handle : native_->handles) pthread_join(handle, nullptr);
#endif
}

void ThreadPool::drain(int worker) {
  for (;;) {
    const std::int64_t task = next_.fetch_add(1, std::memory_order_relaxed);
    if (task >= tasks_) return;
    task_(context_, task, worker);
  }
}

void ThreadPool::run(std::int64_t tasks, Task task, void* context) {
  if (threads_ == 1 || tasks <= 1) {
    for (std::int64_t i = 0; i < tasks; ++i) task(context, i, 0);
    return;
  }
  task_ = task;
  context_ = context;
  tasks_ = tasks;
  next_.store(0, std::memory_order_relaxed);
  busy_.store(static_cast<std::uint32_t>(threads_ - 1), std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  wake_all(generation_);
  drain(0);
  wait_for_zero(busy_);
}

void ThreadPool::run_worker(int worker) {
  std::uint32_t seen = 0;
  for (;;) {
    wait_while_equal(generation_, seen);
    ++seen;  // one job at a time: the caller waits for all workers, so none can be missed
    const bool stopping = stopping_.load(std::memory_order_acquire);
    if (!stopping) drain(worker);
    if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) wake_all(busy_);
    if (stopping) return;
  }
}

}  // namespace wisp
