#include "api/memory_estimate.h"

#include <algorithm>
#include <memory>

#include "cpu/cpu_info.h"
#include "cpu/memory_needs.h"
#include "graph/hidden_output.h"
#include "graph/passes.h"
#include "graph/plan.h"
#include "runtime/kv_setup.h"

namespace wisp::api {
namespace {

// Bytes that the vocabulary takes once it is read: each text with its string object, its kind, score and place in the
// index of texts; each merge with its rank in the table of pairs.
std::uint64_t vocabulary_bytes(const gguf::Metadata& metadata) {
  constexpr std::uint64_t kPerText = 2 * sizeof(std::string) + 48;
  std::uint64_t bytes = 0;
  for (const char* key : {"tokenizer.ggml.tokens", "tokenizer.ggml.merges"}) {
    const auto texts = metadata.array(key);
    if (!texts) continue;
    for (const std::string& text : (*texts)->strings) bytes += kPerText + text.size();
  }
  return bytes;
}

// What the header itself becomes in memory: it stays with the engine.
std::uint64_t header_bytes(const gguf::File& file) {
  std::uint64_t bytes = 0;
  for (const auto& [key, value] : file.metadata.entries()) {
    const auto* array = std::get_if<std::shared_ptr<gguf::Array>>(&value.data);
    if (array == nullptr || *array == nullptr) continue;
    bytes += (*array)->strings.size() * sizeof(std::string) + (*array)->integers.size() * sizeof(std::int64_t) +
             (*array)->floats.size() * sizeof(double);
    for (const std::string& text : (*array)->strings) bytes += text.size() < 16 ? 0 : text.size() + 1;
  }
  return bytes;
}

}  // namespace

Result<MemoryEstimate> estimate_memory(const gguf::File& file, const runtime::EngineOptions& options, int threads,
                                       bool repack) {
  WISP_TRY(const model::Model model, model::Model::from_file(file, options.context));
  graph::Graph fused = model.graph();
  if (options.output == graph::Output::hidden) WISP_CHECK(graph::cut_to_hidden(fused));
  WISP_CHECK(graph::fuse(fused, options.passes_off));
  const std::uint32_t longest = options.context.window ? runtime::kEndlessPositions : model.context();
  WISP_TRY(const kv::KvConfig kv, runtime::make_kv_config(fused.kv, longest, options));
  WISP_TRY(const graph::Plan plan, graph::make_plan(std::make_shared<const graph::Graph>(std::move(fused)),
                                                    graph::row_bucket(options.row_budget), options.max_logit_rows));
  if (threads <= 0) threads = cpu::cpu_info().logical_cores;
  const cpu::MemoryNeeds needs = cpu::memory_needs(plan, options.kv_type, kv.n_blocks, threads, repack);
  return MemoryEstimate{.weights = needs.weights,
                        .kv = needs.kv,
                        .activations = needs.activations,
                        .vocabulary = vocabulary_bytes(file.metadata) + header_bytes(file),
                        .in_place = needs.in_place,
                        .context = model.context()};
}

Result<std::uint32_t> largest_context(const gguf::File& file, runtime::EngineOptions options, int threads, bool repack,
                                      std::uint32_t most, std::uint64_t bytes) {
  std::uint32_t fits = 0;  // blocks
  std::uint32_t too_many = most / kv::kBlockPositions + 1;
  // The estimate grows with the context, so halving finds the limit.
  while (too_many - fits > 1) {
    const std::uint32_t middle = fits + (too_many - fits) / 2;
    options.context.context = middle * kv::kBlockPositions;
    WISP_TRY(const MemoryEstimate estimate, estimate_memory(file, options, threads, repack));
    (estimate.total() <= bytes ? fits : too_many) = middle;
  }
  return fits * kv::kBlockPositions;
}

}  // namespace wisp::api
