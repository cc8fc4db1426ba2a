# AArch64 Linux by Clang on another processor, with Debian's cross libraries (libstdc++-12-dev-arm64-cross, libc6-dev-arm64-cross).
# Programs are static, so that `qemu-aarch64 PROGRAM` runs them without an emulated system.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)

foreach(version RANGE 30 19 -1)
  find_program(WISP_CLANGXX_${version} clang++-${version})
  find_program(WISP_CLANG_${version} clang-${version})
  mark_as_advanced(WISP_CLANGXX_${version} WISP_CLANG_${version})
  if(WISP_CLANGXX_${version} AND WISP_CLANG_${version})
    set(CMAKE_CXX_COMPILER ${WISP_CLANGXX_${version}})
    set(CMAKE_C_COMPILER ${WISP_CLANG_${version}})
    break()
  endif()
endforeach()
set(CMAKE_C_COMPILER_TARGET aarch64-linux-gnu)
set(CMAKE_CXX_COMPILER_TARGET aarch64-linux-gnu)
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static -fuse-ld=lld")
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)
