# The compiler, where nobody named one (-DCMAKE_CXX_COMPILER, a preset, CXX): the newest Clang of at least 19, else what
# CMake finds, which must be GCC 12 or newer. Included before project(); an existing build directory keeps its compiler.
if(NOT DEFINED CMAKE_CXX_COMPILER AND NOT DEFINED ENV{CXX} AND NOT CMAKE_TOOLCHAIN_FILE)
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
endif()
