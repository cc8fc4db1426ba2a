// What only the native device has: adapters, limits that are lowered, streams that would abort the library.
#include "gpu/native/native_device.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>

#include "tests/gpu_devices.h"

namespace wisp::gpu {
namespace {

constexpr std::string_view kDoubler = R"(
@group(0) @binding(0) var<storage, read> step: array<u32>;
@group(0) @binding(1) var<storage, read_write> arena: array<f32>;
struct Op { first: u32, count: u32 }
@group(0) @binding(2) var<uniform> op: Op;
@group(1) @binding(0) var<storage, read> addend: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < op.count) { arena[op.first + id.x] = arena[op.first + id.x] * f32(step[0]) + addend[id.x]; }
})";

Kernel doubler() {
  return {.label = "doubler",
          .wgsl = std::string(kDoubler),
          .bindings = {BindingKind::storage_read},
          .workgroup = {64, 1, 1}};
}

std::vector<std::byte> bytes_of(const std::vector<float>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

class GpuNativeDevice : public testing::TestWithParam<test::GpuDriver> {
 protected:
  void SetUp() override {
    device_ = test::gpu_device(GetParam());
    if (device_ == nullptr) GTEST_SKIP() << test::no_gpu(GetParam());
  }
  Event wait(Device& device, Ticket ticket) {
    EXPECT_TRUE(device.wait(ticket)) << device.lost() << device.take_uncaptured_error();
    return device.take(ticket).value_or(Event{Event::Kind::done, false, false, "no event"});
  }
  Device* device_ = nullptr;
};

TEST_P(GpuNativeDevice, TellsWhatItIs) {
  const DeviceInfo& info = device_->info();
  EXPECT_FALSE(info.name.empty());
  EXPECT_EQ(info.backend, "vulkan");
  if (GetParam().name != test::kNamedGpu) EXPECT_EQ(info.type, AdapterType::software);
  EXPECT_EQ(info.dialect, Dialect::naga);
  EXPECT_TRUE(info.features.packed_dot);
  EXPECT_GE(info.limits.max_binding_bytes, std::uint64_t{128} << 20);
  if (info.features.subgroups) EXPECT_GE(info.subgroup_min, 2u);
}

TEST_P(GpuNativeDevice, RunsAKernel) {
  test::GpuRun run{
      .kernel = doubler(), .step = {2}, .arena = {0, 1, 2, 3, 4, 5}, .op = {}, .buffers = {bytes_of({10, 20, 30})}};
  run.op.words[0] = 2;
  run.op.words[1] = 3;
  ASSERT_TRUE(test::run_on_gpu(*device_, run));
  EXPECT_EQ(run.arena, (std::vector<float>{0, 1, 14, 26, 38, 5}));
}

TEST_P(GpuNativeDevice, AShaderThatDoesNotCompileIsToldAndNeverRuns) {
  test::GpuRun run{.kernel = doubler(), .step = {2}, .arena = {1}, .op = {}, .buffers = {bytes_of({1})}};
  run.kernel.wgsl = "fn main() { nonsense }";
  const testing::AssertionResult result = test::run_on_gpu(*device_, run);
  EXPECT_FALSE(result);
  EXPECT_NE(std::string(result.message()).find("nonsense"), std::string::npos) << result.message();

  // The pipeline's id is taken all the same: using it is an error, not the end of the process.
  const PipelineId pipeline = device_->new_pipeline();
  const Ticket compiled = device_->new_ticket(), after = device_->new_ticket();
  Commands commands;
  commands.create_pipeline(pipeline, compiled, "fn main() { nonsense }", {}, "bad");
  device_->run(commands);
  EXPECT_FALSE(wait(*device_, compiled).ok);
  commands.clear();
  commands.begin_pass("bad");
  commands.set_pipeline(pipeline);
  commands.dispatch(1);
  commands.end_pass();
  commands.signal(after);
  device_->run(commands);
  EXPECT_TRUE(wait(*device_, after).ok);
  EXPECT_NE(device_->take_uncaptured_error(), "");
}

// They compile on several threads, and the library mixes up whose error is whose.
TEST_P(GpuNativeDevice, OfKernelsThatCompileAtOnceEachHasItsOwnError) {
  constexpr std::uint32_t kKernels = 200;
  Commands commands;
  std::vector<Ticket> compiled;
  std::vector<PipelineId> pipelines;
  std::vector<std::string> texts;  // as long as the commands
  for (std::uint32_t i = 0; i < kKernels; ++i) {
    const std::string wrong = i % 2 == 0 ? std::string() : fmt::format("nonsense{}", i);
    texts.push_back("@compute @workgroup_size(1) fn main() { " + wrong + " }");
  }
  for (std::uint32_t i = 0; i < kKernels; ++i) {
    compiled.push_back(device_->new_ticket());
    pipelines.push_back(device_->new_pipeline());
    commands.create_pipeline(pipelines[i], compiled[i], texts[i], {}, "one of many");
  }
  device_->run(commands);
  for (std::uint32_t i = 0; i < kKernels; ++i) {
    const Event event = wait(*device_, compiled[i]);
    EXPECT_EQ(event.ok, i % 2 == 0) << event.message;
    if (i % 2 == 1) EXPECT_NE(event.message.find(fmt::format("nonsense{}", i)), std::string::npos) << event.message;
  }
  EXPECT_EQ(device_->take_uncaptured_error(), "");
  commands.clear();
  for (const PipelineId pipeline : pipelines) commands.destroy_pipeline(pipeline);
  device_->run(commands);
}

TEST_P(GpuNativeDevice, InvalidWorkIsRefusedNotSubmitted) {
  const BufferId small = device_->new_buffer(), large = device_->new_buffer();
  Commands commands;
  commands.create_buffer(small, kStorage, 16, "small");
  commands.create_buffer(large, kStorage, 64, "large");
  commands.copy_buffer(large, 0, small, 0, 64);  // past the end
  device_->run(commands);
  EXPECT_NE(device_->take_uncaptured_error(), "");
  commands.clear();
  const std::array<std::uint32_t, 1> word = {1};
  commands.write_buffer(BufferId{999999}, 0, std::as_bytes(std::span(word)));
  device_->run(commands);
  EXPECT_NE(device_->take_uncaptured_error().find("999999"), std::string::npos);
  // And the device goes on.
  std::array<std::uint32_t, 4> out = {};
  const std::array<std::uint32_t, 4> in = {1, 2, 3, 4};
  const Ticket read = device_->new_ticket();
  commands.clear();
  commands.write_buffer(small, 0, std::as_bytes(std::span(in)));
  commands.read_buffer(read, small, 0, std::as_writable_bytes(std::span(out)));
  commands.destroy_buffer(large);
  device_->run(commands);
  EXPECT_TRUE(wait(*device_, read).ok);
  EXPECT_EQ(out, in);
}

TEST_P(GpuNativeDevice, LimitsAndFeaturesCanBeLowered) {
  Result<std::unique_ptr<Device>> device = test::make_gpu_device(
      GetParam(), {.adapter = {}, .max_binding_bytes = 1 << 20, .no_subgroups = true, .no_packed_dot = true});
  ASSERT_TRUE(device) << device.error().message;
  EXPECT_EQ((*device)->info().limits.max_binding_bytes, 1u << 20);
  EXPECT_FALSE((*device)->info().features.subgroups);
  EXPECT_FALSE((*device)->info().features.packed_dot);
  const BufferId buffer = (*device)->new_buffer();
  const LayoutId layout = (*device)->new_layout();
  const Ticket scope = (*device)->new_ticket();
  Commands commands;
  commands.create_buffer(buffer, kStorage, 4 << 20, "large");
  commands.create_layout(layout, std::array{BindingKind::storage_read}, "");
  commands.push_error_scope(false);
  commands.create_bind_group((*device)->new_bind_group(), layout, std::array{Binding{buffer, 0, 2 << 20}}, "too large");
  commands.pop_error_scope(scope);
  (*device)->run(commands);
  EXPECT_FALSE(wait(**device, scope).ok);
}

TEST_P(GpuNativeDevice, DestroyedIsLost) {
  Result<std::unique_ptr<Device>> device = test::make_gpu_device(GetParam());
  ASSERT_TRUE(device) << device.error().message;
  const Ticket done = (*device)->new_ticket();
  (*device)->destroy();
  EXPECT_NE((*device)->lost(), "");
  Commands commands;
  commands.signal(done);
  (*device)->run(commands);
  EXPECT_FALSE((*device)->wait(done));
}

INSTANTIATE_TEST_SUITE_P(Software, GpuNativeDevice, testing::ValuesIn(test::gpu_drivers()), test::gpu_driver_name);

TEST(GpuAdapters, AnUnknownNameIsRefusedWithTheNamesThatThereAre) {
  if (test::gpu_device(test::gpu_drivers()[0]) == nullptr) GTEST_SKIP() << test::no_gpu(test::gpu_drivers()[0]);
  const auto device = make_native_device({.adapter = "no such thing"});
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().code, Code::device);
  EXPECT_NE(device.error().message.find(test::gpu_drivers()[0].adapter), std::string::npos) << device.error().message;
}

}  // namespace
}  // namespace wisp::gpu
