#include "graph/passes.h"

#include <algorithm>
#include <array>

#include "graph/passes/fusions.h"

namespace wisp::graph {
namespace {

// qkv and gate-up come before norm-matmul: they leave one reader where the norm had two or three.
constexpr std::array kPasses = {
    Pass{"qkv", "query, key and value projections with bias, head norm, RoPE and KV write", fuse_qkv},
    Pass{"gate-up", "gate and up projections with activation and product", fuse_gate_up},
    Pass{"norm-matmul", "a norm with the only matmul that reads it", fuse_norm_matmul},
    Pass{"bias-activation", "a matmul with its bias and activation", fuse_bias_activation},
    Pass{"residual", "a matmul with the residual addition after it", fuse_residual},
    Pass{"attention-scale", "the scaling of queries with the attention that reads them", fuse_attention_scale},
};

}  // namespace

std::span<const Pass> fusion_passes() { return kPasses; }

Status fuse(Graph& graph, const std::vector<std::string>& switched_off) {
  const auto is_off = [&](std::string_view name) {
    return std::ranges::find(switched_off, name) != switched_off.end();
  };
  for (const std::string& name : switched_off) {
    if (name == "all" || std::ranges::find(kPasses, name, &Pass::name) != kPasses.end()) continue;
    std::string known = "all";
    for (const Pass& pass : kPasses) known.append(", ").append(pass.name);
    return fail(Code::invalid_argument, "no fusion pass is called '{}'; there are: {}", printable(name), known);
  }
  if (is_off("all")) return {};
  for (const Pass& pass : kPasses) {
    if (!is_off(pass.name)) pass.run(graph);
  }
  return {};
}

}  // namespace wisp::graph
