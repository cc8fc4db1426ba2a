#include "text/grammar/compile.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "text/grammar/json_schema.h"
#include "text/grammar/regex_parser.h"

namespace wisp::text::grammar {

FindToken token_finder(const Vocabulary& vocabulary) {
  return [&vocabulary](std::string_view text) -> std::optional<TokenId> {
    if (text.starts_with('[') && text.ends_with(']')) {
      const std::string_view digits = text.substr(1, text.size() - 2);
      TokenId id = -1;
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
      if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
      return id >= 0 && id < vocabulary.size() ? std::optional(id) : std::nullopt;
    }
    const auto found = std::ranges::find(vocabulary.tokens, text);
    if (found == vocabulary.tokens.end()) return std::nullopt;
    return static_cast<TokenId>(found - vocabulary.tokens.begin());
  };
}

Status parse_grammar(Notation notation, std::string_view source, const FindToken& find_token, Grammar& grammar) {
  if (source.size() > kMaxGrammarBytes) {
    return fail(Code::limit, "the grammar has {}; the limit is {}", format_bytes(source.size()),
                format_bytes(kMaxGrammarBytes));
  }
  switch (notation) {
    case Notation::gbnf: return parse_gbnf(source, find_token, grammar);
    case Notation::json_schema: return parse_json_schema(source, grammar);
    case Notation::regex: break;
  }
  CharClasses classes;
  WISP_TRY(const Pattern pattern, parse_regex(source, grammar, classes, {}));
  grammar.set_root(pattern.node);
  return {};
}

Result<Machine> compile_machine(Notation notation, std::string_view source, const FindToken& find_token) {
  Grammar grammar;
  WISP_CHECK(parse_grammar(notation, source, find_token, grammar));
  return compile(std::move(grammar));
}

Result<std::shared_ptr<CompiledGrammar>> compile_grammar(Notation notation, std::string_view source,
                                                         const Tokenizer& tokenizer,
                                                         std::shared_ptr<const TokenTrie> trie) {
  WISP_TRY(Machine machine, compile_machine(notation, source, token_finder(tokenizer.vocabulary())));
  if (trie == nullptr) trie = std::make_shared<const TokenTrie>(tokenizer);
  return CompiledGrammar::create(std::move(machine), tokenizer, std::move(trie));
}

}  // namespace wisp::text::grammar
