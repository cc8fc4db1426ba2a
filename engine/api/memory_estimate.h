// What a model will take on the CPU, from its header alone.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "gguf/reader.h"
#include "runtime/engine.h"

namespace wisp::api {

struct MemoryEstimate {
  std::uint64_t weights = 0;
  std::uint64_t kv = 0;  // every sequence as long as the context
  std::uint64_t activations = 0;
  std::uint64_t vocabulary = 0;  // texts, merges and indices, where text is needed
  std::uint64_t in_place = 0;  // read in the mapped file as needed; the system may drop these pages, so not in total()
  std::uint32_t context = 0;   // positions of a sequence

  [[nodiscard]] std::uint64_t total() const { return weights + kv + activations + vocabulary; }
};

// For an engine of these options; `threads` and `repack` as cpu::CpuOptions has them. Reads nothing beyond the header.
Result<MemoryEstimate> estimate_memory(const gguf::File& file, const runtime::EngineOptions& options, int threads,
                                       bool repack);

// The longest context, in steps of a KV block and at most `most`, with which the estimate stays within `bytes`; 0 where
// none does.
Result<std::uint32_t> largest_context(const gguf::File& file, runtime::EngineOptions options, int threads, bool repack,
                                      std::uint32_t most, std::uint64_t bytes);

}  // namespace wisp::api
