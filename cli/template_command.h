// wisp template: a chat template at work, without its model's weights.
#pragma once

#include <CLI/CLI.hpp>

namespace wisp::cli {

// Adds the subcommand; its callback sets exit_code: 0 done, 1 input refused, 2 usage, 3 the machine lacks something.
void add_template(CLI::App& app, int& exit_code);

}  // namespace wisp::cli
