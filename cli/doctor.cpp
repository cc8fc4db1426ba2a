// wisp doctor: what this machine is, what it can do, and what wisp will use of it.
#include <memory>
#include <string>

#include "arguments.h"
#include "base/thread_pool.h"
#include "commands.h"
#include "cpu/cpu_info.h"
#include "cpu/machine_limits.h"
#include "doctor_gpu.h"
#include "doctor_tuning.h"
#include "gpu/native/native_device.h"
#include "help.h"
#include "join.h"
#include "json.h"
#include "model/model.h"
#include "model_options.h"
#include "output.h"
#include "system.h"

#include <fmt/format.h>  // fmt::join; after base/format.h, which configures it

namespace wisp::cli {
namespace {

struct DoctorOptions {
  int threads = 0;
  bool no_measure = false;
  bool json = false;
  bool gpu = false;
  std::string adapter;  // part of a name
  bool tuning = false;
  gpu::TuneMode tune = gpu::TuneMode::fast;
  std::string print_wgsl;  // part of a kernel's label
};

struct Diagnosis {
  cpu::CpuInfo cpu;
  SystemMemory memory;
  const cpu::Kernels* kernels = nullptr;
  std::string why;
  std::optional<cpu::MachineLimits> limits;
  std::vector<std::string> adapters;  // of WebGPU, by name
  std::string no_adapters;            // why there are none
  std::vector<std::string> advice;
};

void find_adapters(Diagnosis& found) {
  const Result<std::vector<gpu::DeviceInfo>> adapters = gpu::list_adapters();
  if (!adapters) {
    found.no_adapters = adapters.error().message;
  } else if (adapters->empty()) {
    found.no_adapters = "no driver for Vulkan, Metal or Direct3D 12 was found";
  } else {
    for (const gpu::DeviceInfo& one : *adapters) found.adapters.push_back(one.name);
  }
}

// What would make this machine faster, or is missing.
std::vector<std::string> advice(const Diagnosis& found) {
  std::vector<std::string> lines;
  const cpu::KernelSet* best = found.cpu.sets.empty() ? nullptr : &found.cpu.sets.front();
  if (best != nullptr && !best->runs_here) {
    lines.push_back(fmt::format("the fastest kernels ({}) need {}, which this processor lacks", best->kernels->name,
                                best->requires_));
  }
  if (found.memory.total != 0 && found.memory.available < found.memory.total / 10) {
    lines.push_back(fmt::format("only {} of memory are available", format_bytes(found.memory.available)));
  }
  if (found.cpu.logical_cores == 1) lines.emplace_back("one core only: prompts and answers compute on a single thread");
  return lines;
}

Json json(const Diagnosis& found) {
  Json sets = Json::array();
  for (const cpu::KernelSet& set : found.cpu.sets) {
    sets.push_back({{"name", set.kernels->name}, {"runs_here", set.runs_here}, {"requires", set.requires_}});
  }
  Json result = {{"version", WISP_VERSION},
                 {"processor", found.cpu.model},
                 {"cores", found.cpu.logical_cores},
                 {"features", found.cpu.features},
                 {"memory", {{"total", found.memory.total}, {"available", found.memory.available}}},
                 {"kernel_sets", sets},
                 {"chosen", found.kernels->name},
                 {"why", found.why}};
  if (found.limits) {
    result["limits"] = {{"threads", found.limits->threads},
                        {"read_bytes_per_second", found.limits->read_bytes_per_second},
                        {"int8_ops_per_second", found.limits->int8_ops_per_second}};
  }
  result["gpus"] = found.adapters;
  result["architectures"] = model::known_architectures();
  result["advice"] = found.advice;
  return result;
}

std::string report_text(const Diagnosis& found) {
  const auto line = [](std::string_view name, const std::string& value) {
    return fmt::format("{:<14} {}\n", name, value);
  };
  std::string text = line("wisp", WISP_VERSION);
  text += line("processor", fmt::format("{}, {} core{}", found.cpu.model.empty() ? "unknown" : found.cpu.model,
                                        found.cpu.logical_cores, found.cpu.logical_cores == 1 ? "" : "s"));
  text += line("features", join(found.cpu.features, " "));
  text += line("memory",
               fmt::format("{}, {} available", format_bytes(found.memory.total), format_bytes(found.memory.available)));
  for (const cpu::KernelSet& set : found.cpu.sets) {
    const bool chosen = set.kernels == found.kernels;
    text += line("kernels", fmt::format("{:<10} {}", set.kernels->name,
                                        chosen          ? "chosen: " + found.why
                                        : set.runs_here ? "runs here"
                                                        : "needs " + set.requires_));
  }
  if (found.limits) {
    text += line("reads", fmt::format("{:.1f} GB/s with {} threads", found.limits->read_bytes_per_second * 1e-9,
                                      found.limits->threads));
    text += line("int8", fmt::format("{:.0f} Gop/s", found.limits->int8_ops_per_second * 1e-9));
  }
  text += line("gpus", found.adapters.empty() ? "none: " + found.no_adapters
                                              : join(found.adapters, ", ") + "  (more: wisp doctor --device gpu)");
  text += line("architectures", join(model::known_architectures(), " "));
  for (const std::string& advised : found.advice) text += line("note", advised);
  return text;
}

Status doctor(const DoctorOptions& options) {
  if (!options.print_wgsl.empty()) return print_wgsl(options.adapter, options.print_wgsl);
  if (options.tuning) return doctor_tuning(options.adapter, options.tune, options.json);
  if (options.gpu) return doctor_gpu(options.json);
  Diagnosis found;
  found.cpu = cpu::cpu_info();
  found.memory = system_memory();
  WISP_TRY(found.kernels, cpu::choose_kernels({}, &found.why));
  if (!options.no_measure) {
    WISP_TRY(const std::unique_ptr<ThreadPool> pool,
             ThreadPool::create(options.threads > 0 ? options.threads : found.cpu.logical_cores));
    WISP_TRY(found.limits, cpu::measure_machine(*pool, *found.kernels));
  }
  find_adapters(found);
  found.advice = advice(found);
  return options.json ? print_json(json(found)) : print(report_text(found));
}

}  // namespace

void add_doctor(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<DoctorOptions>();
  CLI::App& command = *app.add_subcommand("doctor", "Examine this machine");
  describe(command,
           "Prints the processor, its features and memory, what it can read and compute at best (measured, about a "
           "second),\n"
           "which kernels wisp takes and why, and what is missing. WISP_CPU=NAME forces a kernel set.");
  command.footer(
      "Examples:\n  wisp doctor\n  WISP_CPU=avx2 wisp doctor --json\n  wisp doctor --device gpu\n"
      "  wisp doctor --device gpu --tuning\n  wisp doctor --device gpu --print-wgsl 'matvec q4_k'");
  const auto set_device = [](const std::string& text, DoctorOptions& chosen) {
    chosen.gpu = text == "gpu" || text.starts_with("gpu:");
    chosen.adapter = text.starts_with("gpu:") ? text.substr(4) : "";
    return chosen.gpu || text == "cpu" ? std::string() : "'" + printable(text) + "' is none of cpu, gpu, gpu:NAME";
  };
  command
      .add_option_function<std::string>(
          "--device", [options, set_device](const std::string& text) { set_device(text, *options); },
          "What to examine [cpu]; gpu lists every WebGPU adapter")
      ->check([set_device](const std::string& text) {
        DoctorOptions unused;
        return set_device(text, unused);
      })
      ->type_name("cpu|gpu[:NAME]");
  command
      .add_flag("--tuning", options->tuning,
                "With --device gpu: how each way of a matrix product of a 1 B model fares on it, and which is taken")
      ->needs("--device");
  add_tune_option(command, options->tune)->needs("--tuning");
  command
      .add_option("--print-wgsl", options->print_wgsl,
                  "With --device gpu: the text of the kernels whose label holds KERNEL, as generated for it")
      ->check(refuse_empty)
      ->type_name("KERNEL")
      ->needs("--device");
  command.add_option("-t,--threads", options->threads, "Threads to measure with [all processors]")
      ->check(CLI::Range(1, 1024))
      ->type_name("N");
  command.add_flag("--no-measure", options->no_measure, "Do not measure");
  command.add_flag("--json", options->json, "Print one object");
  command.callback([options, &exit_code] { exit_code = finish(doctor(*options)); });
}

}  // namespace wisp::cli
