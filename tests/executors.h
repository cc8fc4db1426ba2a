// The executors that must agree: golden and property tests run over all of them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "graph/executor.h"
#include "graph/scalar_executor.h"

namespace wisp::test {

struct ExecutorKind {
  std::string name;              // letters, digits and _ only: part of test names
  graph::Arithmetic arithmetic;  // what it computes with quantised weights
  std::function<std::unique_ptr<graph::Executor>()> make;
};

// A new executor is plugged in here.
inline std::vector<ExecutorKind> executor_kinds() {
  using graph::Arithmetic;
  const auto scalar = [](Arithmetic arithmetic) { return [=] { return graph::make_scalar_executor(arithmetic); }; };
  return {{"scalar_exact", Arithmetic::exact, scalar(Arithmetic::exact)},
          {"scalar_int8", Arithmetic::int8_activations, scalar(Arithmetic::int8_activations)}};
}

}  // namespace wisp::test
