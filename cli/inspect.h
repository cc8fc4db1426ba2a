// wisp inspect: what a GGUF file holds. Needs neither weights that make sense nor a known architecture.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace wisp::cli {

struct InspectOptions {
  std::string path;      // or a name (model_source.h)
  bool offline = false;  // fetch nothing
  bool tensors = false;  // list them; JSON always does
  bool json = false;
  bool full = false;  // arrays and strings in full
  // Both or neither: this tensor's values go to this file, and nothing is printed.
  std::string dump;
  std::string out;
};

// Returns the exit code.
int run_inspect(const InspectOptions& options);

// Adds the subcommand; its callback sets exit_code.
void add_inspect(CLI::App& app, int& exit_code);

}  // namespace wisp::cli
