// NEON with the dot product instruction: Arm v8.2, Apple M1 and later.
#include <arm_neon.h>

#include "cpu/isa/tables.h"

namespace wisp::cpu {
namespace {
#define WISP_NEON_DOT 1
// clang-format off: the primitives first
#include "cpu/isa/simd_neon.inc"
#include "cpu/isa/kernels.inc"
// clang-format on
}  // namespace
const Kernels kKernelsNeonDot = make_kernels("neon-dotprod");
}  // namespace wisp::cpu
