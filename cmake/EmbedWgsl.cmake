# Makes OUTPUT, a C++ file with the text of every .wgsl file of FOLDER: cmake -DFOLDER=... -DOUTPUT=... -P EmbedWgsl.cmake
# Without the comments, which a page would have to load (6 kB, compressed); lines keep their numbers.
file(GLOB files ${FOLDER}/*.wgsl)
list(SORT files)
set(entries "")
foreach(path IN LISTS files)
  get_filename_component(name ${path} NAME)
  file(READ ${path} text)
  string(REGEX REPLACE "[ \t]*//[^\n]*" "" text "${text}")
  string(APPEND entries "    {\"${name}\", R\"WGSL(${text})WGSL\"},\n")
endforeach()
file(WRITE ${OUTPUT}.new "// Made from engine/gpu/wgsl/ by cmake/EmbedWgsl.cmake.
#include \"gpu/shader/wgsl_files.h\"

namespace wisp::gpu {
namespace {

constexpr WgslFile kFiles[] = {
${entries}};

}  // namespace

std::span<const WgslFile> wgsl_files() { return kFiles; }

}  // namespace wisp::gpu
")
execute_process(COMMAND ${CMAKE_COMMAND} -E copy_if_different ${OUTPUT}.new ${OUTPUT})
