// The templates of engine/gpu/wgsl/, embedded by the build.
#pragma once

#include <span>
#include <string_view>

namespace wisp::gpu {

struct WgslFile {
  std::string_view name;  // "matvec.wgsl"
  std::string_view text;
};

std::span<const WgslFile> wgsl_files();

}  // namespace wisp::gpu
