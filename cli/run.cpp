// wisp run: completes a prompt.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "arguments.h"
#include "commands.h"
#include "constraint_options.h"
#include "generation.h"
#include "help.h"
#include "interrupt.h"
#include "json.h"
#include "load_model.h"
#include "model_options.h"
#include "output.h"
#include "output_file.h"
#include "private_file.h"
#include "sampling_options.h"
#include "saved_state.h"
#include "speculation_options.h"

#include <unistd.h>

namespace wisp::cli {
namespace {

struct RunOptions {
  ModelOptions model;
  SamplingOptions sampling;
  SpeculationOptions speculation;
  ConstraintOptions constraint;
  std::optional<std::string> prompt, ids, file;
  std::optional<std::string> load_state, save_state;
  std::uint32_t max_new = 256;
  bool print_ids = false;
  bool parse_special = false;
  bool show_special = false;
  bool ignore_end = false;
  bool json = false;
  std::optional<std::uint32_t> logprobs;
  float logprobs_mass = 1.0f;
  bool logprobs_after = false;
};

// What comes before the new tokens: ids as they are, or text by the vocabulary's own rule.
struct Prompt {
  std::vector<TokenId> ids;
  std::string text;  // "" where ids were given
};

// Behind `saved`, where there is one, and then perhaps nothing.
Result<Prompt> read_prompt(const RunOptions& options, const text::Tokenizer* tokenizer,
                           const runtime::SavedSequence* saved) {
  Prompt prompt;
  if (saved != nullptr) {
    prompt.ids = saved->tokens;
    std::vector<TokenId> more;
    if (options.ids) {
      WISP_TRY(more, parse_ids(*options.ids));
    } else if (options.prompt || options.file) {
      WISP_TRY(prompt.text, options.prompt ? Result<std::string>(*options.prompt) : read_text_file(*options.file));
      WISP_TRY(more, tokenizer->encode(prompt.text, {.add_special = false, .parse_special = options.parse_special}));
    }
    prompt.ids.insert(prompt.ids.end(), more.begin(), more.end());
    return prompt;
  }
  if (options.ids) {
    WISP_TRY(prompt.ids, parse_ids(*options.ids));
    return prompt;
  }
  if (options.prompt) {
    prompt.text = *options.prompt;
  } else {
    WISP_TRY(prompt.text, options.file ? read_text_file(*options.file) : read_stdin());
  }
  WISP_TRY(prompt.ids, tokenizer->encode(prompt.text, {.add_special = true, .parse_special = options.parse_special}));
  // An end token that the vocabulary puts behind every text would end the completion before it begins.
  const text::Vocabulary& vocabulary = tokenizer->vocabulary();
  if (vocabulary.add_eos && prompt.ids.size() > 1 && prompt.ids.back() == vocabulary.eos) prompt.ids.pop_back();
  if (prompt.ids.empty()) {
    return fail(Code::limit, "the prompt is empty, and this vocabulary puts no token in front of a text");
  }
  return prompt;
}

// What a device had to do before the first step; zeros on a CPU.
Json start_json(const graph::StartCost& cost) {
  return {{"kernels", cost.kernels},
          {"known_kernels", cost.known_kernels},
          {"compile_ms", static_cast<double>(cost.compile_ns) * 1e-6},
          {"tuning_ms", static_cast<double>(cost.tuning_ns) * 1e-6}};
}

Status print_generation(const RunOptions& options, const Prompt& prompt, std::uint64_t seed, const Generation& made,
                        const LoadedModel& model) {
  const graph::Executor& executor = model.engine->executor();
  if (options.print_ids) return print(join_ids(made.ids) + "\n");
  if (options.json) {
    Json result = {{"text", made.text},
                   {"ids", made.ids},
                   {"prompt_ids", prompt.ids},
                   {"finish_reason", finish_reason_name(made.reason)},
                   {"seed", seed},
                   {"device", executor.describe()},
                   {"dispatches", executor.dispatches()},
                   {"peak_device_bytes", executor.peak_device_bytes()},
                   {"start", start_json(executor.start_cost())},
                   {"timings", timings_json(made)}};
    if (options.logprobs) result["logprobs"] = logprobs_json(made, *model.tokenizer);
    return print_json(result);
  }
  return print("\n");  // the text has been streamed
}

// Refuses what the header shows to be wrong, and sets how tokens are chosen.
Status check_request(const RunOptions& options, const Prompt& prompt, const OpenedModel& opened,
                     runtime::Request& request) {
  WISP_TRY(const ModelShape shape, shape_of(opened.file, options.model));
  WISP_CHECK(check_ids(prompt.ids, shape.vocabulary));
  WISP_TRY(request.sampling, sampling_params(options.sampling, shape.vocabulary, opened.tokenizer.get()));
  if (options.logprobs) {
    request.logprobs = {.top = std::min(*options.logprobs, shape.vocabulary),
                        .mass = options.logprobs_mass,
                        .after_sampling = options.logprobs_after};
    WISP_CHECK(sample::validate(*request.logprobs));
  }
  if (prompt.ids.size() > shape.positions) {
    return fail(Code::limit, "the prompt has {} tokens, the context {} positions; shorten it or use --context N",
                prompt.ids.size(), shape.positions);
  }
  if (options.print_ids && prompt.ids.size() + options.max_new > shape.positions) {
    return fail(Code::limit,
                "{} ids behind a prompt of {} do not fit the context of {} positions; --context N makes it longer",
                options.max_new, prompt.ids.size(), shape.positions);
  }
  return {};
}

Status keep_state(const std::string& path, const Generation& made) {
  if (made.state == nullptr) return fail(Code::io, "{} is not written, for the reason above", printable(path, 400));
  return save_state(path, *made.state);
}

Status run(const RunOptions& options) {
  const bool asked = options.prompt || options.ids || options.file || options.load_state;
  if (!asked && isatty(STDIN_FILENO) == 1) {
    return fail(Code::invalid_argument, "what to complete? Give --prompt TEXT, --file FILE or --ids 1,2,3");
  }
  const Interrupts interrupts;
  const bool ids_only = options.ids && options.print_ids && !options.sampling.needs_text();
  WISP_TRY(OpenedModel opened, open_model(options.model, ids_only ? NeedsText::no : NeedsText::yes));
  runtime::Request request;
  if (options.load_state) {
    WISP_TRY(request.state, load_state(*options.load_state, opened.file));
  }
  if (options.save_state) {
    WISP_CHECK(refuse_model_as_output(opened.file, "--save-state", *options.save_state));
    WISP_CHECK(try_private_file(*options.save_state));
  }
  request.keep_state = options.save_state.has_value();
  WISP_TRY(const Prompt prompt, read_prompt(options, opened.tokenizer.get(), request.state.get()));
  WISP_CHECK(check_request(options, prompt, opened, request));
  if (!ids_only) {
    WISP_TRY(auto grammar, compile_constraint(options.constraint, *opened.tokenizer));
    if (grammar != nullptr) {
      WISP_TRY(request.constraint, text::grammar::Constraint::create(std::move(grammar)));
    }
  }
  ModelOptions model_options = options.model;
  adapt(options.speculation, model_options);
  WISP_TRY(LoadedModel model, load_model(std::move(opened), model_options, one_sequence()));
  WISP_CHECK(add_draft_model(options.speculation, model_options, model));
  ask_for_guesses(options.speculation, request);
  request.prompt = prompt.ids;
  const std::uint64_t seed = request.sampling.seed;
  request.max_new_tokens = options.max_new;
  request.stop = options.sampling.stop;
  request.ignore_end = options.ignore_end || options.print_ids;
  request.show_special = options.show_special;

  const bool stream = !options.print_ids && !options.json;
  const bool figures = !options.model.quiet;
  // On a terminal the completion reads on from its prompt.
  if (stream && figures && stderr_is_terminal()) std::fwrite(prompt.text.data(), 1, prompt.text.size(), stderr);
  const ShowText show = [stream](std::string_view text) -> Status {
    if (!stream) return {};
    WISP_CHECK(print(text));
    return flush_output();
  };
  WISP_TRY(const Generation made, generate(*model.engine, std::move(request), show));
  const bool cancelled = made.reason == runtime::FinishReason::cancelled;
  const Status kept = options.save_state ? keep_state(*options.save_state, made) : Status();
  const bool too_few = options.print_ids && made.ids.size() < options.max_new;  // all of them are printed, or none
  if (!too_few) WISP_CHECK(print_generation(options, prompt, seed, made, model));
  WISP_CHECK(flush_output());
  if (figures) note("{}; seed {}", describe(made), seed);
  WISP_CHECK(end_trace(model));
  WISP_CHECK(kept);  // the text is shown all the same
  if (cancelled) return Interrupts::stopped();
  if (too_few) {
    return fail(Code::limit, "only {} of {} ids: ended by {}", made.ids.size(), options.max_new,
                finish_reason_name(made.reason));
  }
  return {};
}

}  // namespace

void add_run(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<RunOptions>();
  CLI::App& command = *app.add_subcommand("run", "Complete a prompt");
  describe(command,
           "Completes raw text: the model goes on where the prompt ends. No chat template is applied (wisp chat does "
           "that).\n"
           "Prints the new text on stdout as it is made, and figures on stderr.");
  command.footer(
      "Examples:\n"
      "  wisp run model.gguf --prompt \"Once upon a time\" -n 100\n"
      "  wisp run model.gguf --file story.txt --temp 0.6 --top-p 0.9 --seed 7 --stop \"The end\"\n"
      "  wisp run model.gguf --ids 1,450,2 -n 32 --greedy --print-ids\n"
      "  wisp run model.gguf --prompt \"Once\" -n 50 --save-state once.state; wisp run model.gguf --load-state "
      "once.state");
  add_model_options(command, options->model);

  const std::string group = "The prompt (none of them: standard input)";
  CLI::Option* prompt = command.add_option("-p,--prompt", options->prompt, "The text to complete")->group(group);
  CLI::Option* file =
      command.add_option("-f,--file", options->file, "A file with the text; - is standard input")->group(group);
  CLI::Option* ids = command.add_option("--ids", options->ids, "Token ids, taken as they are")->group(group);
  command
      .add_option("--load-state", options->load_state,
                  "Go on where a run with --save-state ended; the prompt, if any, comes behind it")
      ->group(group)
      ->check(refuse_empty)
      ->type_name("FILE");
  prompt->type_name("TEXT")->excludes(file)->excludes(ids);
  file->type_name("FILE")->excludes(ids)->check(refuse_empty);
  ids->type_name("1,2,3");
  command.add_flag("--parse-special", options->parse_special, "Names of control tokens in the text mean those tokens")
      ->group(group);

  command.add_option("-n,--max-new", options->max_new, "Make at most N new tokens [256]")
      ->check(CLI::Range(0u, 0x7FFFFFFFu))
      ->type_name("N");
  command.add_flag("--ignore-end", options->ignore_end, "Go on past end tokens");
  command.add_flag("--show-special", options->show_special, "Show control tokens in the text");
  command
      .add_option("--save-state", options->save_state,
                  "Keep the text with its keys and values in FILE, readable by you only")
      ->check(refuse_empty)
      ->type_name("FILE");
  CLI::Option* print_ids = command.add_flag(
      "--print-ids", options->print_ids, "Print exactly N new ids with commas instead of text; implies --ignore-end");
  command.add_flag("--json", options->json, "Print one object: text, ids, finish_reason, seed, timings")
      ->excludes(print_ids);
  const std::string odds = "How likely tokens were (with --json)";
  CLI::Option* json = command.get_option("--json");
  CLI::Option* logprobs =
      command.add_option("--logprobs", options->logprobs, "Tell the logprob of each token, and the N most likely ones")
          ->check(CLI::Range(0u, 0x7FFFFFFFu))
          ->needs(json)
          ->type_name("N")
          ->group(odds);
  command
      .add_option("--logprobs-mass", options->logprobs_mass,
                  "No more of them than hold this share of probability together [1]")
      ->check(refuse_empty)
      ->needs(logprobs)
      ->type_name("P")
      ->group(odds);
  command
      .add_flag("--logprobs-after", options->logprobs_after,
                "Of what the samplers left, not of the model's own distribution")
      ->needs(logprobs)
      ->group(odds);
  add_sampling_options(command, options->sampling);
  add_speculation_options(command, options->speculation);
  add_constraint_options(command, options->constraint);
  for (const char* other : {"--stop", "--grammar", "--schema", "--regex"})
    print_ids->excludes(command.get_option(other));
  command.callback([options, &exit_code] { exit_code = finish(run(*options)); });
}

}  // namespace wisp::cli
