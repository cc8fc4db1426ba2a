// wisp chat: a conversation in the terminal, or line by line through a pipe.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "commands.h"
#include "constraint_options.h"
#include "conversation.h"
#include "conversation_file.h"
#include "generation.h"
#include "help.h"
#include "interrupt.h"
#include "json.h"
#include "line_input.h"
#include "load_model.h"
#include "model_options.h"
#include "output.h"
#include "sampling_options.h"
#include "speculation_options.h"

namespace wisp::cli {
namespace {

struct ChatOptions {
  ModelOptions model;
  SamplingOptions sampling;
  SpeculationOptions speculation;
  ConstraintOptions constraint;
  std::string system;
  std::optional<std::string> prompt;
  std::uint32_t max_new = runtime::kNoLimit;
  bool json = false;
};

// Room that is kept for an answer before old messages are forgotten.
constexpr std::uint32_t kMostAnswerRoom = 512;

constexpr std::string_view kHelp =
    "  /reset         forget the conversation\n"
    "  /undo          take the last question and its answer back\n"
    "  /retry         answer the last question again, another way\n"
    "  /system TEXT   the system message from now on; nothing: none\n"
    "  /save FILE     keep the conversation; /load FILE goes on with one\n"
    "  /stats         speed and memory\n"
    "  /exit          end (so does Ctrl-D)\n"
    "  Ctrl-C stops an answer. A backslash at the end of a line continues it on the next.";

class Chat {
 public:
  // `grammar` holds for each answer; nullptr for none.
  Chat(const ChatOptions& options, LoadedModel model, Conversation conversation, sample::SamplingParams params,
       std::shared_ptr<text::grammar::CompiledGrammar> grammar)
      : options_(options),
        model_(std::move(model)),
        conversation_(std::move(conversation)),
        params_(std::move(params)),
        grammar_(std::move(grammar)) {}

  // One question and its answer, which goes to stdout. The conversation is unchanged when it fails.
  Status answer(std::string question);
  // Its figures.
  [[nodiscard]] std::string last_answer() const { return describe(*last_); }
  Status end() { return end_trace(model_); }
  // Reads questions until the end of input.
  Status talk();

 private:
  enum class Next { go_on, end };
  Next command(const std::string& line);
  // Those that may fail; nothing where there is no such command.
  std::optional<Status> change(std::string_view name, const std::string& rest);
  Status retry();
  void show_stats() const;

