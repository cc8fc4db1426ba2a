// How the next token is chosen, as options of run and chat.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "sample/params.h"

namespace wisp::cli {

struct SamplingOptions {
  sample::SamplingParams params;
  bool greedy = false;
  std::optional<std::uint64_t> seed;  // none: another one each time
  std::vector<std::string> stop;
};

void add_sampling_options(CLI::App& command, SamplingOptions& options);

// The parameters with everything decided, the seed too; checked against the vocabulary.
Result<sample::SamplingParams> sampling_params(const SamplingOptions& options, std::size_t n_vocab);

}  // namespace wisp::cli
