# Clang's own wasm32 target with Debian's libc++ and wasi-libc: no SDK. Needs clang-N, lld-N, llvm-N (for llvm-ar),
# libc++-N-dev-wasm32, libc++abi-N-dev-wasm32, libclang-rt-N-dev-wasm32 and wasi-libc.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR wasm32)
set(WISP_WASM ON)

foreach(version RANGE 30 19 -1)
  set(llvm /usr/lib/llvm-${version})
  if(EXISTS ${llvm}/bin/clang++ AND EXISTS ${llvm}/lib/wasm32-wasi/libc++.a)
    break()
  endif()
  unset(llvm)
endforeach()
if(NOT llvm)
  message(FATAL_ERROR "no Clang of 19 or newer with libc++ for wasm32 under /usr/lib/llvm-*: ./dev setup wasm installs it")
endif()

set(CMAKE_C_COMPILER ${llvm}/bin/clang)
set(CMAKE_CXX_COMPILER ${llvm}/bin/clang++)
set(CMAKE_AR ${llvm}/bin/llvm-ar CACHE FILEPATH "")
set(CMAKE_RANLIB ${llvm}/bin/llvm-ranlib CACHE FILEPATH "")
set(CMAKE_C_COMPILER_TARGET wasm32-wasip1)
set(CMAKE_CXX_COMPILER_TARGET wasm32-wasip1)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

# Which of the three modules this build directory makes; see Module.cmake.
set(WISP_WASM_VARIANT simd CACHE STRING "simd: threads and SIMD128; relaxed: threads and relaxed SIMD; single: SIMD128")
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES WISP_WASM_VARIANT)
# The module without threads has atomic instructions, too: whoever has SIMD has them, also on memory that is not shared,
# and so the three modules are compiled from the same objects.
set(features "-msimd128 -mbulk-memory -matomics")

set(CMAKE_C_FLAGS_INIT "${features} -isystem /usr/include/wasm32-wasi")
set(CMAKE_CXX_FLAGS_INIT
  "${features} -fno-exceptions -fno-rtti -nostdinc++ -isystem ${llvm}/include/wasm32-wasi/c++/v1 -isystem /usr/include/wasm32-wasi")

# libc++ first: it stands on the others.
file(GLOB builtins ${llvm}/lib/clang/*/lib/wasi/libclang_rt.builtins-wasm32.a)
set(CMAKE_EXE_LINKER_FLAGS_INIT "-nostdlib -L${llvm}/lib/wasm32-wasi -L/usr/lib/wasm32-wasi")
set(CMAKE_CXX_STANDARD_LIBRARIES "/usr/lib/wasm32-wasi/crt1-reactor.o -lc++ -lc++abi -lc ${builtins}")
