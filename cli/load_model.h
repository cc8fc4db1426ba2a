// From options to a model that is ready to run.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "model_options.h"
#include "output_file.h"
#include "runtime/engine.h"
#include "text/tokenizer.h"

namespace wisp::cli {

// Whether a command can do without the vocabulary: --ids needs none.
enum class NeedsText : std::uint8_t { no, yes };

// Later members use earlier ones until they are destroyed.
struct LoadedModel {
  FilePointer trace;
  std::unique_ptr<text::Tokenizer> tokenizer;        // nullptr where no text was needed
  std::unique_ptr<text::Tokenizer> draft_tokenizer;  // of the engine's draft model
  std::unique_ptr<runtime::Engine> engine;
};

// Options for one sequence at a time, in steps of at most `rows` rows.
runtime::EngineOptions one_sequence(std::uint32_t rows = 512);
// The same for scoring: no step adopts what another has computed, and every row of a step may want logits.
runtime::EngineOptions one_scored_sequence(std::uint32_t rows);

// `engine` with the fields that ModelOptions decide, and with no more rows of logits than 256 MiB hold of this model's.
runtime::EngineOptions complete_options(const gguf::File& file, const ModelOptions& options,
                                        runtime::EngineOptions engine);

// A model whose header was read, and its vocabulary where text is needed: enough to refuse early.
struct OpenedModel {
  gguf::File file;
  std::unique_ptr<text::Tokenizer> tokenizer;
};
Result<OpenedModel> open_model(const ModelOptions& options, NeedsText text);

// What the model can take, as its header says: enough to refuse ids and prompts before minutes of loading.
struct ModelShape {
  std::uint32_t vocabulary = 0;
  std::uint32_t positions = 0;  // of a sequence; with --window far more than the context
};
Result<ModelShape> shape_of(const gguf::File& file, const ModelOptions& options);

// Builds the graph and loads the weights, with a bar on stderr where that is a terminal. `engine` is completed as
// above. Ctrl-C gives Code::cancelled; what memory does not hold is refused before it is loaded
// (memory_grant.h).
Result<LoadedModel> load_model(OpenedModel opened, const ModelOptions& options, runtime::EngineOptions engine);
Result<LoadedModel> load_model(const ModelOptions& options, NeedsText text, runtime::EngineOptions engine);

// Completes the --trace file, where one was asked for. Without it (a command that fails) the file holds what came so
// far.
Status end_trace(LoadedModel& model);

// The backend that was asked for, without weights.
Result<std::unique_ptr<graph::Executor>> make_executor(const ModelOptions& options);

}  // namespace wisp::cli
