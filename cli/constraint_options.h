// What generated text has to obey, as options of run and chat.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "text/grammar/compile.h"
#include "text/grammar/constraint.h"

namespace wisp::cli {

struct ConstraintOptions {
  std::string grammar, schema;  // files
  std::optional<std::string> regex;
};

void add_constraint_options(CLI::App& command, ConstraintOptions& options);

bool is_asked_for(const ConstraintOptions& options);

// A grammar's text and what to call it in messages.
struct GrammarSource {
  text::grammar::Notation notation;
  std::string text, name;
};
Result<GrammarSource> read_grammar(const ConstraintOptions& options);

// A failure names the file and the place in it.
Result<std::shared_ptr<text::grammar::CompiledGrammar>> compile_source(const GrammarSource& source,
                                                                       const text::Tokenizer& tokenizer);
// nullptr where none was asked for.
Result<std::shared_ptr<text::grammar::CompiledGrammar>> compile_constraint(const ConstraintOptions& options,
                                                                           const text::Tokenizer& tokenizer);

}  // namespace wisp::cli
