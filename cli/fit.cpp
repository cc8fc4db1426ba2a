// wisp fit: will this model run here, and with how much context?
#include <algorithm>
#include <memory>
#include <string>

#include "arguments.h"
#include "commands.h"
#include "generation.h"
#include "help.h"
#include "interrupt.h"
#include "json.h"
#include "load_model.h"
#include "memory_estimate.h"
#include "model_options.h"
#include "model_source.h"
#include "output.h"
#include "progress.h"
#include "system.h"

namespace wisp::cli {
namespace {

struct FitOptions {
  ModelOptions model;
  std::uint64_t memory = 0;  // bytes; 0: what the system says is available
  std::uint32_t batch = 1;
  bool measure = false;
  bool json = false;
};

runtime::EngineOptions engine_options(const FitOptions& options) {
  runtime::EngineOptions engine;
  engine.max_sequences = options.batch;
  engine.row_budget = std::max(engine.row_budget, options.batch);
  return engine;
}

// What a real run took: the memory that the process wrote, and the engine's own account of it.
struct Measured {
  std::uint64_t process = 0;
  std::vector<graph::MemoryUse> owners;

  [[nodiscard]] std::uint64_t of(std::string_view owner) const {
    std::uint64_t bytes = 0;
    for (const graph::MemoryUse& use : owners) bytes += use.owner == owner ? use.bytes : 0;
    return bytes;
  }
};

// Loads the model and fills the context of every sequence, so that all that was promised is really used.
Result<Measured> measure(const FitOptions& options) {
  const std::uint64_t before = private_bytes();
  ModelOptions model_options = options.model;
  WISP_TRY(const LoadedModel model, load_model(model_options, NeedsText::yes, engine_options(options)));
  const std::uint32_t length = model.engine->model()->context();
  std::uint32_t n_finished = 0;
  std::optional<Error> failure;
  for (std::uint32_t sequence = 0; sequence < options.batch; ++sequence) {
    runtime::Request request;
    for (std::uint32_t i = 0; i < length; ++i) {
      request.prompt.push_back(static_cast<TokenId>((i * 7 + sequence * 13 + 1) % model.engine->vocabulary()));
    }
    request.max_new_tokens = 0;
    request.on_finish = [&](const runtime::FinishEvent& event) {
      ++n_finished;
      if (event.reason == runtime::FinishReason::error) failure = event.error;
    };
    WISP_CHECK(model.engine->submit(std::move(request)));
  }
  Progress progress("filling the context", !options.model.quiet);
  while (n_finished < options.batch) {
    if (Interrupts::pending()) return Interrupts::stopped();
    WISP_CHECK(model.engine->step());
    if (failure) return std::unexpected(*failure);
    progress.show(model.engine->counters().prompt_tokens, std::uint64_t{length} * options.batch, "");
  }
  const std::uint64_t after = private_bytes();
  return Measured{.process = after - std::min(before, after), .owners = model.engine->memory()};
}

struct Answer {
  MemoryEstimate estimate;
  std::uint64_t memory = 0;
  std::uint32_t largest_context = 0;  // 0: none fits
  std::uint64_t trained_context = 0;
  std::optional<Measured> measured;

