#include "template_command.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "arguments.h"
#include "base/result.h"
#include "gguf/reader.h"
#include "output.h"
#include "text/chat_template.h"
#include "text/jinja/strftime.h"

namespace wisp::cli {
namespace {

constexpr const char* kTemplateKey = "tokenizer.chat_template";

struct TemplateOptions {
  std::string model, jinja, variables, now;
};

// The template's text, and what to call it in messages.
Result<std::pair<std::string, std::string>> read_template(const TemplateOptions& options) {
  if (!options.jinja.empty()) {
    WISP_TRY(std::string source, read_text_file(options.jinja));
    return std::pair(std::move(source), options.jinja);
  }
  WISP_TRY(const gguf::File file, gguf::open_model(options.model));
  if (!file.metadata.has(kTemplateKey))
    return fail(Code::not_found, "{}: this model has no chat template (no key '{}'); give one with --jinja FILE",
                options.model, kTemplateKey);
  WISP_TRY(const std::string_view source, file.metadata.text(kTemplateKey));
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

Status render_template(const TemplateOptions& options) {
  if (options.jinja == "-" && options.variables == "-")
    return fail(Code::invalid_argument, "--jinja and --vars cannot both read standard input");
  WISP_TRY(const auto source, read_template(options));
  auto parsed = text::ChatTemplate::parse(source.first);
  if (!parsed) return refuse(parsed.error(), source.second);
  WISP_TRY(const std::string json, read_text_file(options.variables));
  auto variables = text::jinja::parse_json(json);
  if (!variables) return refuse(variables.error(), options.variables);
  if (!variables->is(text::jinja::Kind::dict))
    return fail(Code::invalid_file, "{}: the variables are one JSON object, {{\"name\": value}}", options.variables);
  std::int64_t now = current_time();
  if (!options.now.empty()) {
    WISP_TRY(now, text::parse_iso_time(options.now));
  }
  const auto rendered = parsed->render(*variables, now);
  if (!rendered) return refuse(rendered.error(), source.second);
  return print(*rendered);
}

}  // namespace

void add_template(CLI::App& app, int& exit_code) {
  CLI::App* const command = app.add_subcommand("template", "Render a chat template with variables of your own");
  const auto options = std::make_shared<TemplateOptions>();
  CLI::Option_group* const source = command->add_option_group("Template", "which template (one of)");
  source->add_option("MODEL", options->model, "A GGUF file; only its metadata is read")
      ->check(refuse_empty)
      ->type_name("");
  source->add_option("--jinja", options->jinja, "A file with the template's text (- for standard input)")
      ->check(refuse_empty)
      ->type_name("FILE");
  source->require_option(1);
  command
      ->add_option("--vars", options->variables,
                   "A file with one JSON object: its members are the variables (- for standard input).\n"
                   "Nothing else is defined")
      ->required()
      ->check(refuse_empty)
      ->type_name("FILE");
  command
      ->add_option("--now", options->now,
                   "The time that strftime_now shows: 2025-07-26 or 2025-07-26T12:00:00, in UTC [now]")
      ->check(refuse_empty)
      ->type_name("TIME");
  command->footer(
      "The rendered text goes to stdout as it is, without a line end added.\n"
      "Example:\n"
      "  echo '{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}], \"add_generation_prompt\": true,\n"
      "         \"bos_token\": \"<s>\", \"eos_token\": \"</s>\"}' | wisp template model.gguf --vars -");
  command->callback([options, &exit_code] { exit_code = finish(render_template(*options)); });
}

}  // namespace wisp::cli
