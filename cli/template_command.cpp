#include "template_command.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "arguments.h"
#include "base/result.h"
#include "gguf/reader.h"
#include "json.h"
#include "message_json.h"
#include "model_source.h"
#include "output.h"
#include "text/chat/chat_form.h"
#include "text/chat/output_parser.h"
#include "text/chat_template.h"
#include "text/jinja/strftime.h"
#include "text/vocabulary.h"

namespace wisp::cli {
namespace {

constexpr const char* kTemplateKey = "tokenizer.chat_template";

struct TemplateOptions {
  std::string model, jinja, variables, messages, output, now;
  std::string bos, eos;  // of the model, where there is one
  bool show_format = false;
  bool offline = false;
};

// The template's text, and what to call it in messages.
Result<std::pair<std::string, std::string>> read_template(TemplateOptions& options) {
  if (!options.jinja.empty()) {
    WISP_TRY(std::string source, read_text_file(options.jinja));
    return std::pair(std::move(source), options.jinja);
  }
  WISP_TRY(const std::string path, local_path({.name = options.model, .offline = options.offline}));
  WISP_TRY(const gguf::File file, gguf::open_model(path));
  if (!file.metadata.has(kTemplateKey))
    return fail(Code::not_found, "{}: this model has no chat template (no key '{}'); give one with --jinja FILE",
                options.model, kTemplateKey);
  WISP_TRY(const std::string_view source, file.metadata.text(kTemplateKey));
  // A vocabulary of an unknown kind is no reason to refuse its template.
  if (auto vocabulary = text::read_vocabulary(file.metadata)) {
    const auto text_of = [&](std::optional<TokenId> id) {
      return id && static_cast<std::size_t>(*id) < vocabulary->tokens.size()
                 ? vocabulary->tokens[static_cast<std::size_t>(*id)]
                 : std::string();
    };
    options.bos = text_of(vocabulary->bos);
    options.eos = text_of(vocabulary->eos);
  }
  return std::pair(std::string(source), fmt::format("{}: {}", options.model, kTemplateKey));
}

// A failure of what a file holds: the command line itself was right, whatever the engine calls it.
std::unexpected<Error> refuse(Error cause, const std::string& where) {
  if (cause.code == Code::invalid_argument) cause.code = Code::invalid_file;
  return fail_in(std::move(cause), "{}", where);
}

std::int64_t current_time() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

Result<std::int64_t> time_of(const TemplateOptions& options) {
  if (options.now.empty()) return current_time();
  return text::parse_iso_time(options.now);
}

Status render_variables(const TemplateOptions& options, const std::pair<std::string, std::string>& source) {
  auto parsed = text::ChatTemplate::parse(source.first);
  if (!parsed) return refuse(parsed.error(), source.second);
  WISP_TRY(const std::string json, read_text_file(options.variables));
  auto variables = text::jinja::parse_json(json);
  if (!variables) return refuse(variables.error(), options.variables);
  if (!variables->is(text::jinja::Kind::dict))
    return fail(Code::invalid_file, "{}: the variables are one JSON object, {{\"name\": value}}", options.variables);
  WISP_TRY(const std::int64_t now, time_of(options));
  const auto rendered = parsed->render(*variables, now);
  if (!rendered) return refuse(rendered.error(), source.second);
  return print(*rendered);
}

Json answer_json(text::ParsedOutput parsed) {
  parsed.message.role = "assistant";
  Json made = message_json(parsed.message);
  if (!parsed.errors.empty()) made["errors"] = parsed.errors;
  return made;
}

Status use_form(const TemplateOptions& options, const std::pair<std::string, std::string>& source) {
  auto form = text::ChatForm::create(source.first, options.bos, options.eos);
  if (!form) return refuse(form.error(), source.second);
  if (options.show_format) return print(text::describe(form->format()));
  text::ChatRequest request;
  std::string prompt_end;
  if (!options.messages.empty()) {
    WISP_TRY(const std::string json, read_text_file(options.messages));
    auto read = text::parse_chat_request(json);
    if (!read) return refuse(read.error(), options.messages);
    request = std::move(*read);
    WISP_TRY(const std::int64_t now, time_of(options));
    const auto prompt = form->render(request, now);
    if (!prompt) return refuse(prompt.error(), source.second);
    if (options.output.empty()) return print(prompt->text);
    prompt_end = prompt->end;
  }
  WISP_TRY(const std::string output, read_text_file(options.output));
  return print_json(answer_json(text::parse_output(form->format(), request.tools, prompt_end, output)));
}

Status use_template(TemplateOptions& options) {
  int from_stdin = 0;
  for (const std::string& file : {options.jinja, options.variables, options.messages, options.output}) {
    from_stdin += file == "-" ? 1 : 0;
  }
  if (from_stdin > 1)
    return fail(Code::invalid_argument,
                "only one of --jinja, --vars, --messages and --parse-output can read standard input");
  const int tasks = (options.variables.empty() ? 0 : 1) + (options.show_format ? 1 : 0) +
                    (options.messages.empty() && options.output.empty() ? 0 : 1);
  if (tasks != 1) {
    return fail(Code::invalid_argument,
                "give one of --vars FILE, --messages FILE (with --parse-output FILE or without) and --show-format");
  }
  WISP_TRY(const auto source, read_template(options));
  return options.variables.empty() ? use_form(options, source) : render_variables(options, source);
}

}  // namespace

void add_template(CLI::App& app, int& exit_code) {
  CLI::App* const command = app.add_subcommand("template", "Render a chat template, read what its model answers");
  const auto options = std::make_shared<TemplateOptions>();
  CLI::Option_group* const source = command->add_option_group("Template", "which template (one of)");
  source->add_option("MODEL", options->model, "A GGUF file, or a name as wisp pull takes it; only its metadata is read")
      ->check(refuse_empty)
      ->type_name("");
  source->add_option("--jinja", options->jinja, "A file with the template's text (- for standard input)")
      ->check(refuse_empty)
      ->type_name("FILE");
  source->require_option(1);
  command->add_flag("--offline", options->offline, "Fetch nothing: MODEL is a file, or was fetched before");
  command
      ->add_option("--vars", options->variables,
                   "A file with one JSON object: its members are the variables (- for standard input).\n"
                   "Nothing else is defined")
      ->check(refuse_empty)
      ->type_name("FILE");
  command
      ->add_option(
          "--messages", options->messages,
          "A file with a request as OpenAI's interface takes it, {\"messages\": [..], \"tools\": [..]}: it is\n"
          "brought into the shape that the template wants (- for standard input)")
      ->check(refuse_empty)
      ->type_name("FILE");
  command
      ->add_option("--parse-output", options->output,
                   "A file with what the model wrote: print it as a message with reasoning_content and tool_calls, in\n"
                   "JSON. The tools of --messages give the types of arguments (- for standard input)")
      ->check(refuse_empty)
      ->type_name("FILE");
  command->add_flag("--show-format", options->show_format, "Print how a model with this template writes its answers");
  command
      ->add_option("--now", options->now,
                   "The time that strftime_now shows: 2025-07-26 or 2025-07-26T12:00:00, in UTC [now]")
      ->check(refuse_empty)
      ->type_name("TIME");
  command->footer(
      "The rendered text goes to stdout as it is, without a line end added.\n"
      "Example:\n"
      "  echo '{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}], \"add_generation_prompt\": true,\n"
      "         \"bos_token\": \"<s>\", \"eos_token\": \"</s>\"}' | wisp template model.gguf --vars -\n"
      "  wisp template model.gguf --messages request.json\n"
      "  wisp template model.gguf --messages request.json --parse-output answer.txt");
  command->callback([options, &exit_code] { exit_code = finish(use_template(*options)); });
}

}  // namespace wisp::cli
