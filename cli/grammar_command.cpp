// wisp grammar: checks a grammar, and texts against it.
#include "grammar_command.h"

#include <memory>
#include <optional>
#include <string>

#include "arguments.h"
#include "constraint_options.h"
#include "json.h"
#include "output.h"
#include "text/grammar/automaton.h"

namespace wisp::cli {
namespace {

namespace grammar = text::grammar;

struct GrammarOptions {
  ConstraintOptions constraint;
  std::optional<std::string> text;
  std::string file;
  bool json = false;
};

// How a grammar reads a text.
struct Reading {
  std::size_t read = 0;  // bytes that can stand at the start of a text of the grammar
  bool complete = false;
  bool accepted = false;
};

Result<Reading> read_text(grammar::Automaton& automaton, const std::string& text) {
  WISP_TRY(grammar::StateId state, automaton.start());
  Reading reading;
  for (const char c : text) {
    const grammar::StateId next = automaton.next(state, static_cast<std::uint8_t>(c));
    WISP_CHECK(automaton.failure());
    if (next == grammar::kDeadState) return reading;
    state = next;
    reading.read += 1;
    grammar::StateId* held[] = {&state};
    if (automaton.wants_collection()) automaton.collect(held);
  }
  reading.complete = true;
  reading.accepted = automaton.may_end(state);
  return reading;
}

Status check_grammar(const GrammarOptions& options) {
  WISP_TRY(const GrammarSource source, read_grammar(options.constraint));
  auto machine = grammar::compile_machine(source.notation, source.text);
  if (!machine) {
    Error cause = std::move(machine).error();
    if (cause.code == Code::invalid_argument && !options.constraint.regex) cause.code = Code::invalid_file;
    return fail_in(std::move(cause), "{}", source.name);
  }
  const std::size_t n_instructions = machine->code.size();
  std::optional<std::string> text = options.text;
  if (!options.file.empty()) {
    WISP_TRY(text, read_text_file(options.file));
  }
  if (!text) {
    if (options.json) return print_json({{"instructions", n_instructions}});
    return print(fmt::format("a grammar of {} instructions\n", n_instructions));
  }
  // Alone it looks one byte ahead.
  grammar::Automaton automaton(std::move(*machine), 1);
  WISP_TRY(const Reading reading, read_text(automaton, *text));
  if (options.json) {
    WISP_CHECK(print_json({{"instructions", n_instructions},
                           {"accepted", reading.accepted},
                           {"bytes_read", reading.read},
                           {"bytes", text->size()}}));
  } else if (reading.accepted) {
    WISP_CHECK(print(fmt::format("accepted: {} bytes\n", text->size())));
  }
  WISP_CHECK(flush_output());
  if (reading.accepted) return {};
  if (reading.complete) {
    return fail(Code::limit, "the text is incomplete: all {} bytes can stand at the start, and more has to follow",
                text->size());
  }
  return fail(Code::limit, "the text is rejected at byte {}, behind '{}'", reading.read + 1,
              printable(std::string_view(*text)
                            .substr(0, reading.read)
                            .substr(reading.read - std::min<std::size_t>(reading.read, 40))));
}

}  // namespace

void add_grammar(CLI::App& app, int& exit_code) {
  CLI::App* const command = app.add_subcommand("grammar", "Check a grammar, and texts against it");
  const auto options = std::make_shared<GrammarOptions>();
  add_constraint_options(*command, options->constraint);
  const std::string group = "A text to check (none of them: the grammar alone)";
  CLI::Option* text = command->add_option("--text", options->text, "This text")->type_name("TEXT")->group(group);
  command->add_option("--file", options->file, "The exact bytes of this file (- for standard input)")
      ->check(refuse_empty)
      ->type_name("FILE")
      ->group(group)
      ->excludes(text);
  command->add_flag("--json", options->json, "Print one object: instructions, accepted, bytes_read, bytes");
  command->footer(
      "Ends with 0 when the text is accepted, with 1 when it is not; stderr says where.\n"
      "Examples:\n"
      "  wisp grammar --regex '[a-z]+@[a-z]+' --text you@there\n"
      "  wisp grammar --schema person.json --file answer.json\n"
      "  wisp grammar --grammar chess.gbnf");
  command->callback([options, &exit_code] {
    const ConstraintOptions& asked = options->constraint;
    if (asked.grammar.empty() && asked.schema.empty() && !asked.regex) {
      exit_code =
          finish(fail(Code::invalid_argument, "which grammar? Give --grammar FILE, --schema FILE or --regex REGEX"));
      return;
    }
    exit_code = finish(check_grammar(*options));
  });
}

}  // namespace wisp::cli
