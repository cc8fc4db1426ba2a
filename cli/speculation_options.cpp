#include "speculation_options.h"

#include "arguments.h"

namespace wisp::cli {

void add_speculation_options(CLI::App& command, SpeculationOptions& options) {
  const std::string group = "Speed";
  command
      .add_option(
          "--speculate", options.by,
          "Guess tokens ahead and check them in one step: ngram guesses that the text goes on as it did before, "
          "a GGUF file is a smaller model with the same vocabulary that guesses. The text stays the same [off]")
      ->check(refuse_empty)
      ->group(group)
      ->type_name("off|ngram|FILE");
  command.add_option("--draft-max", options.most, fmt::format("Guess at most N tokens at once [{}]", options.most))
      ->check(CLI::Range(1u, runtime::kMostDrafts))
      ->group(group)
      ->type_name("N");
}

void adapt(const SpeculationOptions& options, ModelOptions& model) {
  if (options.on()) model.deterministic = true;
}

Status add_draft_model(const SpeculationOptions& options, const ModelOptions& model_options, LoadedModel& model) {
  if (!options.on() || options.by == "ngram") return {};
  ModelOptions draft = model_options;
  draft.path = options.by;
  draft.trace.clear();
  draft.context = static_cast<std::uint32_t>(std::min<std::uint64_t>(model.engine->max_positions(), 1u << 24));
  // A draft of a shorter context guesses as far as that goes.
  WISP_TRY(OpenedModel opened, open_model(draft, model.tokenizer != nullptr ? NeedsText::yes : NeedsText::no));
  WISP_TRY(LoadedModel loaded, load_model(std::move(opened), draft, one_sequence()));
  model.draft_tokenizer = std::move(loaded.tokenizer);
  const Status set = model.engine->set_draft_model(std::move(loaded.engine));
  if (!set) return fail_in(set.error(), "--speculate {}", printable(options.by, 400));
  return {};
}

void ask_for_guesses(const SpeculationOptions& options, runtime::Request& request) {
  if (!options.on()) return;
  request.speculation = options.by == "ngram" ? runtime::Speculation::ngram : runtime::Speculation::model;
  request.most_drafts = options.most;
}

}  // namespace wisp::cli
