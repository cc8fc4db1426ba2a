// Checks that run inside the WebAssembly module, called by web/harness/*.mjs: what JavaScript cannot see from outside.
#include <cstdint>
#include <memory>

#include "api/wasm_export.h"
#include "base/thread_pool.h"

// A pool whose workers the page starts: each calls check_pool_worker() with its index. 0 where it was refused.
WISP_EXPORT(check_pool_create) wisp::ThreadPool* check_pool_create(int threads) {
  auto pool = wisp::ThreadPool::create(threads);
  return pool ? pool->release() : nullptr;
}
WISP_EXPORT(check_pool_destroy) void check_pool_destroy(wisp::ThreadPool* pool) { delete pool; }
WISP_EXPORT(check_pool_worker) void check_pool_worker(wisp::ThreadPool* pool, int worker) { pool->run_worker(worker); }

// Runs `jobs` jobs of `tasks` tasks; each adds its index to counts[worker], and its count of one to ran[task], both in
// the page's memory. Nothing is atomic: the pool alone keeps two workers from one task, and the caller from reading
// early.
WISP_EXPORT(check_pool_sum)
void check_pool_sum(wisp::ThreadPool* pool, int jobs, int tasks, double* sums, std::uint32_t* ran) {
  for (int job = 0; job < jobs; ++job) {
    pool->parallel_for(tasks, [&](std::int64_t task, int worker) {
      sums[worker] += static_cast<double>(task);
      ++ran[task];
    });
  }
}
