// What a module exports beside the functions of wisp.h: what only a page can bring, threads and the GPU's device. Plain
// C over 32-bit pointers into the module's memory; web/harness/model.mjs shows the calls. Allocation has no lock in
// this C library: one thread calls all of this but wisp_pool_run_worker().
#include <cstdint>
#include <memory>
#include <utility>

#include "api/engine_handle.h"
#include "api/wasm_export.h"
#include "base/thread_pool.h"
#include "gpu/js/js_device.h"

using wisp::Code;
using wisp::fail;
using wisp::Status;
using wisp::ThreadPool;
using wisp::api::is_valid;

// ---- threads ----

// `threads` counts the caller. 0: more than this module can have, or no memory.
WISP_EXPORT(wisp_pool_create) ThreadPool* wisp_pool_create(std::int32_t threads) {
  auto pool = ThreadPool::create(threads);
  return pool ? pool->release() : nullptr;
}
// After the engines that use it. Waits for the workers to leave wisp_pool_run_worker(); they may be terminated then.
WISP_EXPORT(wisp_pool_destroy) void wisp_pool_destroy(ThreadPool* pool) { delete pool; }
// The life of worker 1..threads-1, each on a thread of its own. All of them must have been started before an engine is
// made.
WISP_EXPORT(wisp_pool_run_worker) void wisp_pool_run_worker(ThreadPool* pool, std::int32_t worker) {
  pool->run_worker(worker);
}
// The threads of engines made with these options, in place of "threads"; of one engine at a time.
WISP_EXPORT(wisp_options_set_pool) void wisp_options_set_pool(wisp_options* options, ThreadPool* pool) {
  if (is_valid(options)) options->host->pool = pool;
}

// ---- the page's device ----

// The device of the next engine made with these options, which are for "gpu". It is taken; of wisp_gpu_create().
WISP_EXPORT(wisp_options_set_device) void wisp_options_set_device(wisp_options* options, wisp::gpu::JsDevice* device) {
  if (is_valid(options)) options->host->device.reset(device);
}
// 1: the device was lost, and requests go on with the one that wisp_engine_give_device() takes.
WISP_EXPORT(wisp_engine_wants_device) std::int32_t wisp_engine_wants_device(const wisp_engine* engine) {
  return is_valid(engine) && engine->slot->wanted ? 1 : 0;
}
WISP_EXPORT(wisp_engine_give_device)
wisp_status wisp_engine_give_device(wisp_engine* engine, wisp::gpu::JsDevice* device, wisp_error* error) {
  std::unique_ptr<wisp::gpu::Device> given(device);
  return wisp::api::answer(error, [&]() -> Status {
    WISP_CHECK(wisp::api::check(engine, "the engine"));
    if (!engine->slot->wanted) return fail(Code::invalid_argument, "no device was lost, so none is wanted");
    engine->slot->device = std::move(given);
    engine->slot->wanted = false;
    return {};
  });
}
