#include "graph/executor.h"

#include "graph/async_executor.h"

namespace wisp::graph {

Status Executor::load_weights(const Graph& graph, const gguf::File& file) {
  WISP_CHECK(begin_load(graph, file));
  while (true) {
    WISP_TRY(const LoadState state, load_more());
    switch (state) {
      case LoadState::done: return {};
      case LoadState::more: break;
      case LoadState::waits:
        if (async() == nullptr || !async()->can_wait()) {
          return fail(Code::invalid_argument, "{} cannot be waited for", describe());
        }
        WISP_CHECK(async()->wait());
        break;
      case LoadState::wants_data: return fail(Code::need_more_data, "the weights have not arrived yet");
    }
  }
}

}  // namespace wisp::graph
