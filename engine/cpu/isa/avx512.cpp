// AVX-512 with VNNI: Intel from Ice Lake, AMD from Zen 4.
#include <immintrin.h>

#include "cpu/isa/tables.h"

namespace wisp::cpu {
namespace {
#include "cpu/isa/kernels.inc"
#include "cpu/isa/simd_avx512.inc"
}  // namespace
const Kernels kKernelsAvx512 = make_kernels("avx512-vnni");
}  // namespace wisp::cpu
