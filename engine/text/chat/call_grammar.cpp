#include "text/chat/call_grammar.h"

#include "base/format.h"
#include "text/chat/json_scanner.h"
#include "text/chat/match.h"

namespace wisp::text {
namespace {

// GBNF's strings are escaped as JSON's are.
std::string literal(std::string_view text) { return text.empty() ? std::string() : json_string(text) + " "; }

constexpr std::string_view kJson = R"(ws ::= [ \t\n]*
object ::= "{" ws (member (ws "," ws member)*)? ws "}"
member ::= string ws ":" ws value
array ::= "[" ws (value (ws "," ws value)*)? ws "]"
value ::= object | array | string | number | "true" | "false" | "null"
string ::= "\"" ([^"\\\x00-\x1F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4}))* "\""
number ::= "-"? ("0" | [1-9] [0-9]*) ("." [0-9]+)? ([eE] [-+]? [0-9]+)?
)";

}  // namespace

std::string call_grammar(const OutputFormat& format, const std::vector<Tool>& tools) {
  const CallFormat& calls = format.calls;
  const bool json = calls.payload == Payload::json;
  if (tools.empty() || (!json && calls.payload != Payload::arguments)) return {};
  std::string names, payload;
  for (const Tool& tool : tools) {
    names += names.empty() ? "" : " | ";
    names += json_string(json ? json_string(tool.name) : tool.name);
  }
  if (json) {
    const std::string body =
        calls.name_is_key
            ? "\"{\" ws name ws \":\" ws object ws \"}\""
            : fmt::format("\"{{\" ws {} ws \":\" ws name ws \",\" ws {} ws \":\" ws object ws \"}}\"",
                          json_string(json_string(calls.name_key)), json_string(json_string(calls.arguments_key)));
    payload = fmt::format("(call | \"[\" ws call (ws \",\" ws call)* ws \"]\")\ncall ::= {}\n", body);
  } else {
    payload = "object\n";
  }
  std::string head = "head ::= ";
  for (std::size_t i = 0; !calls.heads.empty() && i < calls.heads.front().size(); ++i) {
    const SyntaxPiece& piece = calls.heads.front()[i];
    switch (piece.kind) {
      case SyntaxPiece::Kind::literal:
      case SyntaxPiece::Kind::optional: head += literal(i == 0 ? without_blanks(piece.text) : piece.text); break;
      case SyntaxPiece::Kind::name: head += "name "; break;
      case SyntaxPiece::Kind::id: head += "[a-zA-Z0-9_.:-]+ "; break;
      case SyntaxPiece::Kind::any: head += "[^<\\n]* "; break;
    }
  }
  if (calls.heads.empty() || calls.bare) head += "\"\" ";
  std::string tail;
  for (const std::string& word : calls.tails) tail += "ws " + literal(word);
  const std::string one = "head ws payload ws " + tail;
  std::string root = "root ::= ";
  if (calls.section_begin.empty()) {
    root += fmt::format("{}(ws {})*", one, one);
  } else {
    root += fmt::format("{}ws {}(ws {})* ws {}", literal(without_blanks(calls.section_begin)), one, one,
                        literal(without_blanks(calls.section_end)));
  }
  return fmt::format("{}\n{}\nname ::= {}\npayload ::= {}{}", root, head, names, payload, kJson);
}

}  // namespace wisp::text
