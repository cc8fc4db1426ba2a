// One answer from the engine, streamed while it is made.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json.h"
#include "runtime/engine.h"

namespace wisp::cli {

// What Request::logprobs tells of one token.
struct TokenOdds {
  float logprob = 0.0f;
  std::vector<sample::TokenLogprob> top;
};

struct Generation {
  std::vector<TokenId> ids;     // new ones only
  std::vector<TokenOdds> odds;  // of each, where they were asked for
  std::string text;
  runtime::FinishReason reason = runtime::FinishReason::length;
  runtime::RequestStats stats;
  std::shared_ptr<const runtime::SavedSequence> state;  // where the request keeps it

  [[nodiscard]] double prompt_seconds() const;
  [[nodiscard]] double prompt_tokens_per_second() const;  // of those that had to be computed
  [[nodiscard]] double decode_tokens_per_second() const;  // after the first
};

// Runs one request to its end; `show` gets each piece of text as it becomes certain and may refuse (the reader left).
// Ctrl-C ends it with FinishReason::cancelled; other failures are the Result's.
using ShowText = std::function<Status(std::string_view)>;
Result<Generation> generate(runtime::Engine& engine, runtime::Request request, const ShowText& show);

// "prompt 12 tokens, 210 t/s; 64 tokens, 45.1 t/s (22.2 ms each); length"
std::string describe(const Generation& generation);
Json timings_json(const Generation& generation);
// [{id, token, bytes, logprob, top: [{id, token, bytes, logprob}, ...]}, ...]
Json logprobs_json(const Generation& generation, const text::Tokenizer& tokenizer);

}  // namespace wisp::cli
