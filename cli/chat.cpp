// wisp chat: a conversation in the terminal, or line by line through a pipe.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "answer_view.h"
#include "arguments.h"
#include "chat_tools.h"
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
#include "message_json.h"
#include "model_options.h"
#include "output.h"
#include "sampling_options.h"
#include "speculation_options.h"
#include "text/chat/answer_grammar.h"

namespace wisp::cli {
namespace {

struct ChatOptions {
  ModelOptions model;
  SamplingOptions sampling;
  SpeculationOptions speculation;
  ConstraintOptions constraint;
  std::string system;
  std::string tools;                 // a file
  std::string tool_choice = "auto";  // none, required, or the name of one
  bool no_think = false, hide_reasoning = false;
  std::optional<std::string> prompt;
  std::uint32_t max_new = runtime::kNoLimit;
  bool json = false;
};

// Room that is kept for an answer before old messages are forgotten.
constexpr std::uint32_t kMostAnswerRoom = 512;
// Answers to one question, each of which called tools: a model that goes on calling is stopped.
constexpr int kMostRounds = 16;

constexpr std::string_view kHelp =
    "  /reset         forget the conversation\n"
    "  /undo          take the last question and its answer back\n"
    "  /retry         answer the last question again, another way\n"
    "  /system TEXT   the system message from now on; nothing: none\n"
    "  /save FILE     keep the conversation; /load FILE goes on with one\n"
    "  /stats         speed and memory\n"
    "  /exit          end (so does Ctrl-D)\n"
    "  Ctrl-C stops an answer. A backslash at the end of a line continues it on the next.";

// What each answer has to be.
struct AnswerConstraint {
  std::shared_ptr<text::grammar::CompiledGrammar> whole;  // of a GBNF: the whole text, marks and thoughts included
  std::optional<GrammarSource> form;                      // what is said behind thoughts, and where nothing is called
};

Result<AnswerConstraint> answer_constraint(const ConstraintOptions& options, const text::Tokenizer& tokenizer) {
  if (!is_asked_for(options)) return AnswerConstraint{};
  WISP_TRY(GrammarSource source, read_grammar(options));
  // Compiled in any case, so that its mistakes are told before weights are loaded.
  WISP_TRY(auto compiled, compile_source(source, tokenizer));
  if (source.notation == text::grammar::Notation::gbnf) return AnswerConstraint{std::move(compiled), {}};
  return AnswerConstraint{nullptr, std::move(source)};
}

class Chat {
 public:
  Chat(const ChatOptions& options, LoadedModel model, Conversation conversation, ChatTools tools,
       sample::SamplingParams params, AnswerConstraint constraint)
      : options_(options),
        model_(std::move(model)),
        conversation_(std::move(conversation)),
        tools_(std::move(tools)),
        params_(std::move(params)),
        constraint_(std::move(constraint)),
        marks_(text::mark_tokens(conversation_.format(), model_.tokenizer->vocabulary())) {}

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

  // Answers until the model calls nothing more, or what it calls has to be answered by the person: unanswered_.
  // `is_question`: where calls are required, the first answer has to be one, and the form holds for those behind.
  Status answer_all(bool is_question);
  Status answer_once(bool may_have_to_call);
  // What calls have to look like, and what is said.
  Status obey(bool may_have_to_call, const std::string& prompt_end, runtime::Request& request);
  void run_calls(const std::vector<text::ToolCall>& calls);
  // The person's answer to the first of unanswered_; after the last one the model goes on.
  Status take_result(std::string line);
  void ask_for_result() const;

