// The reference: runs every op in plain scalar code, straight from the GGUF blocks. Slow on purpose and easy to read;
// every backend is tested against it.
#pragma once

#include <memory>

#include "graph/executor.h"

namespace wisp::graph {

// Which arithmetic a matmul with quantised weights uses.
enum class Arithmetic : std::uint8_t {
  exact,            // weights decoded to f32, f32 activations
  int8_activations  // activations rounded to int8 in blocks of 32 (int8_activations.h), as the CPU's integer kernels do
};

std::unique_ptr<Executor> make_scalar_executor(Arithmetic arithmetic);

}  // namespace wisp::graph
