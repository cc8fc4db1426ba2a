#include "text/chat/call_arguments.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "text/chat/match.h"
#include "text/grammar/free_text.h"
#include "text/grammar/json_value.h"

namespace wisp::text {

using grammar::CharSet;
using grammar::NodeId;

namespace {

constexpr std::string_view kGemmaQuotes = "<|\"|>";
constexpr std::string_view kCdata = "<![CDATA[";  // the parser reads what it opens in another way

// Characters of names that no format uses for its marks.
bool is_plain_name(std::string_view name) {
  constexpr std::string_view kMarks = "<>{}[]()\"'`|\\=,:;&";
  return !name.empty() && name.size() <= kLongestField && without_blanks(name) == name &&
         std::ranges::all_of(name, [&](char c) {
           return static_cast<unsigned char>(c) >= ' ' && kMarks.find(c) == std::string_view::npos;
         });
}

bool is_word(std::string_view name) {
  return !name.empty() && name.size() <= kLongestField && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace

CallArguments::CallArguments(grammar::Grammar& grammar, const CallFormat& calls, const MarkSpeller& marks)
    : grammar_(grammar), calls_(calls), marks_(marks) {
  spelling_.open = spelling_.close = spelling_.separator = grammar_.empty();
  spelling_.can_name = [this](std::string_view name) { return can_name(name); };
  const NodeId letter = grammar_.chars({{U'a', U'z'}, {U'A', U'Z'}, {U'_', U'_'}});
  const NodeId word = grammar_.sequence(
      {letter, grammar_.repeat(grammar_.chars({{U'a', U'z'}, {U'A', U'Z'}, {U'_', U'_'}, {U'0', U'9'}}), 0, 63)});
  switch (calls_.payload) {
    case Payload::none:
    case Payload::json:
    case Payload::arguments: break;
    case Payload::gemma:
      json_.tight = true;
      json_.quote_text = kGemmaQuotes;
      json_.quote = marks_.node(kGemmaQuotes);
      break;
    case Payload::python: {
      json_ = {.yes = "True", .no = "False", .null = "None"};
      spelling_.open = grammar_.literal("(");
      spelling_.separator = grammar_.literal(", ");
      spelling_.close = grammar_.literal(")");
      spelling_.member = [this](std::string_view name, NodeId, NodeId other) {
        return grammar_.sequence({grammar_.literal(name), grammar_.literal("="), other});
      };
      spelling_.further = [this, word](NodeId, NodeId other) {
        return grammar_.sequence({word, grammar_.literal("="), other});
      };
      break;
    }
    case Payload::tagged:
      ready_ = look_for_escape();
      spelling_.member = [this](std::string_view name, NodeId string, NodeId other) {
        return between_marks(grammar_.literal(name), name, string, other);
      };
      if (calls_.ends_with_key) break;  // a grammar cannot say that two names are the same
      spelling_.further = [this, word](NodeId string, NodeId other) { return between_marks(word, "", string, other); };
      break;
  }
}

// How values keep clear of the mark behind them.
Status CallArguments::look_for_escape() {
  const std::string end(without_blanks(calls_.value_end));
  // A character of the mark that JSON needs nowhere but in strings, where it can be written as an escape.
  const std::size_t at = end.find('<') != std::string::npos ? end.find('<') : end.find_first_of("|>/@#$%&=;!?~^*()");
  if (at == std::string::npos) {
    return fail(Code::unsupported, "values cannot be kept apart from the mark '{}' behind them", printable(end));
  }
  const auto mark = static_cast<char32_t>(end[at]);
  json_.escaped = {{mark, mark}};
  raw_.marks = {end, std::string(kCdata)};
  // A line end of two characters would lose the first of them.
  const CharSet characters = CharSet{{U'\r', U'\r'}}.complement();
  raw_.characters = characters.without({{mark, mark}, {U'<', U'<'}});
  grammar::FreeText text(grammar_, raw_.marks, characters);
  raw_.any = text.any();
  const CharSet like_json = {{U'0', U'9'}, {U'-', U'-'},   {U'[', U'['},   {U'{', U'{'}, {U'"', U'"'},
                             {U' ', U' '}, {U'\t', U'\t'}, {U'\n', U'\n'}, {U'<', U'<'}, {mark, mark}};
  raw_.beside_json = grammar_.choice({grammar_.empty(), text.beginning_with(like_json.complement())});
  raw_.typed = !calls_.type_end.empty();
  spelling_.raw = &raw_;
  return {};
}

bool CallArguments::can_name(std::string_view name) const {
  if (calls_.payload == Payload::python) return is_word(name);
  const bool blanks = name.find_first_of(kTextBlanks) != std::string_view::npos;
  return is_plain_name(name) && !(calls_.ends_with_key && blanks);
}

NodeId CallArguments::between_marks(NodeId name, std::string_view again, NodeId string, NodeId other) const {
  std::vector<NodeId> values = {string, other};
  if (!calls_.type_end.empty()) {
    const NodeId end = marks_.node(calls_.type_end);
    NodeId type = grammar_.literal("false");
    if (calls_.string_type != "true") {
      std::vector<NodeId> types;
      for (const std::string_view known : {"number", "boolean", "null", "array", "object"}) {
        types.push_back(grammar_.literal(known));
      }
      type = grammar_.choice(types);
    }
    values = {grammar_.sequence({grammar_.literal(calls_.string_type), end, string}),
              grammar_.sequence({type, end, other})};
  }
  std::vector<NodeId> parts;
  // Formats that are known by their marks alone do not say where lines end.
  const bool lines = calls_.value_end.ends_with('\n') || calls_.argument_begin.starts_with('\n');
  if (!lines) parts.push_back(grammar_.optional(grammar_.literal("\n")));
  parts.insert(parts.end(), {marks_.node(calls_.argument_begin), name, marks_.node(calls_.key_end),
                             grammar_.choice(values), marks_.node(calls_.value_end)});
  if (calls_.ends_with_key) {
    parts.insert(parts.end(), {grammar_.literal(again), marks_.node(calls_.after_end_key)});
  }
  return grammar_.sequence(parts);
}

Result<NodeId> CallArguments::of(const Tool& tool) {
  const auto named = [&](Error error) { return fail_in(std::move(error), "tool '{}'", printable(tool.name)); };
  if (!ready_) return named(ready_.error());
  auto definition = grammar::parse_json(tool.definition);
  if (!definition) return named(std::move(definition).error());
  const grammar::JsonValue* function = definition->find("function");
  const grammar::JsonValue* parameters = (function != nullptr ? *function : *definition).find("parameters");
  // No parameters: no arguments.
  grammar::JsonValue nothing = grammar::JsonValue::of(grammar::JsonKind::object);
  nothing.set("additionalProperties", grammar::JsonValue::of(false));
  if (parameters == nullptr || parameters->is(grammar::JsonKind::null)) parameters = &nothing;
  const bool is_spelled = calls_.payload == Payload::python || calls_.payload == Payload::tagged;
  const grammar::SchemaForm form{
      .json = json_, .arguments = is_spelled ? &spelling_ : nullptr, .name = fmt::format("tool '{}': ", tool.name)};
  auto node = grammar::object_schema(*parameters, grammar_, form);
  if (!node) return named(std::move(node).error());
  return *node;
}

}  // namespace wisp::text
