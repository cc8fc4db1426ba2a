# WISP_CPU_TESTS_ONLY: the CPU backend's tests alone, for a processor that is emulated. Libraries for the target are few, so
# GoogleTest is built from its sources (Debian's googletest).
set(WISP_GOOGLETEST /usr/src/googletest/googletest CACHE PATH "GoogleTest's sources")
find_package(Threads REQUIRED)
add_library(wisp_googletest STATIC ${WISP_GOOGLETEST}/src/gtest-all.cc ${WISP_GOOGLETEST}/src/gtest_main.cc)
target_include_directories(wisp_googletest PRIVATE ${WISP_GOOGLETEST})
target_include_directories(wisp_googletest SYSTEM PUBLIC ${WISP_GOOGLETEST}/include)
target_link_libraries(wisp_googletest PUBLIC Threads::Threads)

file(GLOB WISP_CPU_TESTS CONFIGURE_DEPENDS engine/cpu/*_test.cpp)
add_executable(wisp_tests ${WISP_CPU_TESTS} tests/executor_invariants_test.cpp tests/golden_logits_test.cpp
  tests/random_model.cpp)
target_link_libraries(wisp_tests PRIVATE wisp wisp_googletest)
target_include_directories(wisp_tests PRIVATE ${PROJECT_SOURCE_DIR})
target_precompile_headers(wisp_tests PRIVATE <gtest/gtest.h> <nlohmann/json.hpp>)
target_compile_options(wisp_tests PRIVATE -O1)
target_compile_definitions(wisp_tests PRIVATE WISP_SOURCE_DIR="${PROJECT_SOURCE_DIR}" WISP_CPU_TESTS_ONLY)
