#include "memory_estimate.h"

#include "load_model.h"

namespace wisp::cli {

Result<MemoryEstimate> estimate_memory(const gguf::File& file, const ModelOptions& options,
                                       const runtime::EngineOptions& engine) {
  return api::estimate_memory(file, complete_options(file, options, engine), options.threads, !options.no_repack);
}

Result<std::uint32_t> largest_context(const gguf::File& file, const ModelOptions& options,
                                      const runtime::EngineOptions& engine, std::uint32_t most, std::uint64_t bytes) {
  return api::largest_context(file, complete_options(file, options, engine), options.threads, !options.no_repack, most,
                              bytes);
}

}  // namespace wisp::cli
