#include "text/jinja/parser.h"

#include <limits>

#include "text/jinja/template_parser.h"

namespace wisp::text::jinja {

std::string TemplateParser::shown(const Token& token) {
  switch (token.type) {
    case TokenType::end: return "the end of the template";
    case TokenType::block_end: return "'%}'";
    case TokenType::variable_end: return "'}}'";
    case TokenType::data: return "text";
    case TokenType::string: return "the string '" + printable(token.text, 40) + "'";
    default: return "'" + printable(token.text, 40) + "'";
  }
}

Symbol TemplateParser::symbol(const std::string& name) {
  const auto [found, added] = symbols_.emplace(name, static_cast<Symbol>(out_.symbols.size()));
  if (added) out_.symbols.push_back(name);
  for (MacroSignature* macro : macros_) {
    macro->uses_caller |= found->second == out_.caller;
    macro->uses_varargs |= found->second == out_.varargs;
    macro->uses_kwargs |= found->second == out_.kwargs;
  }
  return found->second;
}

Result<std::unique_ptr<const Template>> parse_template(std::string_view source, std::uint32_t max_depth) {
  if (source.size() > std::numeric_limits<std::uint32_t>::max() / 2)
    return fail(Code::limit, "a template of {} is too long", format_bytes(source.size()));
  auto made = std::make_unique<Template>();
  made->source = normalise_newlines(source);
  WISP_TRY(std::vector<Token> tokens, tokenize(made->source));
  WISP_CHECK(TemplateParser(*made, std::move(tokens), max_depth).run());
  return std::unique_ptr<const Template>(std::move(made));
}

}  // namespace wisp::text::jinja