  const ChatOptions& options_;
  LoadedModel model_;
  Conversation conversation_;
  sample::SamplingParams params_;
  std::shared_ptr<text::grammar::CompiledGrammar> grammar_;
  std::optional<Generation> last_;
};

Json answer_json(const Generation& made, std::size_t n_forgotten) {
  return {{"text", made.text},
          {"ids", made.ids},
          {"finish_reason", finish_reason_name(made.reason)},
          {"forgotten_messages", n_forgotten},
          {"timings", timings_json(made)}};
}

Status Chat::answer(std::string question) {
  const std::uint32_t longest = model_.engine->max_positions();
  const std::uint32_t room = std::min({kMostAnswerRoom, longest / 4, options_.max_new});
  conversation_.add_user(std::move(question));
  auto prompt = conversation_.prompt(longest - room);
  if (!prompt) {
    conversation_.drop_last();
    return std::unexpected(std::move(prompt).error());
  }
  if (prompt->n_forgotten > 0 && !options_.model.quiet) {
    note("({} oldest messages forgotten: the context holds {} tokens)", prompt->n_forgotten, longest);
  }

  runtime::Request request;
  request.prompt = std::move(prompt->ids);
  request.sampling = params_;
  request.max_new_tokens = options_.max_new;
  request.stop = options_.sampling.stop;
  ask_for_guesses(options_.speculation, request);
  if (grammar_ != nullptr) {
    WISP_TRY(request.constraint, text::grammar::Constraint::create(grammar_));
  }
  const ShowText show = [this](std::string_view text) -> Status {
    if (options_.json) return {};
    WISP_CHECK(print(text));
    return flush_output();
  };
  auto made = generate(*model_.engine, std::move(request), show);
  if (!made) {
    conversation_.drop_last();
    return std::unexpected(std::move(made).error());
  }
  WISP_CHECK(options_.json ? print_json_line(answer_json(*made, prompt->n_forgotten)) : print("\n"));
  WISP_CHECK(flush_output());
  conversation_.add_assistant(made->text);
  last_ = std::move(*made);
  return {};
}

void Chat::show_stats() const {
  if (last_) note("  last answer: {}", describe(*last_));
  const runtime::Counters counters = model_.engine->counters();
  note("  all: {} prompt tokens computed, {} found in the cache, {} generated", counters.prompt_tokens,
       counters.cached_tokens, counters.generated_tokens);
  for (const graph::MemoryUse& use : model_.engine->memory()) note("  {:<12} {}", use.owner, format_bytes(use.bytes));
}

// Drawn anew: the seed is another. Greedy answers stay what they are.
Status Chat::retry() {
  std::string question = conversation_.drop_exchange();
  if (question.empty()) return fail(Code::not_found, "there is no question to answer again");
  params_.seed += 1;
  return answer(std::move(question));
}

std::optional<Status> Chat::change(std::string_view name, const std::string& rest) {
  if (name == "/retry") return retry();
  if (name == "/undo") {
    if (conversation_.drop_exchange().empty()) return fail(Code::not_found, "there is nothing to take back");
    return Status();
  }
  if (name == "/system") {
    conversation_.set_system(rest);
    return Status();
  }
  if (name != "/save" && name != "/load") return std::nullopt;
  if (rest.empty()) return fail(Code::invalid_argument, "{} wants the name of a file", name);
  if (name == "/save") return save_conversation(rest, conversation_.messages());
  auto loaded = load_conversation(rest);
  if (!loaded) return std::unexpected(std::move(loaded).error());
  note("  {} messages.", loaded->size());
  conversation_.set_messages(std::move(*loaded));
  return Status();
}

Chat::Next Chat::command(const std::string& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::size_t rest = std::min(line.find_first_not_of(' ', end), line.size());
  if (const auto changed = change(std::string_view(line).substr(0, end), line.substr(rest))) {
    if (!*changed) note("  {}.", changed->error().message);
    return Next::go_on;
  }
  if (line == "/exit" || line == "/quit") return Next::end;
  if (line == "/reset") {
    conversation_.reset();
    note("  The conversation is forgotten.");
  } else if (line == "/stats") {
    show_stats();
  } else if (line == "/help") {
    note(kHelp);
  } else {
    note("  There is no command {}.\n{}", printable(line), kHelp);
  }
  return Next::go_on;
}

Status Chat::talk() {
  LineInput input;
  if (input.interactive() && !options_.model.quiet) {
    note("{}; {} positions; /help explains, /exit ends", model_.engine->executor().describe(),
         model_.engine->max_positions());
  }
  std::string line;
  while (!Interrupts::must_end()) {
    const LineInput::Outcome outcome = input.read(line);
    if (outcome == LineInput::Outcome::end) return {};
    if (outcome == LineInput::Outcome::interrupted) {
      if (!input.interactive()) break;
      Interrupts::clear();
      note("(Ctrl-D or /exit ends)");
      continue;
    }
    if (line.empty()) continue;
    if (line.front() == '/') {
      if (command(line) == Next::end) return {};
      continue;
    }
    const Status answered = answer(line);
    if (!answered && !input.interactive()) return answered;
    if (!answered) note("wisp: {}", answered.error().message);
    if (!input.interactive() && Interrupts::pending()) break;
    Interrupts::clear();
  }
  return Interrupts::stopped();
}

Status chat(const ChatOptions& options) {
  const Interrupts interrupts(Interrupts::CtrlC::breaks_off);
  WISP_TRY(OpenedModel opened, open_model(options.model, NeedsText::yes));
  WISP_TRY(Conversation conversation, Conversation::create(*opened.tokenizer, options.system));
  WISP_TRY(const ModelShape shape, shape_of(opened.file, options.model));
  WISP_TRY(sample::SamplingParams params, sampling_params(options.sampling, shape.vocabulary, opened.tokenizer.get()));
  WISP_TRY(auto grammar, compile_constraint(options.constraint, *opened.tokenizer));
  ModelOptions model_options = options.model;
  adapt(options.speculation, model_options);
  WISP_TRY(LoadedModel model, load_model(std::move(opened), model_options, one_sequence()));
  WISP_CHECK(add_draft_model(options.speculation, model_options, model));
  Chat session(options, std::move(model), std::move(conversation), std::move(params), std::move(grammar));
  if (options.prompt) {
    WISP_CHECK(session.answer(*options.prompt));
    if (!options.model.quiet) note(session.last_answer());
    if (Interrupts::pending()) return Interrupts::stopped();
  } else {
    WISP_CHECK(session.talk());
  }
  return session.end();
}

}  // namespace

void add_chat(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ChatOptions>();
  CLI::App& command = *app.add_subcommand("chat", "Talk with a model");
  describe(
      command,
      "A conversation in the model's own format (its chat template). On a terminal with line editing; from a pipe "
      "every\n"
      "line is a message. Prints the answers on stdout and nothing else there. What does not fit the context any more\n"
      "is forgotten from the start of the conversation.");
  command.footer(
      "Examples:\n"
      "  wisp chat model.gguf\n"
      "  wisp chat model.gguf --system \"You tell very short stories.\" --prompt \"A story about a dog, please.\"\n"
      "  printf 'Hello!\\nTell me a story.\\n' | wisp chat model.gguf --temp 0 --quiet\n"
      "In a conversation:\n" +
      std::string(kHelp));
  add_model_options(command, options->model);
  command.add_option("-s,--system", options->system, "What the model is told before the conversation")
      ->type_name("TEXT");
  command.add_option("-p,--prompt", options->prompt, "One message: answer it and end")->type_name("TEXT");
  command.add_option("-n,--max-new", options->max_new, "At most N tokens an answer [what the context holds]")
      ->check(CLI::Range(1u, 0x7FFFFFFFu))
      ->type_name("N");
  command.add_flag("--json", options->json,
                   "Print an object a line for each answer: text, ids, finish_reason, forgotten_messages, timings");
  add_sampling_options(command, options->sampling);
  add_speculation_options(command, options->speculation);
  add_constraint_options(command, options->constraint);
  command.callback([options, &exit_code] { exit_code = finish(chat(*options)); });
}

}  // namespace wisp::cli
