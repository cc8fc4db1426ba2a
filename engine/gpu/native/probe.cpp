#include "gpu/native/probe.h"

#include <array>
#include <span>
#include <string_view>

#include "gpu/device/commands.h"

namespace wisp::gpu {
namespace {

constexpr std::string_view kSubgroupSize = R"(
@group(0) @binding(0) var<storage, read_write> result: array<u32>;
@compute @workgroup_size(128)
fn main(@builtin(subgroup_size) size: u32, @builtin(local_invocation_index) lane: u32) {
  if (lane == 0u) { result[0] = size; }
})";

// (1, 2, 3, -4) . (5, 6, 7, 8) = 6
constexpr std::string_view kPackedDot = R"(
@group(0) @binding(0) var<storage, read_write> result: array<u32>;
@compute @workgroup_size(1)
fn main() {
  result[0] = u32(dot4I8Packed(0xfc030201u, result[1]));
})";
constexpr std::array<std::uint32_t, 2> kPackedInput = {0, 0x08070605u};

constexpr std::string_view kPlain = R"(
@group(0) @binding(0) var<storage, read_write> result: array<u32>;
@compute @workgroup_size(1)
fn main() {
  result[0] = result[1] + 1u;
})";

// Runs a kernel over two words. Nothing: it does not compile, or the device did not answer.
std::optional<std::uint32_t> run_once(Device& device, std::string_view wgsl, std::array<std::uint32_t, 2> words) {
  const BufferId buffer = device.new_buffer();
  const LayoutId layout = device.new_layout();
  const BindGroupId group = device.new_bind_group();
  const PipelineId pipeline = device.new_pipeline();
  const Ticket compiled = device.new_ticket();
  const std::array kinds = {BindingKind::storage_read_write};
  const std::array bindings = {Binding{buffer, 0, sizeof words}};
  const std::array layouts = {layout};
  Commands commands;
  commands.create_buffer(buffer, kStorage, sizeof words, "wisp probe");
  commands.write_buffer(buffer, 0, std::as_bytes(std::span(words)));
  commands.create_layout(layout, kinds, "wisp probe");
  commands.create_bind_group(group, layout, bindings, "wisp probe");
  commands.create_pipeline(pipeline, compiled, wgsl, layouts, "wisp probe");
  device.run(commands);
  std::optional<std::uint32_t> answer;
  if (device.wait(compiled) && device.take(compiled)->ok) {
    const Ticket read = device.new_ticket();
    commands.clear();
    commands.begin_pass("wisp probe");
    commands.set_pipeline(pipeline);
    commands.set_bind_group(0, group);
    commands.dispatch(1);
    commands.end_pass();
    commands.read_buffer(read, buffer, 0, std::as_writable_bytes(std::span(words)).first(4));
    device.run(commands);
    if (device.wait(read) && device.take(read)->ok) answer = words[0];
  }
  commands.clear();
  commands.destroy_bind_group(group);
  commands.destroy_pipeline(pipeline);
  commands.destroy_buffer(buffer);
  device.run(commands);
  return answer;
}

}  // namespace

Status complete_info(Device& device, DeviceInfo& info) {
  const std::optional<std::uint32_t> plain = run_once(device, kPlain, {0, 41});
  if (plain != 42u) {
    return fail(Code::device, "{} does not compute: {}", info.name,
                plain ? fmt::format("41 + 1 gave {}", *plain) : device.take_uncaptured_error());
  }
  info.features.packed_dot = run_once(device, kPackedDot, kPackedInput) == 6u;
  if (info.features.subgroups && info.subgroup_min == 0) {
    const std::optional<std::uint32_t> size = run_once(device, kSubgroupSize, {0, 0});
    info.features.subgroups = size.has_value() && *size > 1;
    if (info.features.subgroups) info.subgroup_min = info.subgroup_max = *size;
  }
  return {};
}

}  // namespace wisp::gpu
