// NEON as every AArch64 has it.
#include <arm_neon.h>

#include "cpu/isa/tables.h"

namespace wisp::cpu {
namespace {
#include "cpu/isa/kernels.inc"
#include "cpu/isa/simd_neon.inc"
}  // namespace
const Kernels kKernelsNeon = make_kernels("neon");
}  // namespace wisp::cpu
