// The kernel tables that are compiled into this build, each from its own file in this folder.
#pragma once

#include "cpu/kernels.h"

namespace wisp::cpu {

#if defined(__x86_64__)
extern const Kernels kKernelsAvx2;
extern const Kernels kKernelsAvxVnni;
extern const Kernels kKernelsAvx512;
#elif defined(__aarch64__)
extern const Kernels kKernelsNeon;
extern const Kernels kKernelsNeonDot;
#elif defined(__wasm__)
extern const Kernels kKernelsWasm;
#endif

}  // namespace wisp::cpu