  const ChatOptions& options_;
  LoadedModel model_;
  Conversation conversation_;
  ChatTools tools_;
  sample::SamplingParams params_;
  AnswerConstraint constraint_;
  // What answers have to obey, by whether one is required and by the prompt's end: to compile it is to look at the
  // whole vocabulary.
  std::map<std::pair<bool, std::string>, std::optional<text::CompiledAnswer>> answers_;
  std::vector<TokenId> marks_;  // control tokens that mark reasoning and calls
  std::vector<text::ToolCall> unanswered_;
  std::optional<Generation> last_;
};

Json answer_json(const Generation& made, const text::ParsedOutput& parsed, std::size_t n_forgotten) {
  Json answer = {{"text", parsed.message.content}, {"ids", made.ids}};
  if (!parsed.message.reasoning.empty()) answer["reasoning_content"] = parsed.message.reasoning;
  if (!parsed.message.tool_calls.empty()) answer["tool_calls"] = calls_json(parsed.message.tool_calls);
  if (!parsed.errors.empty()) answer["errors"] = parsed.errors;
  answer["finish_reason"] = finish_reason_name(made.reason);
  answer["forgotten_messages"] = n_forgotten;
  answer["timings"] = timings_json(made);
  return answer;
}

Status Chat::answer(std::string question) {
  const std::vector<text::ChatMessage> before = conversation_.messages();
  conversation_.add_user(std::move(question));
  Status answered = answer_all(true);
  if (!answered) {
    unanswered_.clear();
    conversation_.set_messages(before);
  }
  return answered;
}

Status Chat::answer_all(bool is_question) {
  for (int round = 0; round < kMostRounds; ++round) {
    WISP_CHECK(answer_once(is_question && round == 0));
    const std::vector<text::ToolCall>& calls = conversation_.messages().back().tool_calls;
    if (calls.empty() || Interrupts::pending()) return {};
    run_calls(std::vector(calls));
    if (!unanswered_.empty()) {
      if (!options_.prompt) ask_for_result();
      return {};
    }
  }
  note("(stopped after {} answers that all called tools)", kMostRounds);
  return {};
}

Status Chat::obey(bool may_have_to_call, const std::string& prompt_end, runtime::Request& request) {
  if (constraint_.whole != nullptr) {
    WISP_TRY(request.constraint, text::grammar::Constraint::create(constraint_.whole));
    return {};
  }
  text::ToolChoice choice;
  choice.required = may_have_to_call && options_.tool_choice != "auto";
  if (choice.required && options_.tool_choice != "required") choice.only = options_.tool_choice;
  auto known = answers_.find({choice.required, prompt_end});
  if (known == answers_.end()) {
    std::optional<text::AnswerForm> form;
    if (constraint_.form && !choice.required) form = {constraint_.form->notation, constraint_.form->text};
    WISP_TRY(auto compiled, text::compile_answer(conversation_.format(), conversation_.tools(), choice, prompt_end,
                                                 *model_.tokenizer, form));
    known = answers_.emplace(std::pair(choice.required, prompt_end), std::move(compiled)).first;
  }
  const std::optional<text::CompiledAnswer>& answer = known->second;
  if (!answer) return {};
  WISP_TRY(request.constraint, text::grammar::Constraint::create(answer->grammar, answer->triggers));
  return {};
}

Status Chat::answer_once(bool may_have_to_call) {
  const std::uint32_t longest = model_.engine->max_positions();
  const std::uint32_t room = std::min({kMostAnswerRoom, longest / 4, options_.max_new});
  WISP_TRY(Conversation::Prompt prompt, conversation_.prompt(longest - room));
  if (prompt.n_forgotten > 0 && !options_.model.quiet) {
    note("({} oldest messages forgotten: the context holds {} tokens)", prompt.n_forgotten, longest);
  }

  runtime::Request request;
  request.prompt = std::move(prompt.ids);
  request.sampling = params_;
  request.max_new_tokens = options_.max_new;
  request.stop = options_.sampling.stop;
  request.shown_tokens = marks_;
  ask_for_guesses(options_.speculation, request);
  WISP_CHECK(obey(may_have_to_call, prompt.end, request));
  // What a GBNF asks for is the answer, whatever it looks like.
  text::OutputFormat format = constraint_.whole != nullptr ? text::OutputFormat{} : conversation_.format();
  text::OutputParser parser(
      std::move(format), conversation_.tools(),
      {.calls = !conversation_.tools().empty(), .id_seed = params_.seed, .formed = constraint_.form.has_value()});
  parser.prime(prompt.end);
  AnswerView view(std::move(parser), options_.hide_reasoning ? ShowReasoning::never : ShowReasoning::on_terminal,
                  options_.json);
  WISP_TRY(Generation made,
           generate(*model_.engine, std::move(request), [&](std::string_view text) { return view.feed(text); }));
  WISP_CHECK(view.finish());
  const text::ParsedOutput& parsed = view.parsed();
  if (options_.json) {
    WISP_CHECK(print_json_line(answer_json(made, parsed, prompt.n_forgotten)));
  } else if (parsed.message.tool_calls.empty() || !parsed.message.content.empty()) {
    WISP_CHECK(print("\n"));
  }
  WISP_CHECK(flush_output());
  for (const std::string& error : parsed.errors) note("(a call that is none: {})", error);
  text::ChatMessage message = parsed.message;
  message.role = "assistant";
  conversation_.add(std::move(message));
  last_ = std::move(made);
  return {};
}

void Chat::run_calls(const std::vector<text::ToolCall>& calls) {
  for (const text::ToolCall& call : calls) {
    if (!options_.json) note("({}{})", call.name, printable(call.arguments, 400));
    const auto command = tools_.commands.find(call.name);
    if (command == tools_.commands.end()) {
      unanswered_.push_back(call);
      continue;
    }
    std::string result = run_tool(command->second, call.arguments);
    if (!options_.json && !options_.model.quiet) note("  = {}", printable(result, 400));
    conversation_.add({.role = "tool", .content = std::move(result), .tool_call_id = call.id, .name = call.name});
  }
}

void Chat::ask_for_result() const {
  if (!options_.model.quiet) note("(the next line is the result of {})", unanswered_.front().name);
}

Status Chat::take_result(std::string line) {
  const text::ToolCall call = std::move(unanswered_.front());
  unanswered_.erase(unanswered_.begin());
  conversation_.add({.role = "tool", .content = std::move(line), .tool_call_id = call.id, .name = call.name});
  if (!unanswered_.empty()) {
    ask_for_result();
    return {};
  }
  return answer_all(false);
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
  unanswered_.clear();
  std::string question = conversation_.drop_exchange();
  if (question.empty()) return fail(Code::not_found, "there is no question to answer again");
  params_.seed += 1;
  return answer(std::move(question));
}

std::optional<Status> Chat::change(std::string_view name, const std::string& rest) {
  if (name == "/retry") return retry();
  if (name == "/undo") {
    unanswered_.clear();
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
  unanswered_.clear();
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
    unanswered_.clear();
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
    const Status answered = unanswered_.empty() ? answer(line) : take_result(line);
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
  ConversationSetup setup{.system = options.system, .tools = {}, .variables = {}};
  ChatTools tools;
  if (!options.tools.empty()) {
    WISP_TRY(tools, read_tools(options.tools));
    setup.tools = tools.tools;
  }
  if (options.tools.empty() && options.tool_choice != "auto") {
    return fail(Code::invalid_argument,
                "--tool-choice says which functions are called, and there are none: give --tools FILE");
  }
  const bool has_grammar = !options.constraint.grammar.empty();
  if (!options.tools.empty() && has_grammar) {
    return fail(Code::invalid_argument,
                "--tools and --grammar: a grammar is the whole answer, calls too; give --schema or --regex");
  }
  // Who asks for a form wants the answer; and a GBNF would have to describe the thought.
  if (options.no_think || is_asked_for(options.constraint)) setup.variables = R"({"enable_thinking": false})";
  WISP_TRY(Conversation conversation, Conversation::create(*opened.tokenizer, std::move(setup)));
  WISP_TRY(const ModelShape shape, shape_of(opened.file, options.model));
  WISP_TRY(sample::SamplingParams params, sampling_params(options.sampling, shape.vocabulary, opened.tokenizer.get()));
  WISP_TRY(AnswerConstraint constraint, answer_constraint(options.constraint, *opened.tokenizer));
  ModelOptions model_options = options.model;
  adapt(options.speculation, model_options);
  WISP_TRY(LoadedModel model, load_model(std::move(opened), model_options, one_sequence()));
  WISP_CHECK(add_draft_model(options.speculation, model_options, model));
  Chat session(options, std::move(model), std::move(conversation), std::move(tools), std::move(params),
               std::move(constraint));
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
  command
      .add_option(
          "--tools", options->tools,
          "A file with functions that the model may call, as OpenAI's interface has them.\n"
          "An entry's \"command\": [\"PROGRAM\", ..] is run with the arguments, JSON, on its standard input, and\n"
          "answers with what it prints; calls of others are shown, and the next line of input answers")
      ->check(refuse_empty)
      ->type_name("FILE");
  command
      .add_option(
          "--tool-choice", options->tool_choice,
          "auto: the model calls as it likes; required, or a function's name: a question's first answer is a call, "
          "whatever --schema or --regex ask of the others [auto]")
      ->check(refuse_empty)
      ->type_name("HOW");
  command.add_flag("--no-think", options->no_think,
                   "Ask the template for an answer without reasoning (enable_thinking)");
  command.add_flag("--hide-reasoning", options->hide_reasoning,
                   "Do not show what the model thinks; else a terminal has it dimmed, a pipe never");
  command.add_option("-p,--prompt", options->prompt, "One message: answer it and end")->type_name("TEXT");
  command.add_option("-n,--max-new", options->max_new, "At most N tokens an answer [what the context holds]")
      ->check(CLI::Range(1u, 0x7FFFFFFFu))
      ->type_name("N");
  command.add_flag("--json", options->json,
                   "Print an object a line for each answer: text, ids, reasoning_content, tool_calls, finish_reason,\n"
                   "forgotten_messages, timings");
  add_sampling_options(command, options->sampling);
  add_speculation_options(command, options->speculation);
  add_constraint_options(command, options->constraint);
  command.callback([options, &exit_code] { exit_code = finish(chat(*options)); });
}

}  // namespace wisp::cli
