# The C library as others use it: libwisp.so and libwisp.a with wisp.h, a pkg-config file and a CMake package.
include(GNUInstallDirs)
find_package(Threads REQUIRED)
set(WISP_C_HEADER ${PROJECT_SOURCE_DIR}/engine/api/wisp.h)

add_library(wisp_shared SHARED $<TARGET_OBJECTS:wisp>)
target_link_libraries(wisp_shared PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
set_target_properties(wisp_shared PROPERTIES OUTPUT_NAME wisp VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
  EXPORT_NAME wisp LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib PUBLIC_HEADER ${WISP_C_HEADER} LINKER_LANGUAGE CXX)
target_include_directories(wisp_shared INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
# Nothing but the functions of wisp.h comes out.
if(APPLE)
  target_link_options(wisp_shared PRIVATE "LINKER:-exported_symbol,_wisp_*")
else()
  target_link_options(wisp_shared PRIVATE "LINKER:--version-script=${PROJECT_SOURCE_DIR}/cmake/wisp.map")
  set_property(TARGET wisp_shared APPEND PROPERTY LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/wisp.map)
endif()

install(TARGETS wisp_shared EXPORT wisp-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  PUBLIC_HEADER DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS wisp ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS wisp_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

# find_package(wisp CONFIG): wisp::wisp is the shared library, wisp::static the other.
include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/wisp)
configure_package_config_file(cmake/wisp-config.cmake.in ${CMAKE_BINARY_DIR}/package/wisp-config.cmake
  INSTALL_DESTINATION ${package} PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/package/wisp-config-version.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT wisp-targets NAMESPACE wisp:: DESTINATION ${package})
install(FILES ${CMAKE_BINARY_DIR}/package/wisp-config.cmake ${CMAKE_BINARY_DIR}/package/wisp-config-version.cmake
  DESTINATION ${package})

# pkg-config. Paths are told from where the file lies, so that an installed tree can be moved.
set(WISP_PC_LIBDIR ${CMAKE_INSTALL_LIBDIR})
set(WISP_PC_INCLUDEDIR ${CMAKE_INSTALL_INCLUDEDIR})
set(WISP_PC_UP "")
string(REGEX MATCHALL "[^/]+" folders "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
foreach(folder IN LISTS folders)
  string(APPEND WISP_PC_UP "/..")
endforeach()
configure_file(cmake/wisp.pc.in ${CMAKE_BINARY_DIR}/package/wisp.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/package/wisp.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
