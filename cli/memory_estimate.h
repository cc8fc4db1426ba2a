// What a model will take with the options of a command, from its header alone (api/memory_estimate.h).
#pragma once

#include <cstdint>

#include "api/memory_estimate.h"
#include "base/result.h"
#include "gguf/reader.h"
#include "model_options.h"
#include "runtime/engine.h"

namespace wisp::cli {

using api::MemoryEstimate;

// `engine` says rows, sequences and logits rows; its other fields come from `options` as load_model() would fill them.
Result<MemoryEstimate> estimate_memory(const gguf::File& file, const ModelOptions& options,
                                       const runtime::EngineOptions& engine);

// The longest context, in steps of a KV block and at most `most`, with which the estimate stays within `bytes`; 0 where
// none does.
Result<std::uint32_t> largest_context(const gguf::File& file, const ModelOptions& options,
                                      const runtime::EngineOptions& engine, std::uint32_t most, std::uint64_t bytes);

}  // namespace wisp::cli
