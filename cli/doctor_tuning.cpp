#include "doctor_tuning.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "file_storage.h"
#include "gpu/kernels/attention_ways.h"
#include "gpu/kernels/catalogue.h"
#include "gpu/kernels/matmul_ways.h"
#include "gpu/native/native_device.h"
#include "gpu/tuning.h"
#include "gpu/weights/plane_layout.h"
#include "json.h"
#include "output.h"
#include "progress.h"

namespace wisp::cli {
namespace {

using gguf::TensorType;
using gpu::MatMulQuestion;
using gpu::MatMulSpec;

// Llama 3.2 1 B.
constexpr std::uint32_t kWidth = 2048, kHidden = 8192, kHeadDim = 64, kHeads = 32, kKvHeads = 8;

std::vector<MatMulSpec> specs() {
  std::vector<MatMulSpec> all;
  for (const TensorType type : {TensorType::q4_k, TensorType::q4_0, TensorType::q8_0, TensorType::f16}) {
    MatMulSpec qkv{.matrices = {}, .columns = kWidth, .norm = true};
    qkv.matrices = {{type, kWidth, false}, {type, kKvHeads * kHeadDim, false}, {type, kKvHeads * kHeadDim, false}};
    MatMulSpec gate{.matrices = {}, .columns = kWidth, .gated = true, .norm = true};
    gate.matrices = {{type, kHidden, false}, {type, kHidden, false}};
    gate.activation = graph::Activation::silu;
    MatMulSpec down{.matrices = {{type, kWidth, false}}, .columns = kHidden, .residual = true};
    all.insert(all.end(), {qkv, gate, down});
  }
  return all;
}

std::vector<MatMulQuestion> questions(const gpu::DeviceInfo& info) {
  std::vector<MatMulQuestion> all;
  for (const MatMulSpec& spec : specs()) {
    const bool int8 = info.features.packed_dot && !gpu::is_float_type(spec.matrices[0].type);
    for (const std::uint32_t rows : {1u, 8u, gpu::kManyRows})
      all.push_back({spec, rows, int8, info.features.shader_f16 && gpu::fits_halves(spec)});
  }
  return all;
}

// Workgroups that fit one processor's share at once are not told by WebGPU; how much of a workgroup's limits is used
// is.
double share(std::uint32_t used, std::uint32_t limit) {
  return limit == 0 ? 0.0 : static_cast<double>(used) / static_cast<double>(limit);
}

Json json_of(const gpu::TuningResult& result, const gpu::Limits& limits) {
  Json candidates = Json::array();
  for (const gpu::CandidateResult& one : result.candidates) {
    candidates.push_back({{"name", one.name},
                          {"verdict", gpu::verdict_name(one.verdict)},
                          {"nanoseconds", one.nanoseconds},
                          {"error", one.error},
                          {"invocations", one.invocations},
                          {"workgroup_bytes", one.workgroup_bytes},
                          {"share_of_invocations", share(one.invocations, limits.max_invocations)},
                          {"share_of_workgroup_bytes", share(one.workgroup_bytes, limits.max_workgroup_bytes)},
                          {"note", one.note}});
  }
  return {{"key", result.key}, {"remembered", result.remembered}, {"candidates", candidates}};
}

std::string text_of(const gpu::TuningResult& result, const gpu::Limits& limits) {
  std::string text = fmt::format("{}{}\n", result.key, result.remembered ? "  (remembered)" : "");
  for (const gpu::CandidateResult& one : result.candidates) {
    const std::string time =
        one.nanoseconds == 0 ? std::string("-") : fmt::format("{:.1f} us", static_cast<double>(one.nanoseconds) * 1e-3);
    text += fmt::format("  {:<44} {:>10}  {:<15} {:>3.0f}% of invocations, {:>3.0f}% of workgroup memory{}\n", one.name,
                        time, gpu::verdict_name(one.verdict), 100.0 * share(one.invocations, limits.max_invocations),
                        100.0 * share(one.workgroup_bytes, limits.max_workgroup_bytes),
                        one.note.empty() ? "" : "; " + one.note);
  }
  return text;
}

Status run(gpu::Device& device, gpu::Tuner& tuner, std::size_t asked) {
  Progress progress("measuring", true);
  while (true) {
    WISP_TRY(const bool done, tuner.poll());
    progress.show(tuner.results().size(), asked, {});
    if (done) return {};
    if (!device.wait(tuner.waits_for())) return fail(Code::device, "the device was lost: {}", device.lost());
  }
}

}  // namespace

Status doctor_tuning(const std::string& adapter, gpu::TuneMode mode, bool as_json) {
  WISP_TRY(const std::unique_ptr<gpu::Device> device, gpu::make_native_device({.adapter = adapter}));
  const gpu::DeviceInfo& info = device->info();
  FileStorage storage(cache_folder());
  const std::string text = storage.read(gpu::kTuningName);
  Result<gpu::TuningMemory> read = gpu::TuningMemory::parse(text, gpu::device_key(info));
  gpu::TuningMemory memory = read ? std::move(*read) : gpu::TuningMemory(gpu::device_key(info));
  gpu::Tuner tuner(*device, memory, gpu::mode_for(mode, info.type));
  std::size_t asked = 0;
  for (const MatMulQuestion& question : questions(info)) {
    tuner.ask(gpu::tuning_request(question, 1.0 / question.rows, info));
    ++asked;
  }
  for (const graph::KvType type : {graph::KvType::f16, graph::KvType::q8_0}) {
    const gpu::AttentionSpec attention{
        .kv_heads = kKvHeads, .queries = kHeads / kKvHeads, .head_dim = kHeadDim, .kv_type = type, .listed = true};
    tuner.ask(gpu::attention_request(attention, 1.0, info));
    ++asked;
  }
  WISP_CHECK(run(*device, tuner, asked));
  if (memory.changed()) storage.write(gpu::kTuningName, memory.text());

  if (as_json) {
    Json list = Json::array();
    for (const gpu::TuningResult& result : tuner.results()) list.push_back(json_of(result, info.limits));
    return print_json({{"adapter", info.name}, {"questions", list}});
  }
  std::string report = fmt::format("{}, {} by {}, {}\n", info.name, info.backend, info.vendor, info.driver);
  if (gpu::mode_for(mode, info.type) == gpu::TuneMode::off) {
    report += "Nothing was measured: times of a software adapter say nothing; --tune full measures all the same.\n";
  }
  for (const gpu::TuningResult& result : tuner.results()) report += "\n" + text_of(result, info.limits);
  return print(report);
}

Status print_wgsl(const std::string& adapter, const std::string& kernel) {
  WISP_TRY(const std::unique_ptr<gpu::Device> device, gpu::make_native_device({.adapter = adapter}));
  WISP_TRY(const std::vector<gpu::Kernel> all, gpu::kernel_catalogue(device->info()));
  std::string text, labels;
  for (const gpu::Kernel& one : all) {
    labels += "\n  " + one.label;
    if (one.label.find(kernel) != std::string::npos) text += fmt::format("// {}\n{}\n", one.label, one.wgsl);
  }
  if (text.empty()) return fail(Code::not_found, "no kernel's label holds '{}'; there are{}", kernel, labels);
  return print(text);
}

}  // namespace wisp::cli
