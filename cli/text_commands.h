// wisp tokenize, wisp detokenize: a model's vocabulary at work. Neither weights nor a known architecture are needed.
#pragma once

#include <CLI/CLI.hpp>

namespace wisp::cli {

// Each adds its subcommand; when it runs, its callback sets exit_code: 0 done, 1 input refused, 2 usage, 3 the machine
// lacks something.
void add_tokenize(CLI::App& app, int& exit_code);
void add_detokenize(CLI::App& app, int& exit_code);

}  // namespace wisp::cli
