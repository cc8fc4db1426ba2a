// The commands, each in the file of its name. add_x() describes the command to CLI11; when it is chosen and has run,
// `exit_code` says how it ended.
#pragma once

#include <CLI/CLI.hpp>

namespace wisp::cli {

void add_run(CLI::App& app, int& exit_code);
void add_chat(CLI::App& app, int& exit_code);
void add_logits(CLI::App& app, int& exit_code);
void add_embed(CLI::App& app, int& exit_code);
void add_perplexity(CLI::App& app, int& exit_code);
void add_bench(CLI::App& app, int& exit_code);
void add_fit(CLI::App& app, int& exit_code);
void add_pull(CLI::App& app, int& exit_code);
void add_models(CLI::App& app, int& exit_code);
void add_rm(CLI::App& app, int& exit_code);
void add_doctor(CLI::App& app, int& exit_code);

}  // namespace wisp::cli
