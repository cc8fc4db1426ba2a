#include "tests/gpu_device_checks.h"

#include <array>
#include <cstring>
#include <numeric>
#include <optional>
#include <string_view>
#include <vector>

#include "base/format.h"
#include "tests/gpu_check_tools.h"

namespace wisp::test {

using namespace gpu;

GpuCheck::State GpuCheck::poll() {
  promise_type& promise = handle_.promise();
  while (!handle_.done()) {
    if (promise.ready && !promise.ready()) return State::waiting;
    promise.ready = nullptr;
    handle_.resume();
  }
  if (promise.skipped) return State::skipped;
  return promise.reason.empty() ? State::passed : State::failed;
}

namespace {

using Words = std::vector<std::uint32_t>;

template <class Values>
std::span<const std::byte> bytes_of(const Values& values) {
  return std::as_bytes(std::span(values));
}
template <class Values>
std::span<std::byte> target_of(Values& values) {
  return std::as_writable_bytes(std::span(values));
}

BufferId make_buffer(Device& device, const Words& words, std::uint32_t usage = kStorage,
                     std::string_view label = "words") {
  const BufferId buffer = device.new_buffer();
  Commands commands;
  commands.create_buffer(buffer, usage, 4 * words.size(), label);
  commands.write_buffer(buffer, 0, bytes_of(words));
  device.run(commands);
  return buffer;
}

// result[i] = result[i] * factor + addend[i], with the invocation's number from all three dimensions.
constexpr std::string_view kScale = R"(
@group(0) @binding(0) var<storage, read> addend: array<u32>;
@group(0) @binding(1) var<storage, read_write> result: array<u32>;
struct Op { factor: u32 }
@group(0) @binding(2) var<uniform> op: Op;
@group(1) @binding(0) var<uniform> stride: vec4<u32>;
@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = id.x + id.y * stride.x + id.z * stride.y;
  if (i < arrayLength(&result)) { result[i] = result[i] * op.factor + addend[i]; }
})";

// The kernel above over `count` words; constants at 0 and 256 of its `op`.
struct Scale {
  static constexpr std::array kMain = {BindingKind::storage_read, BindingKind::storage_read_write,
                                       BindingKind::uniform_dynamic};
  static constexpr std::array kStride = {BindingKind::uniform};
  BufferId addend, result, op;
  BindGroupId main, stride;
  PipelineId pipeline;
  Ticket compiled;

  Scale(Device& device, const Words& addends, const Words& results, std::array<std::uint32_t, 2> factors,
        std::array<std::uint32_t, 2> strides = {0, 0}) {
    Words constants(65);
    constants[0] = factors[0], constants[64] = factors[1];
    addend = make_buffer(device, addends, kStorage, "addend");
    result = make_buffer(device, results, kStorage, "result");
    op = make_buffer(device, constants, kUniform, "op");
    const BufferId by = make_buffer(device, {strides[0], strides[1], 0, 0}, kUniform, "stride");
    const std::array layouts = {device.new_layout(), device.new_layout()};
    Commands commands;
    commands.create_layout(layouts[0], kMain, "scale");
    commands.create_layout(layouts[1], kStride, "stride");
    main = device.new_bind_group();
    stride = device.new_bind_group();
    commands.create_bind_group(
        main, layouts[0],
        std::array{Binding{addend, 0, 4 * addends.size()}, Binding{result, 0, 4 * results.size()}, Binding{op, 0, 4}},
        "scale");
    commands.create_bind_group(stride, layouts[1], std::array{Binding{by, 0, 16}}, "stride");
    pipeline = device.new_pipeline();
    compiled = device.new_ticket();
    commands.create_pipeline(pipeline, compiled, kScale, layouts, "scale");
    device.run(commands);
  }

  void dispatch(Commands& commands, std::uint32_t which, std::array<std::uint32_t, 3> groups) const {
    commands.set_pipeline(pipeline);
    commands.set_bind_group(0, main, std::array{which * 256u});
    commands.set_bind_group(1, stride);
    commands.dispatch(groups[0], groups[1], groups[2]);
  }
};

// A kernel over one buffer of words, run once: its first word afterwards. For checks of what compiles.
struct Probe {
  PipelineId pipeline;
  BindGroupId group;
  BufferId buffer;
  Ticket compiled, read;
  std::array<std::uint32_t, 1> word = {};

