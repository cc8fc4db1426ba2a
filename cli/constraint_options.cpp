#include "constraint_options.h"

#include <utility>

#include "arguments.h"

namespace wisp::cli {

void add_constraint_options(CLI::App& command, ConstraintOptions& options) {
  const std::string group = "What the text has to be";
  CLI::Option* grammar = command.add_option("--grammar", options.grammar, "What this grammar describes (GBNF)")
                             ->check(refuse_empty)
                             ->type_name("FILE")
                             ->group(group);
  CLI::Option* schema = command
                            .add_option("--schema", options.schema,
                                        "JSON that this JSON schema accepts; an empty file: any JSON (- for standard "
                                        "input)")
                            ->check(refuse_empty)
                            ->type_name("FILE")
                            ->group(group);
  CLI::Option* regex =
      command.add_option("--regex", options.regex, "A text that this regular expression matches whole")
          ->type_name("REGEX")
          ->group(group);
  grammar->excludes(schema)->excludes(regex);
  schema->excludes(regex);
}

Result<GrammarSource> read_grammar(const ConstraintOptions& options) {
  using text::grammar::Notation;
  if (options.regex) return GrammarSource{Notation::regex, *options.regex, "--regex"};
  const bool is_schema = options.grammar.empty();
  const std::string& path = is_schema ? options.schema : options.grammar;
  WISP_TRY(std::string text, read_text_file(path));
  return GrammarSource{is_schema ? Notation::json_schema : Notation::gbnf, std::move(text), printable(path, 400)};
}

bool is_asked_for(const ConstraintOptions& options) {
  return !options.grammar.empty() || !options.schema.empty() || options.regex.has_value();
}

Result<std::shared_ptr<text::grammar::CompiledGrammar>> compile_source(const GrammarSource& source,
                                                                       const text::Tokenizer& tokenizer) {
  auto compiled = text::grammar::compile_grammar(source.notation, source.text, tokenizer);
  if (compiled) return compiled;
  Error cause = std::move(compiled).error();
  // A mistake on the command line is one only where the grammar stands there itself.
  const bool is_file = source.notation != text::grammar::Notation::regex;
  if (cause.code == Code::invalid_argument && is_file) cause.code = Code::invalid_file;
  return fail_in(std::move(cause), "{}", source.name);
}

Result<std::shared_ptr<text::grammar::CompiledGrammar>> compile_constraint(const ConstraintOptions& options,
                                                                           const text::Tokenizer& tokenizer) {
  if (!is_asked_for(options)) return nullptr;
  WISP_TRY(const GrammarSource source, read_grammar(options));
  return compile_source(source, tokenizer);
}

}  // namespace wisp::cli
