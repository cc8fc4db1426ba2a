// MODEL on a command line: a path, or the name of a model that was fetched or is to be fetched now.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "hub/pull.h"
#include "progress.h"

namespace wisp::cli {

// The models that this user has fetched.
hub::ModelStore model_store();

struct ModelSource {
  std::string name;
  bool offline = false;  // fetch nothing
  bool quiet = false;
};

// MODEL, a file or a name, and --offline.
void add_model_source(CLI::App& command, ModelSource& source, const std::string& help);
// The same for commands that keep these elsewhere.
void add_model_source(CLI::App& command, std::string& name, bool& offline, const std::string& help);

// The path of the model's (first) file. What is a file is taken as one; else a name of a stored model; hf:... and
// addresses that are not here are fetched, with progress on stderr, unless that is forbidden.
Result<std::string> local_path(const ModelSource& source);

// Fetches what `name` means, telling progress and remarks on stderr unless `quiet`. `memory`: bytes for the choice of a
// type, 0 for what the system has available.
Result<hub::Pulled> pull_with_progress(const hub::HuggingFace& service, const hub::ModelName& name,
                                       const hub::PullOptions& options, std::uint64_t memory, bool quiet);

}  // namespace wisp::cli