  Probe(Device& device, std::string_view wgsl, const Words& words) {
    buffer = make_buffer(device, words);
    const LayoutId layout = device.new_layout();
    Commands commands;
    group = device.new_bind_group();
    pipeline = device.new_pipeline();
    compiled = device.new_ticket();
    read = device.new_ticket();
    commands.create_layout(layout, std::array{BindingKind::storage_read_write}, "probe");
    commands.create_bind_group(group, layout, std::array{Binding{buffer, 0, 4 * words.size()}}, "probe");
    commands.create_pipeline(pipeline, compiled, wgsl, std::array{layout}, "probe");
    device.run(commands);
  }
  void run(Commands& commands) {
    commands.begin_pass("probe");
    commands.set_pipeline(pipeline);
    commands.set_bind_group(0, group);
    commands.dispatch(1);
    commands.end_pass();
    commands.read_buffer(read, buffer, 0, target_of(word));
  }
};

// (1, 2, 3, -4) . (5, 6, 7, 8) = 6
constexpr std::string_view kPackedDot = R"(
@group(0) @binding(0) var<storage, read_write> words: array<u32>;
@compute @workgroup_size(1) fn main() { words[0] = u32(dot4I8Packed(words[0], words[1])); })";
constexpr std::string_view kHalf = R"(enable f16;
@group(0) @binding(0) var<storage, read_write> words: array<u32>;
@compute @workgroup_size(1) fn main() { words[0] = u32(f16(words[0]) * f16(1.5)); })";
constexpr std::string_view kSubgroup = R"(
@group(0) @binding(0) var<storage, read_write> words: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(subgroup_size) size: u32) {
  let sum = subgroupAdd(1u);
  if (lane == 0u) { words[0] = select(0u, size, sum == size); }
})";

std::string subgroup_text(Dialect dialect) {
  return std::string(dialect == Dialect::tint ? "enable subgroups;" : "") + std::string(kSubgroup);
}
std::string packed_text() { return "requires packed_4x8_integer_dot_product;" + std::string(kPackedDot); }

// ---- the checks ----

GpuCheck tells_what_it_is(Device& device) {
  const DeviceInfo& info = device.info();
  CHECK_THAT(!info.name.empty() && !info.backend.empty(), "name '{}', backend '{}'", info.name, info.backend);
  const Limits& limits = info.limits;
  const Limits least;
  CHECK_THAT(limits.max_buffer_bytes >= least.max_buffer_bytes, "buffers of {} bytes", limits.max_buffer_bytes);
  CHECK_THAT(limits.max_binding_bytes >= least.max_binding_bytes, "bindings of {} bytes", limits.max_binding_bytes);
  CHECK_THAT(limits.max_storage_buffers >= least.max_storage_buffers, "{} buffers", limits.max_storage_buffers);
  CHECK_THAT(limits.max_workgroup_bytes >= least.max_workgroup_bytes, "{} bytes", limits.max_workgroup_bytes);
  CHECK_THAT(limits.max_invocations >= least.max_invocations, "{} invocations", limits.max_invocations);
  CHECK_THAT(limits.max_workgroup_size >= least.max_workgroup_size, "{} wide", limits.max_workgroup_size[0]);
  CHECK_THAT(limits.max_workgroups >= least.max_workgroups, "{} workgroups", limits.max_workgroups);
  CHECK_THAT(limits.storage_alignment <= 256 && limits.uniform_alignment <= 256, "alignments {} and {}",
             limits.storage_alignment, limits.uniform_alignment);
  CHECK_THAT(info.timestamp_nanoseconds > 0.0, "timestamps count {} ns", info.timestamp_nanoseconds);
  co_return "";
}

