// A graph that ends where the output matrix would begin.
#pragma once

#include "base/result.h"
#include "graph/graph.h"

namespace wisp::graph {

// Drops what comes behind Graph::hidden, which becomes the output; weights that nothing else uses are no longer used.
// Before any pass. Code::unsupported where the graph does not name such a value.
Status cut_to_hidden(Graph& graph);

}  // namespace wisp::graph
