// What differs from module to module, and what the C library of wasm32 leaves to its user.
#include <cstdint>

extern "C" {

// Debian's wasi-libc is compiled with a stack protector and expects somebody else to define its two symbols.
std::uintptr_t __stack_chk_guard = 0x57495350;
[[noreturn]] void __stack_chk_fail() { __builtin_trap(); }

bool wisp_module_has_threads() { return WISP_MODULE_HAS_THREADS; }

}  // extern "C"
