// Guessing tokens ahead (docs/speculation.md), as an option of the commands that generate.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "load_model.h"
#include "model_options.h"
#include "runtime/request.h"

namespace wisp::cli {

struct SpeculationOptions {
  std::string by = "off";  // "off", "ngram", or the path of a draft model
  std::uint32_t most = runtime::Request().most_drafts;

  [[nodiscard]] bool on() const { return by != "off"; }
};

void add_speculation_options(CLI::App& command, SpeculationOptions& options);
// Before the model is loaded: a GPU has to be deterministic for it.
void adapt(const SpeculationOptions& options, ModelOptions& model);
// Behind it: the draft model, if one is named, beside the model.
Status add_draft_model(const SpeculationOptions& options, const ModelOptions& model_options, LoadedModel& model);
void ask_for_guesses(const SpeculationOptions& options, runtime::Request& request);

}  // namespace wisp::cli
