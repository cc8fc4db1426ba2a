// The CPU backend: runs plans with the SIMD kernels of the instruction set chosen at run time.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "base/thread_pool.h"
#include "graph/executor.h"

namespace wisp::cpu {

struct CpuOptions {
  int threads = 0;     // 0 = all cores this process may use
  std::string isa;     // a kernel set by name; "" = WISP_CPU, else the best that runs here
  bool repack = true;  // false: matrices stay in the mapped file and are packed on the fly; slow, for small memories
  // Outlives the executor, and `threads` is its own; nullptr: the executor makes one. A page has to know the pool, for
  // it starts the workers.
  ThreadPool* pool = nullptr;
};

Result<std::unique_ptr<graph::Executor>> make_cpu_executor(const CpuOptions& options);

}  // namespace wisp::cpu
