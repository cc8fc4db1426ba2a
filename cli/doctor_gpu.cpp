#include "doctor_gpu.h"

#include <string>
#include <vector>

#include "gpu/native/native_device.h"
#include "join.h"
#include "json.h"
#include "output.h"

#include <fmt/format.h>  // fmt::join; after base/format.h, which configures it

namespace wisp::cli {
namespace {

std::string_view type_name(gpu::AdapterType type) {
  switch (type) {
    case gpu::AdapterType::discrete: return "discrete";
    case gpu::AdapterType::integrated: return "integrated";
    case gpu::AdapterType::software: return "software";
    case gpu::AdapterType::unknown: break;
  }
  return "unknown";
}

// What the kernels make use of. Packed dot products are known only once a device was opened.
std::vector<std::string> features_of(const gpu::DeviceInfo& info) {
  std::vector<std::string> names;
  if (info.features.shader_f16) names.emplace_back("shader-f16");
  if (info.features.subgroups) names.emplace_back("subgroups");
  if (info.features.timestamps) names.emplace_back("timestamps");
  if (info.features.packed_dot) names.emplace_back("packed-dot");
  return names;
}

Json json_of(const gpu::DeviceInfo& info) {
  const gpu::Limits& limits = info.limits;
  return {{"name", info.name},
          {"vendor", info.vendor},
          {"driver", info.driver},
          {"backend", info.backend},
          {"type", type_name(info.type)},
          {"features", features_of(info)},
          {"subgroup_size", {info.subgroup_min, info.subgroup_max}},
          {"limits",
           {{"buffer_bytes", limits.max_buffer_bytes},
            {"binding_bytes", limits.max_binding_bytes},
            {"storage_buffers", limits.max_storage_buffers},
            {"workgroup_bytes", limits.max_workgroup_bytes},
            {"invocations", limits.max_invocations},
            {"workgroups", limits.max_workgroups}}}};
}

std::string text_of(const gpu::DeviceInfo& info, bool chosen) {
  const gpu::Limits& limits = info.limits;
  std::string text =
      fmt::format("{:<14} {}{}\n", "adapter", info.name, chosen ? "  (--device gpu takes this one)" : "");
  const auto line = [&](std::string_view name, const std::string& value) {
    text += fmt::format("  {:<12} {}\n", name, value);
  };
  line("kind", fmt::format("{}, {} by {}, {}", type_name(info.type), info.backend, info.vendor, info.driver));
  line("features", join(features_of(info), " "));
  if (info.subgroup_max > 0) line("subgroups", fmt::format("{} to {} lanes", info.subgroup_min, info.subgroup_max));
  line("buffers", fmt::format("{} each, {} bound at once, {} a kernel", format_bytes(limits.max_buffer_bytes),
                              format_bytes(limits.max_binding_bytes), limits.max_storage_buffers));
  line("workgroups",
       fmt::format("{} invocations, {} of memory", limits.max_invocations, format_bytes(limits.max_workgroup_bytes)));
  return text;
}

}  // namespace

Status doctor_gpu(bool as_json) {
  WISP_TRY(std::vector<gpu::DeviceInfo> adapters, gpu::list_adapters());
  if (adapters.empty()) {
    return fail(Code::device,
                "this machine has no WebGPU adapter: no driver for Vulkan, Metal or Direct3D 12 was found");
  }
  // What was asked for by nobody is what `gpu` means; opening it also finds out what adapters do not tell.
  WISP_TRY(const std::unique_ptr<gpu::Device> device, gpu::make_native_device({}));
  Json list = Json::array();
  std::string text;
  bool found = false;
  for (const gpu::DeviceInfo& adapter : adapters) {
    const bool chosen = !found && adapter.name == device->info().name && adapter.driver == device->info().driver;
    found |= chosen;
    const gpu::DeviceInfo& info = chosen ? device->info() : adapter;
    Json one = json_of(info);
    one["chosen"] = chosen;
    list.push_back(std::move(one));
    text += text_of(info, chosen);
  }
  return as_json ? print_json({{"adapters", list}}) : print(text);
}

}  // namespace wisp::cli
