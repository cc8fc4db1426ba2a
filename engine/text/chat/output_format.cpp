#include "text/chat/output_format.h"

#include <algorithm>

#include "base/format.h"
#include "text/chat/json_scanner.h"

namespace wisp::text {

std::string_view payload_name(Payload payload) {
  switch (payload) {
    case Payload::none: return "none";
    case Payload::json: return "json";
    case Payload::arguments: return "arguments";
    case Payload::tagged: return "tagged";
    case Payload::python: return "python";
    case Payload::gemma: return "gemma";
  }
  return "none";
}

namespace {

std::string describe(const Pattern& pattern) {
  std::string out;
  for (const SyntaxPiece& piece : pattern) {
    switch (piece.kind) {
      case SyntaxPiece::Kind::literal: out += piece.text; break;
      case SyntaxPiece::Kind::optional: out += "(" + piece.text + ")?"; break;
      case SyntaxPiece::Kind::name: out += "{name}"; break;
      case SyntaxPiece::Kind::id: out += "{id}"; break;
      case SyntaxPiece::Kind::any: out += "{..}"; break;
      case SyntaxPiece::Kind::arguments: out += "{arguments}"; break;
    }
  }
  return out;
}

}  // namespace

std::string describe(const OutputFormat& format) {
  std::string out;
  const auto line = [&](std::string_view what, std::string_view text) {
    out += fmt::format("{:<10} {}\n", what, json_string(text));
  };
  for (const ReasoningMarks& marks : format.reasoning) line("reasoning", marks.begin + " .. " + marks.end);
  for (const std::string& mark : format.ignored) line("ignored", mark);
  if (!format.speech.empty()) line("says", format.speech);
  const CallFormat& calls = format.calls;
  out += fmt::format("{:<10} {}{}\n", "calls", payload_name(calls.payload), calls.bare ? ", unmarked" : "");
  if (!calls.section_begin.empty()) line("section", calls.section_begin + " .. " + calls.section_end);
  for (const Pattern& head : calls.heads) line("head", describe(head));
  if (!calls.object.empty()) line(calls.listed ? "list of" : "object", describe(calls.object));
  if (calls.payload == Payload::tagged) {
    line("argument", calls.argument_begin + "{key}" + calls.key_end + (calls.type_end.empty() ? "" : "{type}") +
                         calls.type_end + "{value}" + calls.value_end + (calls.ends_with_key ? "{key}" : "") +
                         calls.after_end_key);
  }
  for (const std::string& tail : calls.tails) line("tail", tail);
  return out;
}

std::vector<TokenId> mark_tokens(const OutputFormat& format, const Vocabulary& vocabulary) {
  std::vector<std::string_view> marks;
  for (const ReasoningMarks& reasoning : format.reasoning) marks.insert(marks.end(), {reasoning.begin, reasoning.end});
  marks.insert(marks.end(), format.ignored.begin(), format.ignored.end());
  const CallFormat& calls = format.calls;
  for (const Pattern& head : calls.heads) {
    for (const SyntaxPiece& piece : head) marks.push_back(piece.text);
  }
  marks.insert(marks.end(), calls.tails.begin(), calls.tails.end());
  marks.insert(marks.end(), {calls.section_begin, calls.section_end, calls.argument_begin, calls.key_end,
                             calls.type_end, calls.value_end, calls.after_end_key});
  if (calls.payload == Payload::gemma) marks.push_back(kGemmaQuote);

  std::vector<TokenId> found;
  for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const std::string& text = vocabulary.tokens[id];
    if (text.empty() || vocabulary.kinds[id] != TokenKind::control) continue;
    const auto holds = [&](std::string_view mark) { return mark.find(text) != std::string_view::npos; };
    if (std::ranges::any_of(marks, holds)) found.push_back(static_cast<TokenId>(id));
  }
  return found;
}

}  // namespace wisp::text
