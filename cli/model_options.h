// The options that every command that runs a model has, spelled and explained once.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gpu/tuner/tuner.h"
#include "graph/graph.h"
#include "runtime/engine.h"

namespace wisp::cli {

enum class Device : std::uint8_t {
  cpu,
  reference,  // graph/scalar_executor.h: slow, for finding out which of two answers is right
  gpu,        // WebGPU; never replaced by another where it is asked for
};

struct ModelOptions {
  std::string path;           // or a name (model_source.h)
  std::uint32_t context = 0;  // 0: min(the model's, 4096)
  graph::KvType kv = graph::KvType::f16;
  bool kv_may_narrow = true;  // nobody asked for that type
  int threads = 0;            // 0: all
  std::vector<std::string> no_fuse;
  std::optional<std::uint32_t> window;
  std::uint32_t sinks = 0;
  bool no_repack = false;
  Device device = Device::cpu;
  std::string gpu;             // part of the adapter's name; "": the best
  bool deterministic = false;  // on a GPU: one kernel per weight whatever the rows
  gpu::TuneMode tune = gpu::TuneMode::fast;
  std::uint64_t memory_limit = 0;  // bytes; 0: none
  std::uint32_t ahead = runtime::EngineOptions().steps_ahead;
  std::string trace;     // a path, or ""
  bool offline = false;  // fetch nothing
  bool quiet = false;
};

// MODEL and the options that shape what is computed; `default_kv` as the command has it.
void add_model_options(CLI::App& command, ModelOptions& options, graph::KvType default_kv = graph::KvType::f16);
// The part of them that `fit` needs too: --context, --kv, --window, --sinks, --threads, --no-repack, --no-fuse,
// --device.
void add_shape_options(CLI::App& command, ModelOptions& options, graph::KvType default_kv);

// --tune: how much a GPU is measured.
CLI::Option* add_tune_option(CLI::App& command, gpu::TuneMode& mode);
// "f32", "f16", "q8_0".
std::string kv_name(graph::KvType type);

// Turns a parse function of Result<T> into an option: the message of a refusal becomes CLI11's.
template <class T, class Parse>
CLI::Option* add_parsed_option(CLI::App& command, const std::string& name, T& value, const std::string& help,
                               Parse parse) {
  const std::string shown = name.substr(name.find_last_of(',') + 1);  // "-m,--memory" is --memory
  const auto set = [&value, parse, shown](const std::string& text) {
    auto parsed = parse(text);
    if (!parsed) throw CLI::ValidationError(shown, parsed.error().message);
    value = std::move(*parsed);
  };
  return command.add_option_function<std::string>(name, set, help);
}

}  // namespace wisp::cli
