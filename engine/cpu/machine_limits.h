// What this machine can do at best, measured: the two numbers that a share of the possible is a share of.
#pragma once

#include "base/result.h"
#include "base/thread_pool.h"
#include "cpu/kernels.h"

namespace wisp::cpu {

struct MachineLimits {
  double read_bytes_per_second = 0;  // all threads streaming through memory far larger than the caches
  double int8_ops_per_second = 0;    // multiplications and additions of the int8 matmul kernel on data that stays in L1
  int threads = 1;
};

// Takes about half a second. Code::out_of_memory when not even a small buffer is to be had.
Result<MachineLimits> measure_machine(ThreadPool& pool, const Kernels& kernels);

}  // namespace wisp::cpu
