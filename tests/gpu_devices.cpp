#include "tests/gpu_devices.h"

#include <cstdlib>
#include <map>
#include <mutex>

#include "gpu/executor.h"
#include "tests/test_data.h"

namespace wisp::test {
namespace {

// Where Debian has them (packages chromium and mesa-vulkan-drivers). The loader takes several at once.
constexpr const char* kDriverFiles =
    "/usr/lib/chromium/vk_swiftshader_icd.json:/usr/share/vulkan/icd.d/lvp_icd.x86_64.json";

// The adapter that the tester named.
const char* named_gpu() {
  const char* name = std::getenv("WISP_TEST_GPU");
  return name == nullptr || *name == '\0' ? nullptr : name;
}

void choose_drivers() {
  if (named_gpu() != nullptr) return;
  static std::once_flag once;
  std::call_once(once, [] {
    // One that is set already is the tester's wish.
    setenv("VK_DRIVER_FILES", kDriverFiles, 0);
    setenv("XDG_RUNTIME_DIR", "/tmp", 0);
  });
}

struct Made {
  std::unique_ptr<gpu::Device> device;
  std::string why_not;
};

const Made& made(const GpuDriver& driver) {
  // Never destroyed: when statics are, the drivers' own are gone already.
  static std::map<std::string, Made>& all = *new std::map<std::string, Made>;
  const auto found = all.find(driver.name);
  if (found != all.end()) return found->second;
  Made& one = all[driver.name];
  Result<std::unique_ptr<gpu::Device>> device = make_gpu_device(driver);
  if (device) {
    one.device = std::move(*device);
  } else {
    one.why_not = device.error().message;
  }
  return one;
}

}  // namespace

const std::vector<GpuDriver>& gpu_drivers() {
  static const std::vector<GpuDriver> drivers =
      named_gpu() != nullptr ? std::vector<GpuDriver>{{std::string(kNamedGpu), named_gpu()}}
                             : std::vector<GpuDriver>{{"SwiftShader", "SwiftShader"}, {"lavapipe", "llvmpipe"}};
  return drivers;
}

std::string gpu_driver_name(const testing::TestParamInfo<GpuDriver>& info) { return info.param.name; }

Result<std::unique_ptr<gpu::Device>> make_gpu_device(const GpuDriver& driver, gpu::NativeOptions options) {
  choose_drivers();
  options.adapter = driver.adapter;
  return gpu::make_native_device(options);
}

gpu::Device* gpu_device(const GpuDriver& driver) { return made(driver).device.get(); }

std::string no_gpu(const GpuDriver& driver) { return driver.name + " is not here: " + made(driver).why_not; }

bool is_turn_of(const GpuDriver& driver, std::size_t number) {
  return full_run() || named_gpu() != nullptr || (driver.name == gpu_drivers()[0].name) == (number % 4 == 0);
}

std::vector<ExecutorKind> gpu_executor_kinds() {
  std::vector<ExecutorKind> kinds;
  for (const GpuDriver& driver : gpu_drivers()) {
    kinds.push_back({"gpu_" + driver.name, graph::Arithmetic::int8_activations,
                     [driver]() -> std::unique_ptr<graph::Executor> {
                       auto made_one =
                           gpu::make_gpu_executor({.make_device = [driver] { return make_gpu_device(driver); }});
                       return made_one ? std::move(*made_one) : nullptr;
                     },
                     1.5});
  }
  return kinds;
}

testing::AssertionResult run_on_gpu(gpu::Device& device, GpuRun& run) {
  using namespace gpu;
  Commands commands;
  const auto upload = [&](std::uint32_t usage, std::span<const std::byte> bytes, std::string_view label) {
    const BufferId buffer = device.new_buffer();
    commands.create_buffer(buffer, usage, bytes.size(), label);
    commands.write_buffer(buffer, 0, bytes);
    return Binding{buffer, 0, bytes.size()};
  };
  const std::array shared = {upload(kStorage, std::as_bytes(std::span(run.step)), "test step"),
                             upload(kStorage, std::as_bytes(std::span(run.arena)), "test arena"),
                             upload(kUniform, std::as_bytes(std::span(run.op.words)), "test op")};
  std::vector<Binding> own;
  for (const std::vector<std::byte>& bytes : run.buffers) own.push_back(upload(kStorage, bytes, "test buffer"));

  const std::array layouts = {device.new_layout(), device.new_layout()};
  const std::array groups = {device.new_bind_group(), device.new_bind_group()};
  const PipelineId pipeline = device.new_pipeline();
  const Ticket compiled = device.new_ticket();
  const std::array kinds = {BindingKind::storage_read, BindingKind::storage_read_write, BindingKind::uniform_dynamic};
  commands.create_layout(layouts[0], kinds, "test group 0");
  commands.create_layout(layouts[1], run.kernel.bindings, run.kernel.label);
  commands.create_bind_group(groups[0], layouts[0], shared, "test group 0");
  commands.create_bind_group(groups[1], layouts[1], own, run.kernel.label);
  commands.create_pipeline(pipeline, compiled, run.kernel.wgsl, layouts, run.kernel.label);
  device.run(commands);
  if (!device.wait(compiled)) return testing::AssertionFailure() << "the device was lost: " << device.lost();
  const Event event = *device.take(compiled);
  if (!event.ok)
    return testing::AssertionFailure() << run.kernel.label << ": " << event.message << "\n" << run.kernel.wgsl;

  commands.clear();
  commands.begin_pass(run.kernel.label);
  commands.set_pipeline(pipeline);
  commands.set_bind_group(0, groups[0], std::array<std::uint32_t, 1>{0});
  commands.set_bind_group(1, groups[1]);
  commands.dispatch(run.workgroups[0], run.workgroups[1], run.workgroups[2]);
  commands.end_pass();
  std::vector<Ticket> reads;
  const auto read = [&](const Binding& binding, std::span<std::byte> target) {
    reads.push_back(device.new_ticket());
    commands.read_buffer(reads.back(), binding.buffer, 0, target);
  };
  read(shared[1], std::as_writable_bytes(std::span(run.arena)));
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (run.kernel.bindings[i] == BindingKind::storage_read_write) read(own[i], run.buffers[i]);
  }
  device.run(commands);
  std::string failed;
  for (const Ticket ticket : reads) {
    if (!device.wait(ticket)) {
      failed = "the device was lost: " + device.lost();
    } else if (const Event done = *device.take(ticket); !done.ok) {
      failed = done.message;
    }
  }
  if (std::string error = device.take_uncaptured_error(); !error.empty()) failed = error;

  commands.clear();
  commands.destroy_pipeline(pipeline);
  for (const BindGroupId group : groups) commands.destroy_bind_group(group);
  for (const Binding& binding : shared) commands.destroy_buffer(binding.buffer);
  for (const Binding& binding : own) commands.destroy_buffer(binding.buffer);
  device.run(commands);
  if (!failed.empty()) return testing::AssertionFailure() << run.kernel.label << ": " << failed;
  return testing::AssertionSuccess();
}

}  // namespace wisp::test
