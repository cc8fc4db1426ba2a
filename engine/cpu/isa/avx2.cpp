// AVX2 with FMA and F16C: Intel from Haswell, AMD from Zen.
#include <immintrin.h>

#include "cpu/isa/tables.h"

namespace wisp::cpu {
namespace {
// clang-format off: the primitives first
#include "cpu/isa/simd_avx2.inc"
#include "cpu/isa/kernels.inc"
// clang-format on
}  // namespace
const Kernels kKernelsAvx2 = make_kernels("avx2");
}  // namespace wisp::cpu
