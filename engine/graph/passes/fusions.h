// The fusion passes by name; passes.h lists them for users. Each is legal whatever the others did or did not do, and
// leaves alone what it does not recognise.
#pragma once

#include "graph/graph.h"

namespace wisp::graph {

void fuse_qkv(Graph& graph);
void fuse_gate_up(Graph& graph);
void fuse_norm_matmul(Graph& graph);
void fuse_bias_activation(Graph& graph);
void fuse_residual(Graph& graph);
void fuse_attention_scale(Graph& graph);

}  // namespace wisp::graph
