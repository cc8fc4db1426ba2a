// The command `grammar`.
#pragma once

#include <CLI/CLI.hpp>

namespace wisp::cli {

void add_grammar(CLI::App& app, int& exit_code);

}  // namespace wisp::cli
