#include "model_options.h"

#include <map>

#include "arguments.h"
#include "base/format.h"
#include "graph/passes.h"
#include "model_source.h"

namespace wisp::cli {
namespace {

const std::map<std::string, graph::KvType>& kv_types() {
  static const std::map<std::string, graph::KvType> types = {
      {"f32", graph::KvType::f32}, {"f16", graph::KvType::f16}, {"q8_0", graph::KvType::q8_0}};
  return types;
}

std::vector<std::string> pass_names() {
  std::vector<std::string> names = {"all"};
  for (const graph::Pass& pass : graph::fusion_passes()) names.emplace_back(pass.name);
  return names;
}

// `value` by name; help lists the names, not their numbers.
template <class Enum>
CLI::Option* add_choice(CLI::App& command, const std::string& name, Enum& value,
                        const std::map<std::string, Enum>& choices, const std::string& help) {
  std::string names;
  for (const auto& [choice, meaning] : choices) names += (names.empty() ? "" : "|") + choice;
  return command
      .add_option_function<std::string>(
          name, [&value, &choices](const std::string& text) { value = choices.at(text); }, help)
      ->check([&choices, names](const std::string& text) {
        return choices.contains(text) ? std::string() : "'" + printable(text) + "' is not one of " + names;
      })
      ->type_name(names);
}

// "gpu:NAME" names a device and the adapter.
std::string set_device(const std::string& text, ModelOptions& options) {
  const std::string_view name = std::string_view(text).substr(0, text.find(':'));
  const bool has_adapter = name.size() < text.size();
  if (name == "gpu") {
    options.device = Device::gpu;
    options.gpu = has_adapter ? text.substr(name.size() + 1) : "";
  } else if (!has_adapter && (name == "cpu" || name == "reference")) {
    options.device = name == "cpu" ? Device::cpu : Device::reference;
  } else {
    return "'" + printable(text) + "' is none of cpu, gpu, gpu:NAME, reference";
  }
  return {};
}

void add_device_option(CLI::App& command, ModelOptions& options, const std::string& group) {
  command
      .add_option_function<std::string>(
          "--device", [&options](const std::string& text) { set_device(text, options); },
          "What computes [cpu]; gpu is WebGPU on the best adapter, or on the one whose name holds NAME (wisp doctor "
          "lists them); reference is slow scalar code")
      ->check([](const std::string& text) {
        ModelOptions unused;
        return set_device(text, unused);
      })
      ->type_name("cpu|gpu[:NAME]|reference")
      ->group(group);
  command
      .add_flag("--deterministic", options.deterministic,
                "On a GPU: the same tokens whatever shares the step (always so on a CPU)")
      ->group(group);
  add_tune_option(command, options.tune)->group(group);
}

}  // namespace

CLI::Option* add_tune_option(CLI::App& command, gpu::TuneMode& mode) {
  static const std::map<std::string, gpu::TuneMode> modes = {
      {"off", gpu::TuneMode::off}, {"fast", gpu::TuneMode::fast}, {"full", gpu::TuneMode::full}};
  return add_choice(command, "--tune", mode, modes,
                    "Measure on first use which kernels are fastest on a GPU, and remember them: fast takes 5 s at "
                    "most, and nothing on software adapters [fast]");
}

std::string kv_name(graph::KvType type) {
  for (const auto& [name, known] : kv_types()) {
    if (known == type) return name;
  }
  return "?";
}

void add_shape_options(CLI::App& command, ModelOptions& options, graph::KvType default_kv) {
  options.kv = default_kv;
  const std::string group = "The model";
  command.add_option("-c,--context", options.context, "Longest sequence in tokens [min(the model's, 4096)]")
      ->check(CLI::Range(1u, 1u << 24))
      ->type_name("N")
      ->group(group);
  options.kv_may_narrow = default_kv == graph::KvType::f16;
  add_choice(command, "--kv", options.kv, kv_types(),
             "Type of stored keys and values [" + kv_name(default_kv) +
                 (options.kv_may_narrow ? "; on a GPU without the memory q8_0]" : "]"))
      ->group(group)
      ->each([&options](const std::string&) { options.kv_may_narrow = false; });
  command
      .add_option("--window", options.window,
                  "Every layer sees the last N tokens only: any length of text in constant memory")
      ->check(CLI::Range(1u, 1u << 24))
      ->type_name("N")
      ->group(group);
  command.add_option("--sinks", options.sinks, "With --window: the first N tokens stay visible [0]")
      ->check(CLI::Range(0u, 1u << 16))
      ->type_name("N")
      ->needs("--window")
      ->group(group);
  const std::string machine = "The machine";
  command.add_option("-t,--threads", options.threads, "Threads [all processors]")
      ->check(CLI::Range(1, 1024))
      ->type_name("N")
      ->group(machine);
  command.add_flag("--no-repack", options.no_repack, "Run from the file's own layout: less memory, less speed")
      ->group(machine);
  command
      .add_option("--no-fuse", options.no_fuse,
                  "Switch off a fusion pass (may be repeated), or all: results stay the same")
      ->check(CLI::IsMember(pass_names()))
      ->allow_extra_args(false)
      ->type_name("NAME")
      ->group(machine);
  add_device_option(command, options, machine);
}

void add_model_options(CLI::App& command, ModelOptions& options, graph::KvType default_kv) {
  add_model_source(
      command, options.path, options.offline,
      "GGUF file, the first part of a split one; hf:OWNER/REPO[:TYPE], an address, or a name of wisp models");
  add_shape_options(command, options, default_kv);
  const std::string machine = "The machine";
  add_parsed_option(command, "--memory-limit", options.memory_limit,
                    "Refuse to use more than SIZE for weights, keys and values [what is available]", parse_bytes)
      ->type_name("SIZE")
      ->group(machine);
  command
      .add_option("--ahead", options.ahead,
                  fmt::format("Steps that a device that runs by itself has in flight, 1: it waits for the host after "
                              "each; changes no token [{}]",
                              options.ahead))
      ->check(CLI::Range(1u, 64u))
      ->type_name("N")
      ->group(machine);
  command.add_option("--trace", options.trace, "Write where the time goes to FILE; https://ui.perfetto.dev opens it")
      ->check([](const std::string& path) { return path == "-" ? "has to be a file" : refuse_empty(path); })
      ->type_name("FILE")
      ->group(machine);
  command.add_flag("-q,--quiet", options.quiet, "No progress and no figures on stderr, only errors");
}

}  // namespace wisp::cli