// Two dispatches of one pass with constants at two dynamic offsets, over three dimensions.
GpuCheck runs_kernels(Device& device) {
  constexpr std::uint32_t kCount = 4 * 3 * 64;
  Words addends(kCount), results(kCount);
  std::iota(results.begin(), results.end(), 0u);
  for (std::uint32_t i = 0; i < kCount; ++i) addends[i] = 1000 * i;
  const Scale scale(device, addends, results, {3, 5}, {64, 3 * 64});
  const Event compiled = co_await EventOf(device, scale.compiled);
  CHECK_THAT(compiled.ok && compiled.kind == Event::Kind::pipeline, "the kernel: {}", compiled.message);
  const Ticket read = device.new_ticket();
  Commands commands;
  commands.begin_pass("two dispatches");
  scale.dispatch(commands, 0, {2, 3, 4});
  scale.dispatch(commands, 1, {2, 3, 4});
  commands.end_pass();
  commands.read_buffer(read, scale.result, 0, target_of(results));
  device.run(commands);
  const Event event = co_await EventOf(device, read);
  CHECK_THAT(event.ok && event.kind == Event::Kind::read, "the read: {}", event.message);
  for (std::uint32_t i = 0; i < kCount; ++i) {
    CHECK_THAT(results[i] == (3 * i + 1000 * i) * 5 + 1000 * i, "word {} is {}", i, results[i]);
  }
  co_return "";
}

// One stream that writes, works, writes again and works again: nothing overtakes, whatever the queue does with writes.
GpuCheck keeps_the_order(Device& device) {
  const Scale scale(device, {1}, {1}, {10, 100});
  const Event compiled = co_await EventOf(device, scale.compiled);
  CHECK_THAT(compiled.ok, "the kernel: {}", compiled.message);
  const Words seven = {7};
  std::array<Words, 3> seen = {Words(1), Words(1), Words(1)};
  const std::array reads = {device.new_ticket(), device.new_ticket(), device.new_ticket()};
  Commands commands;
  commands.begin_pass("first");
  scale.dispatch(commands, 0, {1, 1, 1});  // 1 * 10 + 1
  commands.end_pass();
  commands.read_buffer(reads[0], scale.result, 0, target_of(seen[0]));
  commands.write_buffer(scale.addend, 0, bytes_of(seven));
  commands.begin_pass("second");
  scale.dispatch(commands, 1, {1, 1, 1});  // 11 * 100 + 7
  commands.end_pass();
  commands.read_buffer(reads[1], scale.result, 0, target_of(seen[1]));
  commands.write_buffer(scale.result, 0, bytes_of(seven));
  commands.read_buffer(reads[2], scale.result, 0, target_of(seen[2]));
  device.run(commands);
  for (std::size_t i = 0; i < reads.size(); ++i) {
    const Event event = co_await EventOf(device, reads[i]);
    CHECK_THAT(event.ok, "read {}: {}", i, event.message);
  }
  CHECK_THAT(seen[0][0] == 11 && seen[1][0] == 1107 && seen[2][0] == 7, "{}, {}, {}", seen[0][0], seen[1][0],
             seen[2][0]);
  co_return "";
}

GpuCheck copies_and_clears(Device& device) {
  Words from(16), got(16);
  std::iota(from.begin(), from.end(), 1u);
  Commands commands;
  const BufferId source = make_buffer(device, from);
  const BufferId target = make_buffer(device, Words(16));
  const Ticket read = device.new_ticket();
  commands.copy_buffer(source, 8, target, 16, 32);                  // words 3..10 to 4..11
  commands.clear_buffer(target, 20, 8);                             // words 5 and 6
  commands.read_buffer(read, target, 8, target_of(got).first(40));  // from word 2 on
  device.run(commands);
  const Event event = co_await EventOf(device, read);
  CHECK_THAT(event.ok, "the read: {}", event.message);
  const Words expected = {0, 0, 3, 0, 0, 6, 7, 8, 9, 10, 0, 0, 0, 0, 0, 0};
  for (std::size_t i = 0; i < got.size(); ++i) CHECK_THAT(got[i] == expected[i], "word {} is {}", i, got[i]);
  co_return "";
}

