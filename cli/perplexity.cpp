// wisp perplexity: how well a model predicts a text.
#include <cmath>
#include <memory>
#include <string>

#include "arguments.h"
#include "commands.h"
#include "help.h"
#include "interrupt.h"
#include "json.h"
#include "load_model.h"
#include "model_options.h"
#include "output.h"
#include "progress.h"
#include "scoring.h"

namespace wisp::cli {
namespace {

struct PerplexityOptions {
  ModelOptions model;
  std::string file;
  std::uint32_t length = 512;
  std::uint32_t max_windows = 0;
  bool json = false;
};

// -log of the softmax of `logits` at `token`, summed in double.
double negative_log_likelihood(std::span<const float> logits, TokenId token) {
  float highest = logits[0];
  for (const float logit : logits) highest = std::max(highest, logit);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - highest);
  return std::log(sum) - static_cast<double>(logits[static_cast<std::size_t>(token)] - highest);
}

// The mean of the scores so far, its exponential, and the standard error of that.
struct Estimate {
  double sum = 0, sum_of_squares = 0;
  std::uint64_t n = 0;

  void add(double score) {
    sum += score;
    sum_of_squares += score * score;
    ++n;
  }
  [[nodiscard]] double perplexity() const { return std::exp(sum / static_cast<double>(n)); }
  // That of the mean, carried through the exponential.
  [[nodiscard]] double error() const {
    const double mean = sum / static_cast<double>(n);
    const double variance = sum_of_squares / static_cast<double>(n) - mean * mean;
    return n > 1 && variance > 0 ? std::sqrt(variance / static_cast<double>(n - 1)) * perplexity() : 0.0;
  }
};

Status perplexity(const PerplexityOptions& options) {
  const Interrupts interrupts;
  WISP_TRY(const std::string text, read_text_file(options.file));
  const std::uint32_t length = options.length;
  WISP_TRY(OpenedModel opened, open_model(options.model, NeedsText::yes));
  WISP_TRY(const ModelShape shape, shape_of(opened.file, options.model));
  if (shape.positions < length) {
    return fail(Code::limit,
                "windows of {} tokens do not fit the context of {}; make --length smaller or --context larger", length,
                shape.positions);
  }
  WISP_TRY(const std::vector<TokenId> ids,
           opened.tokenizer->encode(text, {.add_special = true, .parse_special = false}));
  WISP_CHECK(check_ids(ids, shape.vocabulary));
  std::size_t windows = ids.size() / length;
  if (windows == 0) {
    return fail(Code::limit, "{} has {} tokens; a window needs {}", printable(options.file, 400), ids.size(), length);
  }
  if (options.max_windows != 0) windows = std::min<std::size_t>(windows, options.max_windows);

  WISP_TRY(LoadedModel model, load_model(std::move(opened), options.model, one_scored_sequence(length)));
  const text::Vocabulary& vocabulary = model.tokenizer->vocabulary();
  Progress progress("perplexity", !options.model.quiet);
  Estimate estimate;
  for (std::size_t window = 0; window < windows; ++window) {
    const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(window * length);
    std::vector<TokenId> tokens(begin, begin + length);
    if (vocabulary.add_bos && vocabulary.bos) tokens.front() = *vocabulary.bos;
    // The first half is context only. The last position predicts a token outside the window.
    const auto take = [&](std::uint32_t position, std::span<const float> logits) -> Status {
      if (position + 1 < length) estimate.add(negative_log_likelihood(logits, tokens[position + 1]));
      return {};
    };
    WISP_CHECK(score(*model.engine, tokens, length / 2, take));
    progress.show(window + 1, windows, fmt::format("{} of {}, PPL {:.4f}", window + 1, windows, estimate.perplexity()));
  }
  progress.clear();
  WISP_CHECK(end_trace(model));

  if (!std::isfinite(estimate.perplexity())) return fail(Code::invalid_file, "the model's logits are not numbers");
  if (options.json) {
    return print_json({{"perplexity", estimate.perplexity()},
                       {"error", estimate.error()},
                       {"mean_negative_log_likelihood", estimate.sum / static_cast<double>(estimate.n)},
                       {"scored_tokens", estimate.n},
                       {"windows", windows},
                       {"length", length},
                       {"tokens", ids.size()},
                       {"device", model.engine->executor().describe()},
                       {"dispatches", model.engine->executor().dispatches()},
                       {"kv", kv_name(options.model.kv)}});
  }
  return print(fmt::format("PPL = {:.4f} +/- {:.5f}\n", estimate.perplexity(), estimate.error()));
}

}  // namespace

void add_perplexity(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<PerplexityOptions>();
  CLI::App& command = *app.add_subcommand("perplexity", "Measure how well a model predicts a text");
  describe(
      command,
      "Cuts the text into windows of 512 tokens and scores the second half of each: the exponential of the mean "
      "negative\n"
      "log-likelihood. The first token of each window becomes BOS where the vocabulary asks for one. The same measure "
      "as\n"
      "llama-perplexity, so figures can be compared. Prints `PPL = x +/- standard error`; lower is better.");
  command.footer(
      "Examples:\n"
      "  wisp perplexity model.gguf --file wiki.test.raw\n"
      "  wisp perplexity model.gguf --file wiki.test.raw --windows 20 --kv q8_0 --json");
  add_model_options(command, options->model);
  command.add_option("-f,--file", options->file, "The text; - is standard input")
      ->required()
      ->check(refuse_empty)
      ->type_name("FILE");
  command.add_option("--length", options->length, "Tokens in a window [512]")
      ->check(CLI::Range(4u, 1u << 20))
      ->type_name("N");
  command.add_option("--windows", options->max_windows, "Stop after N windows [all]")
      ->check(CLI::Range(1u, 0x7FFFFFFFu))
      ->type_name("N");
  command.add_flag("--json", options->json, "Print one object");
  command.callback([options, &exit_code] { exit_code = finish(perplexity(*options)); });
}

}  // namespace wisp::cli
