#include "gpu/shader/wgsl_files.h"

#include <algorithm>

#include "gpu/shader/template.h"

namespace wisp::gpu {

Result<std::string_view> wgsl_file(std::string_view name) {
  const auto file = std::ranges::find(wgsl_files(), name, &WgslFile::name);
  if (file == wgsl_files().end()) return fail(Code::not_found, "there is no shader file '{}'", name);
  return file->text;
}

}  // namespace wisp::gpu