  [[nodiscard]] bool fits() const { return estimate.total() <= memory; }
};

Status print_answer(const FitOptions& options, const Answer& answer) {
  const MemoryEstimate& estimate = answer.estimate;
  if (options.json) {
    Json result = {{"fits", answer.fits()},
                   {"memory", answer.memory},
                   {"context", estimate.context},
                   {"batch", options.batch},
                   {"kv_type", kv_name(options.model.kv)},
                   {"weights", estimate.weights},
                   {"kv", estimate.kv},
                   {"activations", estimate.activations},
                   {"vocabulary", estimate.vocabulary},
                   {"total", estimate.total()},
                   {"read_in_place", estimate.in_place},
                   {"largest_context", answer.largest_context},
                   {"trained_context", answer.trained_context}};
    if (answer.measured) {
      result["measured"] = {{"process", answer.measured->process}};
      for (const graph::MemoryUse& use : answer.measured->owners) result["measured"][use.owner] = use.bytes;
    }
    return print_json(result);
  }
  const auto line = [&](std::string_view name, std::uint64_t bytes, const std::string& remark) {
    return fmt::format("{:<14} {:>12}  {}\n", name, format_bytes(bytes), remark);
  };
  const auto measured = [&](std::initializer_list<std::string_view> owners) {
    if (!answer.measured) return std::string();
    std::uint64_t bytes = 0;
    for (const std::string_view owner : owners) bytes += answer.measured->of(owner);
    return fmt::format("measured {}", format_bytes(bytes));
  };
  std::string text = line("weights", estimate.weights, measured({"weights"}));
  text += line("kv", estimate.kv,
               fmt::format("{} of {} positions, {}{}{}",
                           options.batch == 1 ? "a sequence" : fmt::format("{} sequences", options.batch),
                           estimate.context, kv_name(options.model.kv), answer.measured ? "; " : "", measured({"kv"})));
  text += line("activations", estimate.activations, measured({"activations", "scratch"}));
  text += line("vocabulary", estimate.vocabulary, "");
  text +=
      line("total", estimate.total(),
           answer.measured ? fmt::format("measured {}: what the process wrote", format_bytes(answer.measured->process))
                           : std::string());
  text += line("read in place", estimate.in_place, "in the file, through the system's cache; not in the total");
  text += fmt::format("{} in {}\n", answer.fits() ? "fits" : "does not fit", format_bytes(answer.memory));
  text += answer.largest_context == 0
              ? "no context fits\n"
              : fmt::format(
                    "largest context that fits: {}{}\n", answer.largest_context,
                    answer.largest_context == answer.trained_context ? " (all that the model was trained for)" : "");
  return print(text);
}

Status fit(const FitOptions& options) {
  const Interrupts interrupts;
  Answer answer;
  answer.memory = options.memory != 0 ? options.memory : system_memory().available;
  if (answer.memory == 0) return fail(Code::device, "this system does not tell its memory; give --memory SIZE");
  {
    WISP_TRY(const std::string path,
             local_path({.name = options.model.path, .offline = options.model.offline, .quiet = options.model.quiet}));
    WISP_TRY(const gguf::File file, gguf::open_model(path));
    WISP_TRY(answer.estimate, estimate_memory(file, options.model, engine_options(options)));
    WISP_TRY(const model::Hyperparameters hyper, model::read_hyperparameters(file));
    answer.trained_context = hyper.trained_context;
    const std::uint32_t most = std::max(hyper.trained_context, options.model.context);
    WISP_TRY(answer.largest_context,
             largest_context(file, options.model, engine_options(options), most, answer.memory));
  }
  if (options.measure) {
    if (!answer.fits()) return fail(Code::out_of_memory, "--measure loads the model, and it does not fit");
    WISP_TRY(answer.measured, measure(options));
  }
  return print_answer(options, answer);
}

}  // namespace

void add_fit(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<FitOptions>();
  CLI::App& command = *app.add_subcommand("fit", "Tell how much memory a model takes, before loading it");
  describe(
      command,
      "Reads only the header and prints what the weights, the keys and values of full contexts, the activations of "
      "the\n"
      "largest step and the vocabulary take, whether that fits, and the largest context that would. --measure then "
      "loads\n"
      "the model, fills every context and prints what was really used beside it.");
  command.footer(
      "Examples:\n"
      "  wisp fit model.gguf --memory 24GiB\n"
      "  wisp fit model.gguf --memory 8GiB --context 32768 --batch 4 --kv q8_0 --json\n"
      "How --measure measures: the growth of the process's private memory (RssAnon), so without pages of the mapped "
      "file,\n"
      "and the engine's own account by owner.");
  add_model_source(command, options->model.path, options->model.offline,
                   "GGUF file, the first part of a split one, or a name as wisp pull takes it");
  add_shape_options(command, options->model, graph::KvType::f16);
  add_parsed_option(command, "-m,--memory", options->memory, "What there is [what this system has available]",
                    parse_bytes)
      ->type_name("SIZE");
  command.add_option("-b,--batch", options->batch, "Sequences at once [1]")
      ->check(CLI::Range(1u, 4096u))
      ->type_name("N");
  command.add_flag("--measure", options->measure, "Load it and compare");
  command.add_flag("--json", options->json, "Print one object, sizes in bytes");
  command.add_flag("-q,--quiet", options->model.quiet, "No progress on stderr");
  command.callback([options, &exit_code] { exit_code = finish(fit(*options)); });
}

}  // namespace wisp::cli