// Reads of many sizes at once, and again, so that what they are staged in is used anew. The host's memory grows
// meanwhile, which in WebAssembly moves what a page sees of it.
GpuCheck reads_many_at_once(Device& device) {
  constexpr std::uint32_t kLargest = 1 << 18;
  Words all(kLargest);
  for (std::uint32_t round = 0; round < 3; ++round) {
    for (std::uint32_t i = 0; i < kLargest; ++i) all[i] = i * 2654435761u + round;
    Commands commands;
    const BufferId buffer = make_buffer(device, all);
    std::vector<Words> got;
    std::vector<Ticket> tickets;
    for (std::uint32_t count = 1; count <= kLargest; count *= 8)
      got.emplace_back(count), got.emplace_back(count + 1 - (count == kLargest));
    for (Words& words : got) {
      tickets.push_back(device.new_ticket());
      commands.read_buffer(tickets.back(), buffer, 0, target_of(words));
    }
    device.run(commands);
    const std::vector<std::byte> more(std::size_t{16} << 20);
    for (std::size_t i = 0; i < got.size(); ++i) {
      const Event event = co_await EventOf(device, tickets[i]);
      CHECK_THAT(event.ok, "read {}: {}", i, event.message);
      CHECK_THAT(std::equal(got[i].begin(), got[i].end(), all.begin()), "round {}: read {} of {} words differs", round,
                 i, got[i].size());
    }
    commands.clear();
    commands.destroy_buffer(buffer);
    device.run(commands);
    CHECK_THAT(!more.empty(), "unreachable");
  }
  co_return "";
}

