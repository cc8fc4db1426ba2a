// A model as its file describes it: hyperparameters and the graph of its architecture, checked against the tensors that
// are there. Holds no weights; executors load those.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gguf/reader.h"
#include "graph/graph.h"

namespace wisp::model {

// What the user decides about the context; it shapes the graph (RoPE factors, windows).
struct ContextOptions {
  std::uint32_t context = 0;             // positions; 0 = min(trained context, 4096)
  std::optional<std::uint32_t> window;   // --window: every layer sees at most this many recent positions ...
  std::uint32_t sinks = 0;               // ... and the first `sinks` ones
};

inline constexpr std::uint32_t kDefaultContext = 4096;

// The numbers every architecture shares. All checked: positive, bounded, consistent.
struct Hyperparameters {
  std::string architecture;         // general.architecture
  std::uint32_t layers = 0;         // block_count
  std::uint32_t d_model = 0;        // embedding_length
  std::uint32_t feed_forward = 0;   // feed_forward_length
  std::uint32_t heads = 0;          // attention.head_count
  std::uint32_t kv_heads = 0;       // attention.head_count_kv, or heads
  std::uint32_t head_dim = 0;       // attention.key_length, or d_model / heads
  std::uint32_t trained_context = 0;
  std::uint32_t vocabulary = 0;     // rows of the embedding table
  float norm_eps = 0;
};

// The architectures this build knows, sorted: "gemma2", "gemma3", "llama", ...
std::vector<std::string_view> known_architectures();

class Model {
 public:
  // Reads hyperparameters and builds the (unfused) graph. Refuses by name: an unknown architecture (listing the known
  // ones), a missing or misshapen tensor, a hyperparameter out of range.
  static Result<Model> from_file(const gguf::File& file, const ContextOptions& options);

  [[nodiscard]] const Hyperparameters& hyperparameters() const { return hyper_; }
  [[nodiscard]] const graph::Graph& graph() const { return graph_; }
  [[nodiscard]] std::uint32_t context() const { return context_; }
  [[nodiscard]] std::uint64_t parameters() const { return parameters_; }  // weights the graph uses, each once

 private:
  Hyperparameters hyper_;
  graph::Graph graph_;
  std::uint32_t context_ = 0;
  std::uint64_t parameters_ = 0;
};

}  // namespace wisp::model
