// Speculation: a step computes tokens that may come, behind the one that has to be computed anyway, and those that turn
// out to be the ones that the sampler would have chosen need no step of their own. As a token is a function of logits,
// text, seed and position, and logits do not depend on what else is in a step, the text is the same to the bit.
#include <algorithm>

#include "runtime/engine_state.h"

namespace wisp::runtime {

Status Engine::State::check_speculation(const Request& request) const {
  if (request.speculation == Speculation::off) return {};
  if (request.most_drafts == 0 || request.most_drafts > kMostDrafts) {
    return fail(Code::invalid_argument, "{} guesses at once are outside [1, {}]", request.most_drafts, kMostDrafts);
  }
  if (request.speculation == Speculation::model && draft_model == nullptr) {
    return fail(Code::invalid_argument, "guesses of a draft model are asked for, and the engine has none");
  }
  if (!executor->rows_independent()) {
    return fail(Code::invalid_argument,
                "guessing ahead needs logits that do not depend on what shares the step: make {} deterministic",
                executor->describe());
  }
  return {};
}

// Guesses of everybody who is about to choose a token, for the scheduler to find room for.
void Engine::State::guess() {
  for (Job* job : scheduler_.running()) {
    auto& sequence = static_cast<Sequence&>(*job);
    sequence.drafts = 0;
    Speculator* const speculator = sequence.speculator.get();
    if (speculator == nullptr) continue;
    speculator->draft.clear();
    if (sequence.pending != 1 || sequence.scoring || sequence.cancelled) continue;
    const std::uint32_t room = sequence.longest - std::min(sequence.longest, sequence.length() + 1);
    const std::uint32_t most = std::min(speculator->length.next(), room);
    if (most == 0 || sequence.unread > 0) continue;
    if (speculator->ngrams) {
      speculator->ngrams->propose(sequence.tokens, most, speculator->draft);
    } else {
      draft_model->propose(sequence.tokens, most, speculator->draft);
    }
    const auto unknown = [this](TokenId id) { return id < 0 || static_cast<std::uint32_t>(id) >= graph->vocabulary; };
    if (std::ranges::any_of(speculator->draft, unknown)) speculator->draft.clear();
    if (sequence.request.constraint) {  // what cannot follow will not be chosen
      const Result<std::size_t> fit = sequence.request.constraint->accepts(speculator->draft);
      speculator->draft.resize(fit ? *fit : 0);
    }
    sequence.drafts = static_cast<std::uint32_t>(speculator->draft.size());
  }
}

// `logits` [1 + pick.drafts, vocabulary]: behind the last token, and behind each guess. Guesses hold as long as they
// are what is chosen before them.
void Engine::State::verify(Sequence& sequence, const PickInFlight& pick, const float* logits) {
  sequence.stats.drafted_tokens += pick.drafts;
  totals.drafted_tokens += pick.drafts;
  std::uint32_t accepted = 0;
  while (true) {
    std::uint32_t next = sequence.length();
    const std::uint32_t length = next;
    generate(sequence, {logits + std::size_t{accepted} * graph->vocabulary, graph->vocabulary}, nullptr);
    if (find(pick.id) == nullptr) return;  // that was its last token
    if (sequence.cancelled) break;
    // A constraint may have forced more tokens behind the chosen one.
    while (next < sequence.length() && accepted < pick.drafts &&
           sequence.tokens[next] == sequence.speculator->draft[accepted]) {
      next += 1;
      accepted += 1;
      sequence.accept();
      totals.accepted_tokens += 1;
    }
    if (next == length || next < sequence.length()) break;
  }
  const std::uint32_t rows = flight_.oldest().rows;
  sequence.speculator->length.observe(pick.drafts, accepted, costs_.ratio(rows) / costs_.ratio(rows - pick.drafts));
  Status kept = kv.truncate(*sequence.kv, sequence.computed);
  if (kept && options.prefix_cache) {
    kept = kv.commit(*sequence.kv, std::span<const TokenId>(sequence.tokens).first(sequence.computed));
  }
  if (!kept) finish(sequence, FinishReason::error, kept.error());
}

}  // namespace wisp::runtime
