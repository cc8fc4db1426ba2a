# Compiler options that every target of the project shares.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
if(NOT WISP_WASM)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
endif()
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 12)
  message(FATAL_ERROR "wisp needs Clang 19 or GCC 12 (std::expected); this is GCC ${CMAKE_CXX_COMPILER_VERSION}")
elseif(CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  message(FATAL_ERROR "wisp needs Clang 19 or GCC 12 (std::expected); this is Clang ${CMAKE_CXX_COMPILER_VERSION}")
endif()

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  # The sloppiness is what ccache asks for with precompiled headers.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>")
  endif()
endif()

# lld links in a fraction of the time of GNU ld; the compiler driver knows where its own is.
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND NOT WISP_WASM)
  include(CheckLinkerFlag)
  check_linker_flag(CXX -fuse-ld=lld WISP_HAVE_LLD)
  if(WISP_HAVE_LLD)
    add_link_options(-fuse-ld=lld)
  endif()
endif()

add_library(wisp_options INTERFACE)
target_compile_options(wisp_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror
  # The same numbers from every compiler: FMA only where the source says so.
  -ffp-contract=off)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 sees dangling and uninitialised memory in std::expected, fmt and its own AVX-512 intrinsics that is not there.
  target_compile_options(wisp_options INTERFACE -Wno-uninitialized -Wno-maybe-uninitialized -Wno-dangling-pointer -Wno-array-bounds
    -Wno-stringop-overflow -Wno-stringop-overread -Wno-restrict)
endif()

# ASan+UBSan or TSan for everything: -DWISP_SANITIZE=address,undefined or thread
set(WISP_SANITIZE "" CACHE STRING "Sanitizers to build with")
if(WISP_SANITIZE)
  add_compile_options(-fsanitize=${WISP_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_compile_definitions(_GLIBCXX_ASSERTIONS)  # vector, span and string_view check their indices
  add_link_options(-fsanitize=${WISP_SANITIZE})
endif()
