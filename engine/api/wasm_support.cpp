// What the C library of wasm32 leaves to its user.
#include <cstdint>

extern "C" {

// Debian's wasi-libc is compiled with a stack protector and expects somebody else to define its two symbols.
std::uintptr_t __stack_chk_guard = 0x57495350;
[[noreturn]] void __stack_chk_fail() { __builtin_trap(); }

}  // extern "C"
