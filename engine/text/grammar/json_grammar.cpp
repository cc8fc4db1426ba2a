#include "text/grammar/json_grammar.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "text/grammar/free_text.h"
#include "text/utf8.h"

namespace wisp::text::grammar {

JsonGrammar::JsonGrammar(Grammar& grammar, JsonSpelling spelling) : grammar_(grammar), spelling_(std::move(spelling)) {
  const NodeId indent = grammar.repeat(grammar.chars({{U' ', U' '}, {U'\t', U'\t'}}), 0, kMostIndent);
  const RuleId blank = grammar.declare("blank");
  grammar.define(blank, grammar.choice({grammar.empty(), text(" "), grammar.sequence({text("\n"), indent})}));
  blank_ = spelling_.tight ? grammar.empty() : grammar.rule(blank);
  comma_ = grammar.sequence({text(","), blank_});
  if (!escapes()) {
    quote_ = spelling_.quote;
    any_char_ = char_of(CharSet::all());
    any_string_ = quoted(FreeText(grammar, {spelling_.quote_text}).any());
    return;
  }
  quote_ = text("\"");

  const NodeId digit = grammar.chars({{U'0', U'9'}, {U'a', U'f'}, {U'A', U'F'}});
  CharSet special = {{0, 0x1F}, {U'"', U'"'}, {U'\\', U'\\'}};
  special.add(spelling_.escaped);
  const NodeId plain = grammar.chars(special.complement());
  const CharSet letters = {{U'"', U'"'}, {U'\\', U'\\'}, {U'/', U'/'}, {U'b', U'b'},
                           {U'f', U'f'}, {U'n', U'n'},   {U'r', U'r'}, {U't', U't'}};
  const NodeId d = grammar.chars({{U'd', U'd'}, {U'D', U'D'}});
  const NodeId not_surrogate = grammar.choice(
      {grammar.sequence({grammar.chars({{U'0', U'9'}, {U'a', U'c'}, {U'A', U'C'}, {U'e', U'f'}, {U'E', U'F'}}),
                         grammar.repeat(digit, 3, 3)}),
       grammar.sequence({d, grammar.chars({{U'0', U'7'}}), digit, digit})});
  const NodeId pair = grammar.sequence({d, grammar.chars({{U'8', U'9'}, {U'a', U'b'}, {U'A', U'B'}}), digit, digit,
                                        text("\\u"), d, grammar.chars({{U'c', U'f'}, {U'C', U'F'}}), digit, digit});
  any_char_ = grammar.choice({plain, grammar.sequence({text("\\"), grammar.chars(letters)}),
                              grammar.sequence({text("\\u"), grammar.choice({not_surrogate, pair})})});
  any_string_ = quoted(grammar.star(any_char_));
}

NodeId JsonGrammar::char_of(const CharSet& set) {
  if (!escapes()) {
    // Without the last character but one of the quotes no text of these is a quote.
    const auto key = static_cast<char32_t>(spelling_.quote_text[spelling_.quote_text.size() - 2]);
    return grammar_.chars(set.without({{key, key}}));
  }
  CharSet special = {{0, 0x1F}, {U'"', U'"'}, {U'\\', U'\\'}};
  special.add(spelling_.escaped);
  std::vector<NodeId> ways = {grammar_.chars(set.without(special))};
  for (const CharRange& range : set.intersection(special).ranges()) {
    for (char32_t code = range.first; code <= range.last; ++code) ways.push_back(text(spelled(code)));
  }
  return grammar_.choice(ways);
}

// One character inside quotes.
std::string JsonGrammar::spelled(char32_t code) const {
  if (spelling_.escaped.contains(code)) return fmt::format("\\u{:04x}", static_cast<std::uint32_t>(code));
  std::string one;
  append_utf8(one, code);
  const std::string quoted = json_string(one);
  return quoted.substr(1, quoted.size() - 2);
}

NodeId JsonGrammar::string(std::uint32_t min_length, std::uint32_t max_length) {
  if (min_length == 0 && max_length == kUnbounded) return any_string_;
  return quoted(grammar_.repeat(any_char_, min_length, max_length));
}

NodeId JsonGrammar::string_of(std::string_view value) {
  if (!escapes()) {
    const bool holds_quote = value.find(spelling_.quote_text) != std::string_view::npos;
    return holds_quote ? grammar_.never() : quoted(text(value));
  }
  std::string inside;
  for (std::size_t at = 0; at < value.size();) {
    const Utf8Char next = decode_utf8(value, at);
    inside += spelled(next.code);
    at += next.length;
  }
  return quoted(text(inside));
}

NodeId JsonGrammar::name_of(std::string_view name) {
  const bool is_word = !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
  return !escapes() && is_word ? text(name) : string_of(name);
}

NodeId JsonGrammar::string_but(const std::vector<std::string>& names) {
  std::vector<std::u32string> texts;
  for (const std::string& name : names) {
    std::u32string text;
    for (std::size_t at = 0; at < name.size();) {
      const Utf8Char next = decode_utf8(name, at);
      text.push_back(next.code);
      at += next.length;
    }
    texts.push_back(std::move(text));
  }
  std::ranges::sort(texts);
  texts.erase(std::ranges::unique(texts).begin(), texts.end());
  return grammar_.sequence({quote_, others(texts, 0)});
}

// What may follow the first `depth` characters that all the names share, up to the closing quote.
NodeId JsonGrammar::others(std::span<const std::u32string> names, std::size_t depth) {
  constexpr std::size_t kNodesAtOnce = 64;
  const NodeId rest = grammar_.sequence({grammar_.star(char_of(CharSet::all())), quote_});
  if (names.empty()) return rest;
  std::vector<NodeId> ways;
  CharSet taken;
  bool is_name = false;
  for (std::size_t i = 0; i < names.size();) {
    if (names[i].size() == depth) {
      is_name = true;
      ++i;
      continue;
    }
    std::size_t end = i + 1;
    const char32_t code = names[i][depth];
    while (end < names.size() && names[end].size() > depth && names[end][depth] == code) ++end;
    NodeId below = others(names.subspan(i, end - i), depth + 1);
    if (depth % kNodesAtOnce == kNodesAtOnce - 1) {  // expressions are not deep without end
      const RuleId rule = grammar_.declare("other name");
      grammar_.define(rule, below);
      below = grammar_.rule(rule);
    }
    ways.push_back(grammar_.sequence({char_of({{code, code}}), below}));
    taken.add(code);
    i = end;
  }
  ways.push_back(grammar_.sequence({char_of(taken.complement()), rest}));
  if (!is_name) ways.push_back(quote_);
  return grammar_.choice(ways);
}

NodeId JsonGrammar::integer() {
  const NodeId digit = grammar_.chars({{U'0', U'9'}});
  return grammar_.choice({text("0"), grammar_.sequence({grammar_.optional(text("-")), grammar_.chars({{U'1', U'9'}}),
                                                        grammar_.repeat(digit, 0, 15)})});
}

NodeId JsonGrammar::number() {
  const NodeId digit = grammar_.chars({{U'0', U'9'}});
  const NodeId whole =
      grammar_.choice({text("0"), grammar_.sequence({grammar_.chars({{U'1', U'9'}}), grammar_.repeat(digit, 0, 15)})});
  const NodeId fraction = grammar_.optional(grammar_.sequence({text("."), grammar_.repeat(digit, 1, 16)}));
  const NodeId exponent = grammar_.optional(grammar_.sequence(
      {grammar_.chars({{U'e', U'e'}, {U'E', U'E'}}), grammar_.optional(grammar_.chars({{U'+', U'+'}, {U'-', U'-'}})),
       grammar_.repeat(digit, 1, 2)}));
  return grammar_.sequence({grammar_.optional(text("-")), whole, fraction, exponent});
}

NodeId JsonGrammar::member(NodeId name, NodeId value) { return grammar_.sequence({name, text(":"), blank_, value}); }

NodeId JsonGrammar::enclosed(std::string_view open, NodeId inside, std::string_view close) {
  if (inside == grammar_.never()) return inside;
  if (inside == grammar_.empty()) return grammar_.sequence({text(open), text(close)});
  return grammar_.sequence({text(open), blank_, inside, blank_, text(close)});
}

NodeId JsonGrammar::object() {
  const NodeId pair = member(string(0, kUnbounded), value());
  const NodeId some = grammar_.sequence({pair, grammar_.star(grammar_.sequence({comma_, pair}))});
  return grammar_.choice({braced(some), text("{}")});
}

NodeId JsonGrammar::array() {
  const NodeId some = grammar_.sequence({value(), grammar_.star(grammar_.sequence({comma_, value()}))});
  return grammar_.choice({bracketed(some), text("[]")});
}

NodeId JsonGrammar::value() {
  if (value_) return grammar_.rule(*value_);
  value_ = grammar_.declare("any value");
  grammar_.define(*value_, grammar_.choice({value_but_string(), string(0, kUnbounded)}));
  return grammar_.rule(*value_);
}

NodeId JsonGrammar::value_but_string() { return grammar_.choice({object(), array(), number(), boolean(), null()}); }

NodeId JsonGrammar::constant(const JsonValue& value) {
  switch (value.kind) {
    case JsonKind::null: return null();
    case JsonKind::boolean: return text(value.boolean ? spelling_.yes : spelling_.no);
    case JsonKind::number: return text(value.text);
    case JsonKind::string: return string_of(value.text);
    case JsonKind::array:
    case JsonKind::object: break;
  }
  std::vector<NodeId> parts;
  const auto add = [&](NodeId part) {
    if (!parts.empty()) parts.push_back(comma_);
    parts.push_back(part);
  };
  for (const JsonValue& item : value.items) add(constant(item));
  for (const auto& [name, item] : value.members) add(member(name_of(name), constant(item)));
  const NodeId inside = grammar_.sequence(parts);
  return value.is(JsonKind::array) ? bracketed(inside) : braced(inside);
}

}  // namespace wisp::text::grammar
