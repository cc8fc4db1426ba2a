#include "gpu/native/adapters.h"

#include <algorithm>
#include <span>
#include <utility>

namespace wisp::gpu {
namespace {

std::string_view backend_name(WGPUBackendType type) {
  switch (type) {
    case WGPUBackendType_Vulkan: return "vulkan";
    case WGPUBackendType_Metal: return "metal";
    case WGPUBackendType_D3D12: return "d3d12";
    case WGPUBackendType_OpenGL:
    case WGPUBackendType_OpenGLES: return "opengl";
    default: return "unknown";
  }
}

AdapterType type_of(WGPUAdapterType type) {
  switch (type) {
    case WGPUAdapterType_DiscreteGPU: return AdapterType::discrete;
    case WGPUAdapterType_IntegratedGPU: return AdapterType::integrated;
    case WGPUAdapterType_CPU: return AdapterType::software;
    default: return AdapterType::unknown;
  }
}

Limits limits_of(const WebGpu& api, WGPUAdapter adapter) {
  WGPULimits given = {};
  api.AdapterGetLimits(adapter, &given);
  Limits limits;
  limits.max_buffer_bytes = given.maxBufferSize;
  limits.max_binding_bytes = given.maxStorageBufferBindingSize;
  limits.max_storage_buffers = given.maxStorageBuffersPerShaderStage;
  limits.max_workgroup_bytes = given.maxComputeWorkgroupStorageSize;
  limits.max_invocations = given.maxComputeInvocationsPerWorkgroup;
  limits.max_workgroup_size = {given.maxComputeWorkgroupSizeX, given.maxComputeWorkgroupSizeY,
                               given.maxComputeWorkgroupSizeZ};
  limits.max_workgroups = given.maxComputeWorkgroupsPerDimension;
  limits.storage_alignment = given.minStorageBufferOffsetAlignment;
  limits.uniform_alignment = given.minUniformBufferOffsetAlignment;
  return limits;
}

DeviceInfo describe(const WebGpu& api, WGPUAdapter adapter) {
  WGPUAdapterInfo given = {};
  api.AdapterGetInfo(adapter, &given);
  DeviceInfo info;
  info.name = text_of(given.device);
  info.vendor = text_of(given.vendor);
  info.driver = text_of(given.description);
  if (info.vendor.empty()) info.vendor = fmt::format("{:04x}", given.vendorID);
  info.backend = backend_name(given.backendType);
  info.type = type_of(given.adapterType);
  info.dialect = Dialect::naga;
  info.subgroup_min = given.subgroupMinSize;
  info.subgroup_max = given.subgroupMaxSize;
  api.AdapterInfoFreeMembers(given);

  WGPUSupportedFeatures features = {};
  api.AdapterGetFeatures(adapter, &features);
  const auto has = [&](std::uint32_t feature) {
    const std::span all(features.features, features.featureCount);
    return std::ranges::find(all, static_cast<WGPUFeatureName>(feature)) != all.end();
  };
  info.features.shader_f16 = has(WGPUFeatureName_ShaderF16);
  info.features.timestamps = has(WGPUFeatureName_TimestampQuery);
  info.features.subgroups = has(WGPUNativeFeature_Subgroup);
  api.SupportedFeaturesFreeMembers(features);
  info.limits = limits_of(api, adapter);
  return info;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

}  // namespace

Result<Adapters> Adapters::open() {
  WISP_TRY(const WebGpu* api, load_webgpu());
  WGPUInstance instance = api->CreateInstance(nullptr);
  if (instance == nullptr) return fail(Code::device, "{} gave no WebGPU instance", api->path);
  Adapters adapters(*api, instance);
  // Not OpenGL: its compute shaders lack what the kernels need.
  WGPUInstanceEnumerateAdapterOptions options = {};
  options.backends = WGPUInstanceBackend_Primary;
  std::vector<WGPUAdapter> found(api->InstanceEnumerateAdapters(instance, &options, nullptr));
  api->InstanceEnumerateAdapters(instance, &options, found.data());
  for (WGPUAdapter adapter : found) adapters.entries_.push_back({adapter, describe(*api, adapter)});
  return adapters;
}

Adapters::Adapters(Adapters&& other) noexcept
    : api_(other.api_), instance_(std::exchange(other.instance_, nullptr)), entries_(std::move(other.entries_)) {
  other.entries_.clear();
}

Adapters::~Adapters() {
  for (const Entry& entry : entries_) api_->AdapterRelease(entry.adapter);
  if (instance_ != nullptr) api_->InstanceRelease(instance_);
}

const Adapters::Entry* Adapters::find(std::string_view wanted) const {
  if (wanted.empty()) {
    for (const AdapterType type : {AdapterType::discrete, AdapterType::integrated}) {
      const auto entry = std::ranges::find_if(entries_, [&](const Entry& one) { return one.info.type == type; });
      if (entry != entries_.end()) return &*entry;
    }
    return entries_.empty() ? nullptr : &entries_.front();
  }
  const std::string part = lower(wanted);
  for (const Entry& entry : entries_) {
    const std::string all = lower(entry.info.name + "\n" + entry.info.vendor + "\n" + entry.info.driver);
    if (all.find(part) != std::string::npos) return &entry;
  }
  return nullptr;
}

}  // namespace wisp::gpu
