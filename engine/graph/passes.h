// Fusion: each pass is one function that rewrites a graph without changing a bit of its results, and can be switched
// off by name (--no-fuse NAME|all).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace wisp::graph {

struct Pass {
  std::string_view name;     // "qkv", "gate-up", "norm-matmul", "bias-activation", "residual", "attention-scale"
  std::string_view summary;  // one line for --help
  void (*run)(Graph& graph);
};

// In the order they run.
std::span<const Pass> fusion_passes();

// Runs all passes except the named ones ("all" switches everything off). Code::invalid_argument for an unknown name.
Status fuse(Graph& graph, const std::vector<std::string>& switched_off);

}  // namespace wisp::graph
