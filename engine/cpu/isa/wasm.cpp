// wasm SIMD128, or relaxed SIMD where the module is compiled for it: one of them to a module.
#include <wasm_simd128.h>

#include "cpu/isa/tables.h"

#if defined(__wasm_relaxed_simd__)
#define WISP_WASM_RELAXED 1
#endif

namespace wisp::cpu {
namespace {
#include "cpu/isa/kernels.inc"
#include "cpu/isa/simd_wasm.inc"
constexpr const char* kWasmName =
#if defined(WISP_WASM_RELAXED)
    "wasm-relaxed";
#else
    "wasm-simd128";
#endif
}  // namespace
const Kernels kKernelsWasm = make_kernels(kWasmName);
}  // namespace wisp::cpu
