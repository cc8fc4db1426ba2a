// Which processor this is, which kernel sets this build holds for it, and which one is taken.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cpu/kernels.h"

namespace wisp::cpu {

struct KernelSet {
  const Kernels* kernels;
  bool runs_here;         // this processor has what it needs
  std::string requires_;  // "AVX2, FMA, F16C"
};

struct CpuInfo {
  std::string model;  // "AMD EPYC 9B14", or "" where the system does not tell
  int logical_cores = 1;
  std::vector<std::string> features;  // those that matter here: "avx2", "avx512-vnni", "amx-int8", ...
  std::vector<KernelSet> sets;        // best first
};
CpuInfo cpu_info();

// The set to run with: `wanted` by name; if empty, the environment variable WISP_CPU; if that is unset, the best that
// runs here. `why` (if set) receives the reason in words. A set that is unknown or does not run here is refused with
// the list of those that do.
Result<const Kernels*> choose_kernels(const std::string& wanted, std::string* why = nullptr);

}  // namespace wisp::cpu
