# The WebAssembly modules, build/wasm/wisp-VARIANT.wasm, and beside each the checks that the harness runs inside it.
# Functions are exported by their own attribute (export_name); the memory comes from the page, so that threads share it.
function(add_wisp_module name)
  set(api ${PROJECT_SOURCE_DIR}/engine/api)
  add_executable(${name} ${ARGN} ${api}/wasm_gpu.cpp ${api}/wasm_memory.cpp ${api}/wasm_support.cpp)
  target_link_libraries(${name} PRIVATE wisp)
  set(has_threads 1)
  if(WISP_WASM_VARIANT STREQUAL "single")
    set(has_threads 0)
  endif()
  target_compile_definitions(${name} PRIVATE WISP_MODULE_HAS_THREADS=${has_threads})
  target_link_options(${name} PRIVATE -Wl,--entry=_initialize -Wl,--import-memory -Wl,--gc-sections -Wl,--strip-all
    -Wl,--stack-first -Wl,-z,stack-size=1048576)
  # --no-check-features: wasi-libc was built without atomics. It is only called from the thread that owns the engine.
  target_link_options(${name} PRIVATE -Wl,--no-check-features)
  if(has_threads)
    # The exports let a worker take its own stack and thread-local block (web/wasm/instance.mjs).
    target_link_options(${name} PRIVATE -Wl,--shared-memory -Wl,--max-memory=4294967296
      -Wl,--export=__stack_pointer -Wl,--export=__wasm_init_tls -Wl,--export=__tls_size -Wl,--export=__tls_align)
  endif()
  set_target_properties(${name} PROPERTIES OUTPUT_NAME ${name}-${WISP_WASM_VARIANT} SUFFIX .wasm
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_SOURCE_DIR}/build/wasm)
endfunction()

add_wisp_module(wisp-module ${PROJECT_SOURCE_DIR}/engine/api/wasm_exports.cpp)
# The functions of wisp.h, by their own names.
set(header ${PROJECT_SOURCE_DIR}/engine/api/wisp.h)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${header})
file(STRINGS ${header} declarations REGEX "^WISP_API")
foreach(declaration IN LISTS declarations)
  string(REGEX MATCH "wisp_[a-z0-9_]+\\(" name "${declaration}")
  string(REPLACE "(" "" name "${name}")
  target_link_options(wisp-module PRIVATE -Wl,--export=${name})
endforeach()
set_target_properties(wisp-module PROPERTIES OUTPUT_NAME wisp-${WISP_WASM_VARIANT})
# The checks of the GPU's devices are those of the native tests.
add_wisp_module(wisp-checks ${PROJECT_SOURCE_DIR}/web/harness/checks.cpp ${PROJECT_SOURCE_DIR}/web/harness/gpu_checks.cpp
  ${PROJECT_SOURCE_DIR}/tests/gpu_device_checks.cpp)
target_include_directories(wisp-checks PRIVATE ${PROJECT_SOURCE_DIR})
target_compile_options(wisp-checks PRIVATE -fno-exceptions -fno-rtti)
