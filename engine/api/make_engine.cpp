// From a model and options to an engine.
#include <utility>

#include "api/engine_handle.h"
#include "cpu/executor.h"
#include "gpu/executor.h"
#include "graph/scalar_executor.h"
#include "model/model.h"
#if !defined(__wasm__)
#include "gpu/native/native_device.h"
#endif

namespace wisp::api {
namespace {

void write_log(void* context, LogLevel level, std::string_view text) {
  const auto* const log = static_cast<const LogCallback*>(context);
  if (log->function != nullptr) log->function(log->context, static_cast<int>(level), text.data(), text.size());
}

// The executor asks for its first device at once, and for another one after a loss.
Result<std::unique_ptr<gpu::Device>> next_device([[maybe_unused]] const std::string& adapter, DeviceSlot& slot) {
#if defined(__wasm__)
  slot.wanted = slot.device == nullptr;
  return std::move(slot.device);
#else
  if (slot.device != nullptr) return std::move(slot.device);
  return gpu::make_native_device({.adapter = adapter});
#endif
}

Result<std::unique_ptr<graph::Executor>> make_executor(const EngineChoice& choice, ThreadPool* pool,
                                                       wisp_engine& made) {
  switch (choice.device) {
    case DeviceKind::reference: return graph::make_scalar_executor(graph::Arithmetic::exact);
    case DeviceKind::cpu:
      return cpu::make_cpu_executor({.threads = pool == nullptr ? choice.threads : pool->threads(),
                                     .isa = {},
                                     .repack = choice.repack,
                                     .pool = pool});
    case DeviceKind::gpu: break;
  }
  gpu::GpuOptions gpu;
  gpu.make_device = [adapter = choice.adapter, slot = made.slot] { return next_device(adapter, *slot); };
  gpu.deterministic = choice.deterministic;
  gpu.tune = choice.tune;
  gpu.storage = made.storage;
  return gpu::make_gpu_executor(std::move(gpu));
}

}  // namespace

Result<std::unique_ptr<wisp_engine>> begin_engine(const wisp_model* model, const wisp_options* options) {
  WISP_CHECK(check(model, "the model"));
  WISP_TRY(std::unique_ptr<EngineChoice> choice, choice_of(options));
  auto made = std::make_unique<wisp_engine>();
  made->model = model->opened;
  made->slot = std::make_shared<DeviceSlot>();
  made->storage = std::make_shared<gpu::MemoryStorage>();
  made->most_event_bytes = choice->event_bytes;
  made->runs_by_itself = choice->device == DeviceKind::gpu;
  runtime::LoadProgress progress;
  ThreadPool* pool = nullptr;
  if (options != nullptr) {
    made->log = options->log;
    made->storage->texts() = options->texts;
    pool = options->host->pool;
    made->slot->device = std::move(options->host->device);
    if (options->load.function != nullptr) {
      progress = [load = options->load](std::uint64_t done, std::uint64_t total) {
        return load.function(load.context, done, total) == 0;
      };
    }
  }
  made->log_target = {.write = write_log, .context = &made->log};
  const LogScope scope(made->log_target);

  // Before the vocabulary: of a model that is foreign in both ways, the architecture says more.
  WISP_CHECK(model::check_architecture(made->model->file().metadata));
  WISP_TRY(choice->engine.tokenizer, made->model->tokenizer());
  choice->engine.file_stays = !made->model->may_forget();
  WISP_TRY(std::unique_ptr<graph::Executor> executor, make_executor(*choice, pool, *made));
  WISP_TRY(made->engine, runtime::Engine::begin(made->model->share_file(), std::move(choice->engine),
                                                std::move(executor), std::move(progress)));
  return made;
}

Result<std::unique_ptr<wisp_engine>> make_engine(const wisp_model* model, const wisp_options* options) {
  WISP_TRY(std::unique_ptr<wisp_engine> made, begin_engine(model, options));
  const LogScope scope(made->log_target);
  WISP_CHECK(made->engine->load());
  return made;
}

}  // namespace wisp::api
