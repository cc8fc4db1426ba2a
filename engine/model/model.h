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
#include "model/hyperparameters.h"

namespace wisp::model {

// What the user decides about the context; it shapes the graph (RoPE factors, windows).
struct ContextOptions {
  std::uint32_t context = 0;  // positions; 0 = min(trained context, 4096)
  // --window: every layer sees at most this many recent positions, and the first `sinks` ones. A layer whose own window
  // is at most as wide stays as it was trained: without sinks.
  std::optional<std::uint32_t> window = std::nullopt;
  std::uint32_t sinks = 0;
};

inline constexpr std::uint32_t kDefaultContext = 4096;

// The architectures this build knows, sorted: "gemma2", "gemma3", "llama", ...
std::vector<std::string_view> known_architectures();

// Refuses an architecture that is not known, by name and with the list of known ones.
Status check_architecture(const gguf::Metadata& metadata);

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
