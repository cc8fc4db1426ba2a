// The executors that must agree: golden and property tests run over all of them.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cpu/cpu_info.h"
#include "cpu/executor.h"
#include "graph/executor.h"
#include "graph/scalar_executor.h"

namespace wisp::test {

struct ExecutorKind {
  std::string name;                                        // letters, digits and _ only: part of test names
  graph::Arithmetic arithmetic;                            // what it computes with quantised weights
  std::function<std::unique_ptr<graph::Executor>()> make;  // nullptr: not here
  double rms_factor = 1.25;  // int8 arithmetic: RMS distance to exact logits, by the reference's own
};

// A new executor is plugged in here.
inline std::vector<ExecutorKind> executor_kinds() {
  using graph::Arithmetic;
  const auto scalar = [](Arithmetic arithmetic) { return [=] { return graph::make_scalar_executor(arithmetic); }; };
  std::vector<ExecutorKind> kinds = {
      {"scalar_exact", Arithmetic::exact, scalar(Arithmetic::exact), 1.25},
      {"scalar_int8", Arithmetic::int8_activations, scalar(Arithmetic::int8_activations), 1.25}};
  // Every kernel set of this build that runs on this processor.
  for (const cpu::KernelSet& set : cpu::cpu_info().sets) {
    if (!set.runs_here) continue;
    std::string name = std::string("cpu_") + set.kernels->name;
    std::ranges::replace(name, '-', '_');
    kinds.push_back({name, Arithmetic::int8_activations,
                     [isa = std::string(set.kernels->name)] {
                       cpu::CpuOptions options;
                       options.isa = isa;
                       options.threads = 2;
                       return std::move(*cpu::make_cpu_executor(options));
                     },
                     1.25});
  }
  return kinds;
}

}  // namespace wisp::test
