// From the text of a grammar to what constraints are made of.
//
//   auto grammar = compile_grammar(Notation::json_schema, schema_text, tokenizer);
//   request.constraint = *Constraint::create(*grammar);
//
// Compiling takes milliseconds to a second for the largest; do it once and share the result among requests.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "text/grammar/compiled_grammar.h"
#include "text/grammar/gbnf_parser.h"
#include "text/grammar/machine.h"

namespace wisp::text::grammar {

enum class Notation : std::uint8_t { gbnf, json_schema, regex };

inline constexpr std::size_t kMaxGrammarBytes = 4u << 20;

// Makes the grammar's root of `source`, beside what is there already. Errors as those of compile_machine().
Status parse_grammar(Notation notation, std::string_view source, const FindToken& find_token, Grammar& grammar);

// Errors say where in `source` they are: line and column (GBNF, JSON), a JSON pointer (schemas) or a byte (regex). For
// an empty schema any JSON value is accepted.
Result<Machine> compile_machine(Notation notation, std::string_view source, const FindToken& find_token = {});

// `tokenizer` outlives the result. `trie`: of the tokenizer's vocabulary, where the caller has one already.
Result<std::shared_ptr<CompiledGrammar>> compile_grammar(Notation notation, std::string_view source,
                                                         const Tokenizer& tokenizer,
                                                         std::shared_ptr<const TokenTrie> trie = nullptr);

// What GBNF's <text> and <[id]> name in a vocabulary.
FindToken token_finder(const Vocabulary& vocabulary);

}  // namespace wisp::text::grammar
