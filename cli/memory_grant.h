// How much memory a model may have on this machine, decided before it is loaded.
#pragma once

#include "base/result.h"
#include "gguf/reader.h"
#include "model_options.h"
#include "runtime/engine.h"

namespace wisp::cli {

// With --memory-limit: refuses what would pass it. Without: what the system has available counts, less a tenth for
// everybody else. Weights that do not fit are refused (the system would end the process some time later); keys and
// values get what is left, as EngineOptions::kv_bytes, with a remark where that is less than the context may take.
// Systems that do not tell their memory grant everything.
Status grant_memory(const gguf::File& file, const ModelOptions& options, runtime::EngineOptions& engine);

}  // namespace wisp::cli
