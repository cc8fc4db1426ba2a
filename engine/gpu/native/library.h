// webgpu.h, loaded at run time: wisp runs without it. Only what is called is looked up.
#pragma once

#include <string>

#include "base/result.h"

#include <webgpu.h>

#include <wgpu.h>  // wgpu-native's own: polling, enumeration, features that webgpu.h does not have yet

namespace wisp::gpu {

#define WISP_WEBGPU_FUNCTIONS(X)          \
  X(CreateInstance)                       \
  X(InstanceEnumerateAdapters)            \
  X(InstanceRelease)                      \
  X(AdapterGetInfo)                       \
  X(AdapterInfoFreeMembers)               \
  X(AdapterGetLimits)                     \
  X(AdapterGetFeatures)                   \
  X(SupportedFeaturesFreeMembers)         \
  X(AdapterRequestDevice)                 \
  X(AdapterRelease)                       \
  X(DeviceGetQueue)                       \
  X(DeviceCreateBuffer)                   \
  X(DeviceCreateBindGroupLayout)          \
  X(DeviceCreateBindGroup)                \
  X(DeviceCreatePipelineLayout)           \
  X(DeviceCreateShaderModule)             \
  X(DeviceCreateComputePipeline)          \
  X(DeviceCreateCommandEncoder)           \
  X(DeviceCreateQuerySet)                 \
  X(DevicePoll)                           \
  X(DeviceDestroy)                        \
  X(DeviceRelease)                        \
  X(QueueWriteBuffer)                     \
  X(QueueSubmitForIndex)                  \
  X(QueueOnSubmittedWorkDone)             \
  X(QueueGetTimestampPeriod)              \
  X(QueueRelease)                         \
  X(BufferMapAsync)                       \
  X(BufferGetConstMappedRange)            \
  X(BufferUnmap)                          \
  X(BufferDestroy)                        \
  X(BufferRelease)                        \
  X(BindGroupRelease)                     \
  X(BindGroupLayoutRelease)               \
  X(PipelineLayoutRelease)                \
  X(ShaderModuleRelease)                  \
  X(ComputePipelineRelease)               \
  X(QuerySetRelease)                      \
  X(CommandEncoderBeginComputePass)       \
  X(CommandEncoderCopyBufferToBuffer)     \
  X(CommandEncoderClearBuffer)            \
  X(CommandEncoderResolveQuerySet)        \
  X(CommandEncoderFinish)                 \
  X(CommandEncoderRelease)                \
  X(CommandBufferRelease)                 \
  X(ComputePassEncoderSetPipeline)        \
  X(ComputePassEncoderSetBindGroup)       \
  X(ComputePassEncoderDispatchWorkgroups) \
  X(ComputePassEncoderEnd)                \
  X(ComputePassEncoderRelease)            \
  X(SetLogCallback)                       \
  X(SetLogLevel)

struct WebGpu {
#define WISP_WEBGPU_MEMBER(name) decltype(&wgpu##name) name = nullptr;  // NOLINT(bugprone-macro-parentheses): a name
  WISP_WEBGPU_FUNCTIONS(WISP_WEBGPU_MEMBER)
#undef WISP_WEBGPU_MEMBER
  std::string path;  // where it was found
};

// The library, loaded once and never unloaded (it runs threads of its own). Looked for in this order: the file that
// WISP_WEBGPU_LIBRARY names, beside the program, where `./dev setup` puts it, the system's own places. Code::device,
// with all of these and their refusals, where none is usable.
Result<const WebGpu*> load_webgpu();

inline WGPUStringView view(std::string_view text) { return {text.data(), text.size()}; }
inline std::string text_of(WGPUStringView text) {
  if (text.data == nullptr) return {};
  return text.length == WGPU_STRLEN ? std::string(text.data) : std::string(text.data, text.length);
}

}  // namespace wisp::gpu
