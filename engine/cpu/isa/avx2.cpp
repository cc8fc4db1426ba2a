// AVX2 with FMA and F16C: Intel from Haswell, AMD from Zen.
#include <immintrin.h>

#include "cpu/isa/tables.h"

namespace wisp::cpu {
namespace {
#include "cpu/isa/kernels.inc"
#include "cpu/isa/simd_avx2.inc"
}  // namespace
const Kernels kKernelsAvx2 = make_kernels("avx2");
}  // namespace wisp::cpu
