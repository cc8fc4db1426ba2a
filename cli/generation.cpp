#include "generation.h"

#include "interrupt.h"

namespace wisp::cli {
namespace {

double seconds_between(std::uint64_t begin_ns, std::uint64_t end_ns) {
  return end_ns > begin_ns ? static_cast<double>(end_ns - begin_ns) * 1e-9 : 0.0;
}

Json token_json(TokenId id, float logprob, const text::Tokenizer& tokenizer) {
  const std::string bytes = tokenizer.token_bytes(id, true);
  Json values = Json::array();
  for (const char byte : bytes) values.push_back(static_cast<unsigned char>(byte));
  return {{"id", id}, {"token", bytes}, {"bytes", std::move(values)}, {"logprob", logprob}};
}

double rate(double count, double seconds) { return seconds > 0 ? count / seconds : 0.0; }

}  // namespace

double Generation::prompt_seconds() const {
  const std::uint64_t end = stats.first_token_ns != 0 ? stats.first_token_ns : stats.finished_ns;
  return seconds_between(stats.admitted_ns, end);
}

double Generation::prompt_tokens_per_second() const {
  return rate(stats.prompt_tokens - stats.cached_tokens, prompt_seconds());
}

double Generation::decode_tokens_per_second() const {
  if (stats.generated_tokens < 2) return 0;
  return rate(stats.generated_tokens - 1, seconds_between(stats.first_token_ns, stats.finished_ns));
}

Result<Generation> generate(runtime::Engine& engine, runtime::Request request, const ShowText& show) {
  Generation made;
  Status shown;
  Error failure;
  bool finished = false;
  const bool tells_odds = request.logprobs.has_value();
  const auto take = [&](std::string_view text) {
    made.text += text;
    if (shown && !text.empty()) shown = show(text);
  };
  request.on_token = [&](const runtime::TokenEvent& event) {
    made.ids.push_back(event.token);
    if (tells_odds) {
      made.odds.push_back({event.logprobs.chosen, {event.logprobs.top.begin(), event.logprobs.top.end()}});
    }
    take(event.text);
  };
  request.on_finish = [&](const runtime::FinishEvent& event) {
    take(event.text);
    made.reason = event.reason;
    made.stats = event.stats;
    made.state = event.state;
    failure = event.error;
    finished = true;
  };
  WISP_TRY(const runtime::RequestId id, engine.submit(std::move(request)));
  while (!finished) {
    if (Interrupts::pending() || !shown) {
      WISP_CHECK(engine.cancel(id));
      continue;
    }
    WISP_TRY(const bool worked, engine.step());
    if (!worked && !finished) return fail(Code::internal, "the engine stopped before the answer was finished");
  }
  WISP_CHECK(shown);
  if (made.reason == runtime::FinishReason::error) return std::unexpected(failure);
  return made;
}

std::string describe(const Generation& generation) {
  const runtime::RequestStats& stats = generation.stats;
  std::string text = fmt::format("prompt {} tokens", stats.prompt_tokens);
  if (stats.cached_tokens > 0) text += fmt::format(" ({} of them cached)", stats.cached_tokens);
  if (generation.prompt_seconds() > 0) text += fmt::format(", {:.1f} t/s", generation.prompt_tokens_per_second());
  text += fmt::format("; {} new", stats.generated_tokens);
  if (stats.forced_tokens > 0) text += fmt::format(" ({} of them forced)", stats.forced_tokens);
  if (const double speed = generation.decode_tokens_per_second(); speed > 0) {
    text += fmt::format(", {:.1f} t/s ({:.2f} ms each)", speed, 1e3 / speed);
  }
  if (stats.drafted_tokens > 0) {
    text += fmt::format(", {} of {} guesses right", stats.accepted_tokens, stats.drafted_tokens);
  }
  return text + fmt::format("; ended by {}", finish_reason_name(generation.reason));
}

Json logprobs_json(const Generation& generation, const text::Tokenizer& tokenizer) {
  Json tokens = Json::array();
  for (std::size_t i = 0; i < generation.odds.size(); ++i) {
    Json top = Json::array();
    for (const auto& [id, logprob] : generation.odds[i].top) top.push_back(token_json(id, logprob, tokenizer));
    Json token = token_json(generation.ids[i], generation.odds[i].logprob, tokenizer);
    token["top"] = std::move(top);
    tokens.push_back(std::move(token));
  }
  return tokens;
}

Json timings_json(const Generation& generation) {
  return {{"prompt_tokens", generation.stats.prompt_tokens},
          {"cached_tokens", generation.stats.cached_tokens},
          {"drafted_tokens", generation.stats.drafted_tokens},
          {"accepted_tokens", generation.stats.accepted_tokens},
          {"new_tokens", generation.stats.generated_tokens},
          {"forced_tokens", generation.stats.forced_tokens},
          {"prompt_seconds", generation.prompt_seconds()},
          {"prompt_tokens_per_second", generation.prompt_tokens_per_second()},
          {"decode_tokens_per_second", generation.decode_tokens_per_second()}};
}

}  // namespace wisp::cli
