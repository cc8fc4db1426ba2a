// AVX2 with AVX-VNNI: Intel client processors from Alder Lake, which lack AVX-512.
#include <immintrin.h>

#include "cpu/isa/tables.h"

namespace wisp::cpu {
namespace {
#define WISP_AVX_VNNI 1
// clang-format off: the primitives first
#include "cpu/isa/simd_avx2.inc"
#include "cpu/isa/kernels.inc"
// clang-format on
}  // namespace
const Kernels kKernelsAvxVnni = make_kernels("avx-vnni");
}  // namespace wisp::cpu
