// AVX2 with AVX-VNNI: Intel client processors from Alder Lake, which lack AVX-512.
#include <immintrin.h>

#include "cpu/isa/tables.h"

namespace wisp::cpu {
namespace {
#define WISP_AVX_VNNI 1
#include "cpu/isa/kernels.inc"
#include "cpu/isa/simd_avx2.inc"
}  // namespace
const Kernels kKernelsAvxVnni = make_kernels("avx-vnni");
}  // namespace wisp::cpu
