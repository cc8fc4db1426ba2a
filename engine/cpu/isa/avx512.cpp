// AVX-512 with VNNI: Intel from Ice Lake, AMD from Zen 4.
#include <immintrin.h>

#include "cpu/isa/tables.h"

namespace wisp::cpu {
namespace {
// clang-format off: the primitives first
#include "cpu/isa/simd_avx512.inc"
#include "cpu/isa/kernels.inc"
// clang-format on
}  // namespace
const Kernels kKernelsAvx512 = make_kernels("avx512-vnni");
}  // namespace wisp::cpu
