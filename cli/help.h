// How the help reads and how mistakes in the command line are told.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace wisp::cli {

// The list of commands shows one line for each: the first of its description.
void set_up_help(CLI::App& app);

// Adds to the one line that a command was made with what its own help says further.
void describe(CLI::App& command, const std::string& text);

// What is wrong, and whose help explains.
std::string mistake_text(const CLI::App& app, const CLI::ParseError& mistake);

}  // namespace wisp::cli
