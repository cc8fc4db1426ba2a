#include "gpu/native/library.h"

#include <dlfcn.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <vector>

#include "base/log.h"

namespace wisp::gpu {
namespace {

#ifdef __APPLE__
constexpr const char* kFile = "libwgpu_native.dylib";
#else
constexpr const char* kFile = "libwgpu_native.so";
#endif

std::string folder_of_program() {
  std::array<char, 4096> path = {};
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
  if (length <= 0) return {};
  const std::string program(path.data(), static_cast<std::size_t>(length));
  return program.substr(0, program.rfind('/'));
}

std::vector<std::string> places() {
  if (const char* named = std::getenv("WISP_WEBGPU_LIBRARY"); named != nullptr && *named != '\0') return {named};
  std::vector<std::string> all;
  if (const std::string folder = folder_of_program(); !folder.empty()) {
    all.push_back(folder + "/" + kFile);
    all.push_back(folder + "/../lib/" + kFile);
    all.push_back(folder + "/../webgpu/" + kFile);  // build/bin beside build/webgpu
  }
  all.emplace_back(kFile);
  return all;
}

void log_line(WGPULogLevel level, WGPUStringView message, void*) {
  if (level <= WGPULogLevel_Error) log_warning("webgpu: {}", text_of(message));
}

Result<WebGpu> open(const std::string& path) {
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return fail(Code::device, "{}", dlerror());
  WebGpu library;
  library.path = path;
#define WISP_WEBGPU_LOAD(name)                                                                     \
  library.name = reinterpret_cast<decltype(library.name)>(dlsym(handle, "wgpu" #name));            \
  if (library.name == nullptr) {                                                                   \
    dlclose(handle);                                                                               \
    return fail(Code::device, "{} has no function wgpu{}: it is not wgpu-native 29", path, #name); \
  }
  WISP_WEBGPU_FUNCTIONS(WISP_WEBGPU_LOAD)
#undef WISP_WEBGPU_LOAD
  library.SetLogCallback(log_line, nullptr);
  library.SetLogLevel(WGPULogLevel_Error);
  return library;
}

Result<WebGpu> find_library() {
  std::string refusals;
  for (const std::string& path : places()) {
    Result<WebGpu> library = open(path);
    if (library) return library;
    refusals += fmt::format("\n  {}", library.error().message);
  }
  return fail(Code::device,
              "no WebGPU library was found: ./dev setup brings one, or name it in WISP_WEBGPU_LIBRARY. Tried:{}",
              refusals);
}

}  // namespace

Result<const WebGpu*> load_webgpu() {
  static const Result<WebGpu> library = find_library();
  if (!library) return std::unexpected(library.error());
  return &*library;
}

}  // namespace wisp::gpu
