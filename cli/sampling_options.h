// How the next token is chosen, as options of run and chat.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "sample/params.h"
#include "text/tokenizer.h"

namespace wisp::cli {

struct SamplingOptions {
  sample::SamplingParams params;
  bool greedy = false;
  std::optional<std::uint64_t> seed;  // none: another one each time
  std::vector<std::string> stop;
  std::vector<std::string> dry_breakers = {sample::kUsualBreakers.begin(), sample::kUsualBreakers.end()};

  // The breakers of DRY are texts, which a vocabulary has to spell.
  [[nodiscard]] bool needs_text() const { return params.uses_dry() && !dry_breakers.empty(); }
};

void add_sampling_options(CLI::App& command, SamplingOptions& options);

// The parameters with everything decided, the seed too; checked against the vocabulary. Without a tokenizer DRY has no
// breakers.
Result<sample::SamplingParams> sampling_params(const SamplingOptions& options, std::size_t n_vocab,
                                               const text::Tokenizer* tokenizer = nullptr);

}  // namespace wisp::cli
