// NEON as every AArch64 has it.
#include <arm_neon.h>

#include "cpu/isa/tables.h"

namespace wisp::cpu {
namespace {
// clang-format off: the primitives first
#include "cpu/isa/simd_neon.inc"
#include "cpu/isa/kernels.inc"
// clang-format on
}  // namespace
const Kernels kKernelsNeon = make_kernels("neon");
}  // namespace wisp::cpu
