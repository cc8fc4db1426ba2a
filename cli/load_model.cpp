#include "load_model.h"

#include <algorithm>
#include <cstdio>

#include "cpu/executor.h"
#include "file_storage.h"
#include "gpu/executor.h"
#include "gpu/native/native_device.h"
#include "graph/scalar_executor.h"
#include "interrupt.h"
#include "memory_grant.h"
#include "model_source.h"
#include "output.h"
#include "progress.h"
#include "runtime/kv_setup.h"

namespace wisp::cli {
namespace {

constexpr std::uint64_t kLogitBytes = 256u << 20;

// The rows of the embedding table, which the output matrix has too, as far as they can be believed before the model is
// checked; 1 where there is none (and no model).
std::uint64_t vocabulary_of(const gguf::File& file) {
  const gguf::TensorInfo* table = file.find("token_embd.weight");
  return table == nullptr ? 1 : std::clamp<std::uint64_t>(table->dims[1], 1, 1u << 31);
}

// Nothing where no text is needed; but a vocabulary that contradicts itself is a broken file whoever needs it.
Result<std::unique_ptr<text::Tokenizer>> load_tokenizer(const gguf::File& file, NeedsText text) {
  if (text == NeedsText::no && !file.metadata.has("tokenizer.ggml.model")) return nullptr;
  WISP_TRY(text::Vocabulary vocabulary, text::read_vocabulary(file.metadata));
  if (text == NeedsText::no) return nullptr;
  return text::Tokenizer::create(std::move(vocabulary));
}

Status start_trace(const std::string& path, LoadedModel& model) {
  WISP_TRY(model.trace, create_file(path));
  model.engine->start_trace(
      [file = model.trace.get()](std::string_view bytes) { std::fwrite(bytes.data(), 1, bytes.size(), file); });
  return {};
}

}  // namespace

runtime::EngineOptions one_sequence(std::uint32_t rows) {
  runtime::EngineOptions options;
  options.row_budget = rows;
  options.max_sequences = 1;
  return options;
}

runtime::EngineOptions one_scored_sequence(std::uint32_t rows) {
  runtime::EngineOptions options = one_sequence(rows);
  options.max_logit_rows = rows;
  options.prefix_cache = false;
  return options;
}

Result<std::unique_ptr<graph::Executor>> make_executor(const ModelOptions& options) {
  if (options.device == Device::reference) return graph::make_scalar_executor(graph::Arithmetic::exact);
  if (options.device == Device::gpu) {
    return gpu::make_gpu_executor(
        {.make_device = [adapter = options.gpu] { return gpu::make_native_device({.adapter = adapter}); },
         .deterministic = options.deterministic,
         .tune = options.tune,
         .storage = std::make_shared<FileStorage>(cache_folder())});
  }
  return cpu::make_cpu_executor({.threads = options.threads, .isa = {}, .repack = !options.no_repack});
}

runtime::EngineOptions complete_options(const gguf::File& file, const ModelOptions& options,
                                        runtime::EngineOptions engine) {
  engine.context = {.context = options.context, .window = options.window, .sinks = options.sinks};
  engine.kv_type = options.kv;
  engine.kv_may_narrow = options.kv_may_narrow && options.device == Device::gpu;
  engine.passes_off = options.no_fuse;
  engine.steps_ahead = options.ahead;
  engine.row_budget = std::max(engine.row_budget, engine.max_sequences);
  const std::uint64_t row_bytes = sizeof(float) * vocabulary_of(file);
  const std::uint64_t most_rows = std::max<std::uint64_t>(1, kLogitBytes / row_bytes);
  engine.max_logit_rows = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(
      engine.max_logit_rows, engine.max_sequences, std::max<std::uint64_t>(most_rows, engine.max_sequences)));
  engine.max_logit_rows = std::min(engine.max_logit_rows, engine.row_budget);
  return engine;
}

Result<ModelShape> shape_of(const gguf::File& file, const ModelOptions& options) {
  WISP_TRY(
      const model::Model model,
      model::Model::from_file(file, {.context = options.context, .window = options.window, .sinks = options.sinks}));
  return ModelShape{.vocabulary = model.graph().vocabulary,
                    .positions = options.window ? runtime::kEndlessPositions : model.context()};
}

Result<OpenedModel> open_model(const ModelOptions& options, NeedsText text) {
  OpenedModel opened;
  WISP_TRY(const std::string path,
           local_path({.name = options.path, .offline = options.offline, .quiet = options.quiet}));
  WISP_TRY(opened.file, gguf::open_model(path));
  // Before the vocabulary: of a model that is foreign in both ways, the architecture says more.
  WISP_CHECK(model::check_architecture(opened.file.metadata));
  WISP_TRY(opened.tokenizer, load_tokenizer(opened.file, text));
  return opened;
}

Result<LoadedModel> load_model(OpenedModel opened, const ModelOptions& options, runtime::EngineOptions engine) {
  LoadedModel model;
  model.tokenizer = std::move(opened.tokenizer);
  engine.tokenizer = model.tokenizer.get();
  engine = complete_options(opened.file, options, std::move(engine));
  if (!options.trace.empty()) WISP_CHECK(refuse_model_as_output(opened.file, "--trace", options.trace));
  WISP_CHECK(grant_memory(opened.file, options, engine));
  WISP_TRY(std::unique_ptr<graph::Executor> executor, make_executor(options));

  Progress progress("loading", !options.quiet);
  const auto show = [&](std::uint64_t done, std::uint64_t total) {
    progress.show(done, total, fmt::format("{} of {}", format_bytes(done), format_bytes(total)));
    return !Interrupts::pending();
  };
  WISP_TRY(model.engine, runtime::Engine::create(std::move(opened.file), std::move(engine), std::move(executor), show));
  if (!options.trace.empty()) WISP_CHECK(start_trace(options.trace, model));
  return model;
}

Result<LoadedModel> load_model(const ModelOptions& options, NeedsText text, runtime::EngineOptions engine) {
  WISP_TRY(OpenedModel opened, open_model(options, text));
  return load_model(std::move(opened), options, std::move(engine));
}

Status end_trace(LoadedModel& model) {
  if (model.trace == nullptr) return {};
  model.engine->stop_trace();  // writes the end
  return close_file(std::move(model.trace), "the trace");
}

}  // namespace wisp::cli
