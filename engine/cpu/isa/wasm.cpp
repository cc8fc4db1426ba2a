// wasm SIMD128, or relaxed SIMD where the module is compiled for it: one of them to a module.
#include <wasm_simd128.h>

#include "cpu/isa/tables.h"

#if defined(__wasm_relaxed_simd__)
#define WISP_WASM_RELAXED 1
#endif

namespace wisp::cpu {
namespace {
// clang-format off: the primitives first
#include "cpu/isa/simd_wasm.inc"
#include "cpu/isa/kernels.inc"
// clang-format on
constexpr const char* kWasmName =
#if defined(WISP_WASM_RELAXED)
    "wasm-relaxed";
#else
    "wasm-simd128";
#endif
}  // namespace
const Kernels kKernelsWasm = make_kernels(kWasmName);
}  // namespace wisp::cpu