// More than a page's staging for writes takes at once.
GpuCheck writes_megabytes(Device& device) {
  Words all((std::size_t{5} << 18) + 3), got(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint32_t>(i * i);
  Commands commands;
  const BufferId buffer = device.new_buffer();
  const Ticket read = device.new_ticket();
  commands.create_buffer(buffer, kStorage, 4 * all.size() + 8, "megabytes");
  commands.write_buffer(buffer, 8, bytes_of(all));
  commands.read_buffer(read, buffer, 8, target_of(got));
  device.run(commands);
  all[5] = 0;  // what was written was read before run() returned
  const Event event = co_await EventOf(device, read);
  CHECK_THAT(event.ok, "the read: {}", event.message);
  CHECK_THAT(got[5] == 25, "a word that changed after run() arrived changed");
  all[5] = 25;
  CHECK_THAT(got == all, "what came back differs");
  co_return "";
}

GpuCheck signals(Device& device) {
  Commands commands;
  const Ticket empty = device.new_ticket();
  commands.signal(empty);
  device.run(commands);
  const Event first = co_await EventOf(device, empty);
  CHECK_THAT(first.ok && first.kind == Event::Kind::done, "a signal behind nothing: {}", first.message);
  commands.clear();
  const Scale scale(device, {1}, {1}, {2, 2});
  const Event compiled = co_await EventOf(device, scale.compiled);
  CHECK_THAT(compiled.ok, "the kernel: {}", compiled.message);
  const std::array tickets = {device.new_ticket(), device.new_ticket()};
  for (const Ticket ticket : tickets) {
    commands.clear();
    commands.begin_pass("work");
    scale.dispatch(commands, 0, {1, 1, 1});
    commands.end_pass();
    commands.signal(ticket);
    device.run(commands);
  }
  for (const Ticket ticket : tickets) {
    const Event event = co_await EventOf(device, ticket);
    CHECK_THAT(event.ok, "a signal behind work: {}", event.message);
  }
  co_return "";
}

GpuCheck compiles_many_at_once(Device& device) {
  constexpr std::size_t kPipelines = 12;
  std::vector<Probe> probes;
  for (std::size_t i = 0; i < kPipelines; ++i) {
    probes.emplace_back(device,
                        fmt::format("@group(0) @binding(0) var<storage, read_write> words: array<u32>;\n"
                                    "@compute @workgroup_size(1) fn main() {{ words[0] = words[0] + {}u; }}",
                                    i),
                        Words{100});
  }
  for (Probe& probe : probes) {
    const Event event = co_await EventOf(device, probe.compiled);
    CHECK_THAT(event.ok, "a pipeline: {}", event.message);
  }
  Commands commands;
  for (Probe& probe : probes) probe.run(commands);
  device.run(commands);
  for (std::size_t i = 0; i < kPipelines; ++i) {
    const Event event = co_await EventOf(device, probes[i].read);
    CHECK_THAT(event.ok && probes[i].word[0] == 100 + i, "kernel {} gave {} {}", i, probes[i].word[0], event.message);
  }
  co_return "";
}

// A shader that does not compile is told with the compiler's words; its pipeline is never run.
GpuCheck tells_why_a_shader_does_not_compile(Device& device) {
  Probe bad(device, "@compute @workgroup_size(1) fn main() { nonsense(); }", {42});
  const Event event = co_await EventOf(device, bad.compiled);
  CHECK_THAT(!event.ok && event.message.find("nonsense") != std::string::npos, "it said: {}", event.message);
  std::string error = device.take_uncaptured_error();
  CHECK_THAT(error.empty(), "an uncaptured error beside the event: {}", error);
  Commands commands;
  bad.run(commands);
  device.run(commands);
  co_await ErrorOf(device, error);
  const Event read = co_await EventOf(device, bad.read);
  CHECK_THAT(read.ok && bad.word[0] == 42, "after it was used: {}, {}", bad.word[0], read.message);
  co_return "";
}

GpuCheck refuses_invalid_work(Device& device) {
  Commands commands;
  const BufferId small = make_buffer(device, {1, 2, 3, 4}, kStorage, "small");
  const BufferId large = make_buffer(device, Words(16), kStorage, "large");
  Words got(4);
  const Ticket refused = device.new_ticket(), read = device.new_ticket();
  commands.copy_buffer(large, 0, small, 0, 64);  // past the end
  commands.read_buffer(refused, small, 0, target_of(got));
  device.run(commands);
  std::string error;
  co_await ErrorOf(device, error);
  const Event event = co_await EventOf(device, refused);
  CHECK_THAT(!event.ok, "a read behind invalid work was answered");
  commands.clear();
  commands.read_buffer(read, small, 0, target_of(got));
  device.run(commands);
  const Event after = co_await EventOf(device, read);
  CHECK_THAT(after.ok && got == (Words{1, 2, 3, 4}), "the device does not go on: {}", after.message);
  co_return "";
}

GpuCheck names_unknown_ids(Device& device) {
  const Words word = {1};
  Words got(1);
  const std::array<std::function<void(Commands&)>, 4> bad = {
      [&](Commands& c) { c.write_buffer(BufferId{99991}, 0, bytes_of(word)); },
      [&](Commands& c) { c.copy_buffer(BufferId{99991}, 0, BufferId{99991}, 0, 4); },
      [&](Commands& c) {
        c.begin_pass("");
        c.set_bind_group(0, BindGroupId{99991});
        c.end_pass();
      },
      [&](Commands& c) {
        c.begin_pass("");
        c.set_pipeline(PipelineId{99991});
        c.dispatch(1);
        c.end_pass();
      },
  };
  for (std::size_t i = 0; i < bad.size(); ++i) {
    Commands commands;
    bad[i](commands);
    device.run(commands);
    std::string error;
    co_await ErrorOf(device, error);
    CHECK_THAT(error.find("99991") != std::string::npos, "command {}: {}", i, error);
  }
  Commands commands;
  const Ticket read = device.new_ticket();
  commands.read_buffer(read, BufferId{99991}, 0, target_of(got));
  device.run(commands);
  const Event event = co_await EventOf(device, read);
  CHECK_THAT(!event.ok && event.kind == Event::Kind::read, "a read of nothing was answered");
  device.take_uncaptured_error();
  co_return "";
}

GpuCheck catches_errors_in_scopes(Device& device) {
  const Ticket outer = device.new_ticket(), inner = device.new_ticket(), clean = device.new_ticket();
  const BufferId buffer = device.new_buffer();
  const LayoutId layout = device.new_layout();
  Commands commands;
  commands.create_buffer(buffer, kUniform, 16, "not for storage");
  commands.create_layout(layout, std::array{BindingKind::storage_read}, "storage");
  commands.push_error_scope(false);
  commands.push_error_scope(true);
  commands.create_bind_group(device.new_bind_group(), layout, std::array{Binding{buffer, 0, 16}}, "wrong");
  commands.pop_error_scope(inner);
  commands.pop_error_scope(outer);
  commands.push_error_scope(false);
  commands.pop_error_scope(clean);
  device.run(commands);
  const Event memory = co_await EventOf(device, inner);
  CHECK_THAT(memory.ok && memory.kind == Event::Kind::error_scope, "a scope for memory caught: {}", memory.message);
  const Event wrong = co_await EventOf(device, outer);
  CHECK_THAT(!wrong.ok && !wrong.out_of_memory && !wrong.message.empty(), "a scope caught nothing");
  const Event none = co_await EventOf(device, clean);
  CHECK_THAT(none.ok, "an empty scope caught: {}", none.message);
  co_return "";
}

GpuCheck frees_buffers(Device& device) {
  Commands commands;
  const std::uint64_t before = device.buffer_bytes();
  const BufferId buffer = make_buffer(device, {5});
  CHECK_THAT(device.buffer_bytes() == before + 4, "{} bytes counted", device.buffer_bytes() - before);
  Words got(1);
  const Ticket read = device.new_ticket();
  commands.read_buffer(read, buffer, 0, target_of(got));
  commands.destroy_buffer(buffer);  // after what was recorded
  device.run(commands);
  const Event event = co_await EventOf(device, read);
  CHECK_THAT(event.ok && got[0] == 5, "what was read before it went: {} {}", got[0], event.message);
  CHECK_THAT(device.buffer_bytes() == before, "{} bytes are left", device.buffer_bytes() - before);
  CHECK_THAT(device.peak_buffer_bytes() >= before + 4, "the peak is {}", device.peak_buffer_bytes());
  commands.clear();
  commands.clear_buffer(buffer, 0, 4);
  device.run(commands);
  std::string error;
  co_await ErrorOf(device, error);
  co_return "";
}

GpuCheck tells_time(Device& device) {
  if (!device.info().features.timestamps) co_return co_await Skip{"the device has no timestamps"};
  Commands commands;
  const Scale scale(device, Words(4096), Words(4096), {2, 2});
  const QuerySetId queries = device.new_query_set();
  const BufferId stamps = device.new_buffer();
  commands.create_query_set(queries, 4);
  commands.create_buffer(stamps, kQueryResolve, 32, "stamps");
  device.run(commands);
  const Event compiled = co_await EventOf(device, scale.compiled);
  CHECK_THAT(compiled.ok, "the kernel: {}", compiled.message);
  std::array<std::uint64_t, 4> times = {};
  const Ticket read = device.new_ticket();
  commands.clear();
  for (const std::uint32_t first : {0u, 2u}) {
    commands.begin_pass("timed", queries, first);
    scale.dispatch(commands, 0, {128, 1, 1});
    commands.end_pass();
  }
  commands.resolve_queries(queries, 0, 4, stamps, 0);
  commands.read_buffer(read, stamps, 0, target_of(times));
  device.run(commands);
  const Event event = co_await EventOf(device, read);
  CHECK_THAT(event.ok, "the read: {}", event.message);
  // Pages see them rounded.
  CHECK_THAT(times[0] != 0 && times[0] <= times[1] && times[1] <= times[2] && times[2] <= times[3], "{} {} {} {}",
             times[0], times[1], times[2], times[3]);
  commands.clear();
  commands.destroy_query_set(queries);
  device.run(commands);
  co_return "";
}

GpuCheck has_the_features_that_it_tells(Device& device) {
  const DeviceInfo& info = device.info();
  struct Feature {
    const char* name;
    bool told;
    std::string wgsl;
    Words words;
    std::uint32_t result;
  };
  const std::array<Feature, 3> features = {
      Feature{"packed dot products", info.features.packed_dot, packed_text(), {0xfc030201u, 0x08070605u}, 6},
      Feature{"f16", info.features.shader_f16, std::string(kHalf), {20}, 30},
      Feature{"subgroups", info.features.subgroups, subgroup_text(info.dialect), {0}, 0}};
  for (const Feature& feature : features) {
    Probe probe(device, feature.wgsl, feature.words);
    const Event compiled = co_await EventOf(device, probe.compiled);
    if (!feature.told) continue;
    CHECK_THAT(compiled.ok, "{}: {}", feature.name, compiled.message);
    Commands commands;
    probe.run(commands);
    device.run(commands);
    const Event read = co_await EventOf(device, probe.read);
    CHECK_THAT(read.ok, "{}: {}", feature.name, read.message);
    const std::uint32_t got = probe.word[0];
    const bool right = feature.result != 0 ? got == feature.result
                                           : got >= std::max(1u, info.subgroup_min) &&
                                                 (info.subgroup_max == 0 || got <= info.subgroup_max);
    CHECK_THAT(right, "{}: the kernel gave {}", feature.name, got);
  }
  co_return "";
}

// What is not granted cannot be used by accident.
GpuCheck does_without_features(Device& device) {
  const Features& features = device.info().features;
  CHECK_THAT(!features.shader_f16 && !features.subgroups && !features.timestamps && !features.packed_dot,
             "features are told that were masked");
  for (const std::string& wgsl : {std::string(kHalf), subgroup_text(device.info().dialect)}) {
    Probe probe(device, wgsl, {1});
    const Event compiled = co_await EventOf(device, probe.compiled);
    CHECK_THAT(!compiled.ok, "this compiles without the feature: {}", wgsl);
  }
  co_return "";
}

GpuCheck keeps_lowered_limits(Device& device) {
  const std::uint64_t limit = device.info().limits.max_binding_bytes;
  CHECK_THAT(limit == 1 << 20, "bindings of {} bytes", limit);
  const BufferId buffer = device.new_buffer();
  const LayoutId layout = device.new_layout();
  const Ticket good = device.new_ticket();
  Commands commands;
  commands.create_buffer(buffer, kStorage, 3 * limit, "three bindings");
  commands.create_layout(layout, std::array{BindingKind::storage_read}, "");
  commands.push_error_scope(false);
  commands.create_bind_group(device.new_bind_group(), layout, std::array{Binding{buffer, limit, limit}}, "fits");
  commands.pop_error_scope(good);
  device.run(commands);
  const Event fits = co_await EventOf(device, good);
  CHECK_THAT(fits.ok, "a binding of the limit: {}", fits.message);
  commands.clear();
  commands.create_bind_group(device.new_bind_group(), layout, std::array{Binding{buffer, 0, 2 * limit}}, "too large");
  device.run(commands);
  std::string error;
  co_await ErrorOf(device, error);
  co_return "";
}

// A lost device says so, executes nothing and answers nothing more.
GpuCheck is_lost_when_destroyed(Device& device) {
  Commands commands;
  const BufferId buffer = make_buffer(device, {1});
  Words got(1);
  const std::array tickets = {device.new_ticket(), device.new_ticket(), device.new_ticket()};
  commands.read_buffer(tickets[0], buffer, 0, target_of(got));
  commands.signal(tickets[1]);
  device.run(commands);
  device.destroy();
  co_await Until{[&] { return !device.lost().empty(); }};
  const bool before = device.has(tickets[0]);
  commands.clear();
  commands.signal(tickets[2]);
  device.run(commands);
  int polls = 0;
  co_await Until{[&] { return ++polls > 20; }};
  CHECK_THAT(device.has(tickets[0]) == before && !device.has(tickets[2]), "a lost device answered");
  const std::string error = device.take_uncaptured_error();
  CHECK_THAT(error.empty(), "an error behind the loss: {}", error);
  co_return "";
}

constexpr std::array kChecks = {
    GpuCheckCase{"TellsWhatItIs", tells_what_it_is},
    GpuCheckCase{"RunsKernels", runs_kernels},
    GpuCheckCase{"KeepsTheOrder", keeps_the_order},
    GpuCheckCase{"CopiesAndClears", copies_and_clears},
    GpuCheckCase{"ReadsManyAtOnce", reads_many_at_once},
    GpuCheckCase{"WritesMegabytes", writes_megabytes},
    GpuCheckCase{"Signals", signals},
    GpuCheckCase{"CompilesManyAtOnce", compiles_many_at_once},
    GpuCheckCase{"TellsWhyAShaderDoesNotCompile", tells_why_a_shader_does_not_compile},
    GpuCheckCase{"RefusesInvalidWork", refuses_invalid_work},
    GpuCheckCase{"NamesUnknownIds", names_unknown_ids},
    GpuCheckCase{"CatchesErrorsInScopes", catches_errors_in_scopes},
    GpuCheckCase{"FreesBuffers", frees_buffers},
    GpuCheckCase{"TellsTime", tells_time},
    GpuCheckCase{"HasTheFeaturesThatItTells", has_the_features_that_it_tells},
    GpuCheckCase{.name = "DoesWithoutFeatures", .start = does_without_features, .without_features = true},
    GpuCheckCase{.name = "KeepsLoweredLimits", .start = keeps_lowered_limits, .max_binding_bytes = 1 << 20},
    GpuCheckCase{"IsLostWhenDestroyed", is_lost_when_destroyed},
};

}  // namespace

std::span<const GpuCheckCase> gpu_device_checks() { return kChecks; }

}  // namespace wisp::test
