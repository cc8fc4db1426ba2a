#include "text/chat/answer_grammar.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "base/format.h"
#include "text/chat/call_arguments.h"
#include "text/chat/json_scanner.h"
#include "text/chat/mark_speller.h"
#include "text/chat/match.h"
#include "text/grammar/char_set.h"
#include "text/grammar/free_text.h"
#include "text/grammar/json_grammar.h"
#include "text/grammar/machine.h"

namespace wisp::text {
namespace {

using grammar::CharSet;
using grammar::NodeId;

const CharSet kBlanks = {{U' ', U' '}, {U'\t', U'\t'}, {U'\n', U'\n'}, {U'\r', U'\r'}};

class AnswerGrammarBuilder {
 public:
  AnswerGrammarBuilder(const OutputFormat& format, const ToolChoice& choice, std::string_view prompt_end,
                       const Vocabulary* vocabulary)
      : format_(format),
        calls_(format.calls),
        choice_(choice),
        prompt_end_(without_blanks(prompt_end)),
        marks_(grammar_, vocabulary),
        json_(grammar_),
        gap_(grammar_.repeat(grammar_.chars({{U' ', U' '}, {U'\n', U'\n'}}), 0, 4)) {
    several_ = choice.several;
    for (const std::string& tail : calls_.tails) several_ = several_ && marks_.before_end(tail) == tail;
  }

  Status read_tools(const std::vector<Tool>& tools) {
    if (tools.size() > kMostTools) {
      return fail(Code::limit, "{} tools are more than {}, the most that a grammar takes", tools.size(), kMostTools);
    }
    CallArguments arguments(grammar_, calls_, marks_);
    for (const Tool& tool : tools) {
      if (!choice_.only.empty() && tool.name != choice_.only) continue;
      if (!is_name(tool.name) || tool.name.size() > kLongestField) {
        return fail(Code::invalid_argument, "tool '{}': this is no name that a call can have", printable(tool.name));
      }
      WISP_TRY(const NodeId node, arguments.of(tool));
      if (grammar_.too_large()) {
        return fail(Code::limit, "tool '{}': with its parameters the grammar becomes too large", printable(tool.name));
      }
      tools_.push_back({tool.name, node});
    }
    if (!choice_.only.empty() && tools_.empty()) {
      return fail(Code::invalid_argument, "tool_choice names '{}', which is none of the tools",
                  printable(choice_.only));
    }
    if (tools_.empty()) return fail(Code::invalid_argument, "there are no tools that could be called");
    return {};
  }

  Status read_form(const AnswerForm& form, const grammar::FindToken& find_token) {
    if (choice_.required) {
      return fail(Code::invalid_argument,
                  "tool_choice asks for a call, and the request for an answer of a form: leave one of them out");
    }
    WISP_CHECK(grammar::parse_grammar(form.notation, form.source, find_token, grammar_));
    if (grammar_.too_large()) return fail(Code::limit, "the form that is asked for makes the grammar too large");
    form_ = grammar_.root();
    may_begin_blank_ = form.notation == grammar::Notation::json_schema;
    return {};
  }

  Result<AnswerGrammar> build() {
    AnswerGrammar made;
    if (form_) {
      WISP_CHECK(check_form());
      grammar_.set_root(grammar_.sequence({thought(gap_), formed_answer()}));
    } else if (choice_.required) {
      grammar_.set_root(grammar_.sequence({thought(grammar_.empty()), gap_, calls_from_start()}));
    } else if (calls_.bare) {
      grammar_.set_root(bare_answer());
    } else if (is_addressed()) {
      grammar_.set_root(addressed_answer());
    } else {
      grammar_.set_root(lazy_calls(made.triggers));
    }
    WISP_CHECK(check_tools());
    made.grammar = std::move(grammar_);
    return made;
  }

 private:
  struct CallableTool {
    std::string name;
    NodeId arguments;
  };

  // A tool whose schema nothing satisfies could silently never be called.
  Status check_tools() const {
    const std::vector<NodeId> nodes = [this] {
      std::vector<NodeId> made;
      for (const CallableTool& tool : tools_) made.push_back(tool.arguments);
      return made;
    }();
    const std::vector<bool> can = grammar::can_match(grammar_, nodes);
    for (std::size_t i = 0; i < tools_.size(); ++i) {
      if (!can[i]) {
        return fail(Code::invalid_argument, "tool '{}': no arguments can ever satisfy its parameters",
                    printable(tools_[i].name));
      }
    }
    return {};
  }

  // Beside calls a form that nothing satisfies could silently never be written.
  Status check_form() const {
    if (grammar::can_match(grammar_, std::span(&*form_, 1)).front()) return {};
    return fail(Code::invalid_argument, "no text can ever match the form that is asked for");
  }

  // ---- one call ----

  NodeId literal(std::string_view text) { return marks_.node(text); }
  NodeId each_tool(const auto& of_tool) {
    std::vector<NodeId> ways;
    for (const CallableTool& tool : tools_) ways.push_back(of_tool(tool));
    return grammar_.choice(ways);
  }

  NodeId piece(const SyntaxPiece& piece, const CallableTool& tool, std::string_view before, bool is_json) {
    switch (piece.kind) {
      case SyntaxPiece::Kind::literal: return literal(piece.text);
      case SyntaxPiece::Kind::optional: return grammar_.optional(literal(piece.text));
      case SyntaxPiece::Kind::name: {
        const std::string quoted = json_string(tool.name);
        return grammar_.literal(is_json ? std::string_view(quoted).substr(1, quoted.size() - 2) : tool.name);
      }
      case SyntaxPiece::Kind::id:
        return grammar_.repeat(grammar_.chars({{U'a', U'z'}, {U'A', U'Z'}, {U'0', U'9'}, {U'_', U'_'}, {U'-', U'-'}}),
                               1, 40);
      case SyntaxPiece::Kind::any: return filling(before, tool);
      case SyntaxPiece::Kind::arguments: return tool.arguments;
    }
    return grammar_.never();
  }
  // What a pattern leaves open: a number that counts calls, whom a message is for, or what kind of text follows.
  NodeId filling(std::string_view before, const CallableTool& tool) {
    if (before.ends_with("to=")) return grammar_.literal(tool.name);
    constexpr std::string_view kConstrained = "<|constrain|>json";
    if (std::ranges::find(format_.ignored, kConstrained) == format_.ignored.end()) {
      return grammar_.repeat(grammar_.chars({{U'0', U'9'}}), 1, 4);
    }
    const NodeId channel =
        before.starts_with("<|channel|>") ? grammar_.empty() : grammar_.optional(literal("<|channel|>commentary"));
    return grammar_.sequence({channel, grammar_.optional(literal(" <|constrain|>json"))});
  }

  // A head behind its first literal, for one tool.
  NodeId head_of(const Pattern& head, const CallableTool& tool) {
    std::vector<NodeId> parts;
    for (std::size_t i = 1; i < head.size(); ++i) {
      const bool between_literals =
          head[i].kind == SyntaxPiece::Kind::literal && head[i - 1].kind == SyntaxPiece::Kind::literal;
      if (between_literals) parts.push_back(gap_);
      parts.push_back(
          piece(head[i], tool, head[i - 1].kind == SyntaxPiece::Kind::name ? head[0].text : head[i - 1].text, false));
    }
    return grammar_.sequence(parts);
  }

  NodeId json_call(const CallableTool& tool) {
    Pattern object = calls_.object;
    if (object.empty()) {
      object = {{SyntaxPiece::Kind::literal, "{" + json_string(calls_.name_key) + ": \""},
                {SyntaxPiece::Kind::name},
                {SyntaxPiece::Kind::literal, "\", " + json_string(calls_.arguments_key) + ": "},
                {SyntaxPiece::Kind::arguments},
                {SyntaxPiece::Kind::literal, "}"}};
    }
    std::vector<NodeId> parts;
    for (const SyntaxPiece& part : object) parts.push_back(piece(part, tool, "", true));
    return grammar_.sequence(parts);
  }

  // What follows the first literal of a head: the rest of it, and the call's payload.
  NodeId behind_mark(const Pattern& head) {
    switch (calls_.payload) {
      case Payload::none: break;
      case Payload::json: return json_payload();
      case Payload::python: {
        const NodeId call = each_tool(
            [&](const CallableTool& tool) { return grammar_.sequence({grammar_.literal(tool.name), tool.arguments}); });
        return grammar_.sequence(
            {grammar_.literal("["), separated(call, grammar_.literal(", ")), grammar_.literal("]")});
      }
      case Payload::arguments:
      case Payload::tagged:
      case Payload::gemma:
        return each_tool(
            [&](const CallableTool& tool) { return grammar_.sequence({head_of(head, tool), tool.arguments}); });
    }
    return grammar_.never();
  }
  NodeId json_payload() {
    const NodeId call = each_tool([&](const CallableTool& tool) { return json_call(tool); });
    return calls_.listed ? json_.bracketed(separated(call, json_.comma())) : call;
  }
  // A list holds several calls, so marks do not come again.
  [[nodiscard]] bool is_list() const {
    return calls_.payload == Payload::python || (calls_.payload == Payload::json && calls_.listed);
  }
  NodeId separated(NodeId call, NodeId separator) {
    return several_ ? grammar_.sequence({call, grammar_.star(grammar_.sequence({separator, call}))}) : call;
  }

  // Marks that stand around answers, and the token that ends one, are not a call's.
  std::string_view without_turn_end(std::string_view text) const {
    text = marks_.before_end(text);
    for (const std::string& mark : format_.ignored) text = text.substr(0, text.find(without_blanks(mark)));
    return text;
  }
  // `n_optional`: how many of the tails may be missing, from the end.
  NodeId tails(std::size_t n_optional) {
    std::vector<NodeId> parts;
    // Gemma's second tail opens an answer of the caller's.
    const std::size_t n =
        calls_.payload == Payload::gemma ? std::min<std::size_t>(1, calls_.tails.size()) : calls_.tails.size();
    for (std::size_t i = 0; i < n; ++i) {
      const std::string_view text = without_turn_end(calls_.tails[i]);
      if (text.empty()) break;
      const NodeId tail = grammar_.sequence({gap_, literal(text)});
      parts.push_back(n - i <= n_optional ? grammar_.optional(tail) : tail);
    }
    return grammar_.sequence(parts);
  }

  // ---- all calls of an answer ----

  // A mark that could stand in any text says nothing without what follows it.
  static bool is_plain_word(std::string_view mark) { return mark.find_first_of("<[=") == std::string_view::npos; }
  NodeId mark_of(const Pattern& head) { return literal(without_blanks(head.front().text)); }
  NodeId head_call(std::size_t index) {
    const Pattern& head = calls_.heads[index];
    const NodeId between = head.size() == 1 && !is_plain_word(head.front().text) ? gap_ : grammar_.empty();
    return grammar_.sequence({between, behind_mark(head), tails(missing_tails(index))});
  }
  // A head that is the end of the first one lacks what the last tails close.
  [[nodiscard]] std::size_t missing_tails(std::size_t index) const {
    if (index == 0 || calls_.tails.size() < 2) return 0;
    return calls_.heads[0].front().text.ends_with(calls_.heads[index].front().text) ? calls_.tails.size() - 1 : 0;
  }
  // `first`: with what the first of them begins.
  NodeId calls_behind(NodeId first, std::size_t index) {
    const NodeId one = head_call(index);
    if (is_list() || !several_) return grammar_.sequence({first, one});
    const NodeId next = grammar_.sequence({gap_, mark_of(calls_.heads[index]), one});
    return grammar_.sequence({first, one, grammar_.star(next)});
  }
  NodeId section(NodeId begin) {
    const std::string_view end = without_turn_end(without_blanks(calls_.section_end));
    return grammar_.sequence({begin, gap_, calls_behind(mark_of(calls_.heads.front()), 0), gap_, literal(end)});
  }
  // Whether a head opens the section too.
  [[nodiscard]] bool opens_section(const Pattern& head) const {
    const std::string_view begin = without_blanks(calls_.section_begin);
    return !begin.empty() && std::ranges::any_of(head, [begin](const SyntaxPiece& piece) {
      return piece.text.find(begin) != std::string::npos;
    });
  }

  // Calls as the template writes them, behind the prompt.
  NodeId calls_from_start() {
    if (calls_.bare || calls_.heads.empty()) return json_payload();
    const std::string_view section_begin = without_blanks(calls_.section_begin);
    if (section_begin.empty()) {
      const std::string_view mark = without_blanks(calls_.heads.front().front().text);
      const bool is_there = !mark.empty() && prompt_end_.ends_with(mark);
      return calls_behind(is_there ? grammar_.empty() : literal(mark), 0);
    }
    // Where whom a message is for stands in front of the section.
    for (std::size_t i = 0; i < calls_.heads.size(); ++i) {
      const Pattern& head = calls_.heads[i];
      if (opens_section(head)) return grammar_.sequence({mark_of(head), head_call(i)});
    }
    return section(prompt_end_.ends_with(section_begin) ? grammar_.empty() : literal(section_begin));
  }

  // What a model thinks before it calls or speaks; `behind` follows a thought.
  NodeId thought(NodeId behind) {
    std::vector<NodeId> ways;
    for (const ReasoningMarks& marks : format_.reasoning) {
      const std::string_view begin = without_blanks(marks.begin), end = without_blanks(marks.end);
      const std::size_t opened = prompt_end_.rfind(begin), closed = prompt_end_.rfind(end);
      const bool is_open = opened != std::string_view::npos;
      if (marks.only_at_start && !is_open) continue;
      const NodeId text = grammar::FreeText(grammar_, {std::string(end)}).any();
      const NodeId rest = grammar_.sequence({text, literal(end), next_turn(), behind});
      if (closed != std::string_view::npos && (!is_open || closed > opened)) return grammar_.empty();
      if (is_open) return rest;
      ways.push_back(grammar_.sequence({gap_, literal(begin), rest}));
    }
    return grammar_.optional(grammar_.choice(ways));
  }
  // Some models think in a message of its own, and begin the next one as the prompt began that.
  NodeId next_turn() {
    for (const std::string& mark : format_.ignored) {
      const std::string_view core = without_blanks(mark);
      if (!core.empty() && prompt_end_.find(core) != std::string_view::npos) {
        return grammar_.sequence({gap_, literal(core), grammar_.optional(grammar_.literal(" "))});
      }
    }
    return grammar_.empty();
  }

  // Templates write calls behind blanks. So they may come here, but only where a text may come behind them, too: a
  // model that begins with a blank has not decided yet.
  NodeId formed_answer() {
    const NodeId said = speech_of(*form_);
    if (tools_.empty()) return said;
    const NodeId front = may_begin_blank_ ? gap_ : grammar_.empty();
    return grammar_.sequence({front, grammar_.choice({calls_from_start(), said})});
  }
  // A text behind the mark for it, where the prompt has not got that, or what calls begin with too.
  NodeId speech_of(NodeId text) {
    const std::string_view mark = format_.speech;
    if (mark.empty() && format_.blank_first) return grammar_.sequence({grammar_.optional(grammar_.literal(" ")), text});
    const std::string_view head = is_addressed() ? without_blanks(calls_.heads.front().front().text) : mark;
    if (prompt_end_.ends_with(without_blanks(mark))) return text;
    if (prompt_end_.ends_with(head)) return grammar_.sequence({literal(mark.substr(head.size())), text});
    return grammar_.sequence({grammar_.optional(grammar_.literal(" ")), literal(mark), text});
  }

  // ---- where no call is required ----

  // The mark up to where it can be nothing else; the rest may come in other blanks.
  std::string trigger_of(std::string_view mark) const {
    const auto begins_others = [&](std::string_view start) {
      const auto begins = [start](std::string_view other) { return without_blanks(other).starts_with(start); };
      return std::ranges::any_of(format_.ignored, begins) ||
             std::ranges::any_of(format_.reasoning, begins, &ReasoningMarks::begin);
    };
    for (std::size_t at = mark.find('>'); at < mark.size(); at = mark.find('>', at + 1)) {
      const std::string_view start = mark.substr(0, at + 1);
      if (start.find('<') != std::string_view::npos && !begins_others(start)) return std::string(start);
    }
    return std::string(mark);
  }

  NodeId lazy_calls(grammar::Triggers& triggers) {
    std::vector<NodeId> ways;
    const auto add = [&](std::string_view mark, NodeId way) {
      ways.push_back(way);
      std::string trigger = trigger_of(mark);
      if (is_plain_word(trigger) && calls_.payload == Payload::json) trigger += calls_.listed ? '[' : '{';
      if (std::ranges::find(triggers.texts, trigger) == triggers.texts.end()) triggers.texts.push_back(trigger);
    };
    if (const std::string_view begin = without_blanks(calls_.section_begin); !begin.empty()) {
      add(begin, section(marks_.either(begin)));
    }
    for (std::size_t i = 0; i < calls_.heads.size(); ++i) {
      if (opens_section(calls_.heads[i])) continue;
      const std::string_view mark = without_blanks(calls_.heads[i].front().text);
      add(mark, calls_behind(marks_.either(mark), i));
    }
    for (const ReasoningMarks& marks : format_.reasoning) {
      const std::string_view begin = without_blanks(marks.begin), end = without_blanks(marks.end);
      const std::size_t opened = prompt_end_.rfind(begin), closed = prompt_end_.rfind(end);
      const bool is_open = opened != std::string_view::npos && (closed == std::string_view::npos || closed < opened);
      if (marks.only_at_start && !is_open) continue;
      if (is_open) triggers.paused = triggers.pauses.size();
      triggers.pauses.push_back({std::string(begin), std::string(end)});
    }
    return grammar_.choice(ways);
  }

  // Whether a message to the user is marked as a call is, by another name: ">>>all\n".
  [[nodiscard]] bool is_addressed() const {
    if (calls_.heads.empty() || !calls_.section_begin.empty() || calls_.payload != Payload::arguments) return false;
    const std::string_view head = without_blanks(calls_.heads.front().front().text);
    const std::string_view mark = format_.speech;
    return mark.size() > head.size() && mark.starts_with(head) && mark.find('<') == std::string_view::npos;
  }
  NodeId addressed_answer() {
    const std::string_view mark = without_blanks(calls_.heads.front().front().text);
    const grammar::RuleId message = grammar_.declare("message");
    const NodeId text = grammar::FreeText(grammar_, {std::string(mark)}).any();
    const NodeId next = grammar_.optional(grammar_.sequence({literal(mark), grammar_.rule(message)}));
    const NodeId call = head_call(0);
    grammar_.define(
        message,
        grammar_.choice({grammar_.sequence({literal(std::string_view(format_.speech).substr(mark.size())), text, next}),
                         grammar_.sequence({call, gap_, several_ ? next : grammar_.empty()})}));
    return grammar_.sequence({prompt_end_.ends_with(mark) ? grammar_.empty() : literal(mark), grammar_.rule(message)});
  }

  // A call, or a text that does not begin like one.
  NodeId bare_answer() {
    const NodeId text = grammar_.star(grammar_.chars(CharSet::all()));
    CharSet no_object = kBlanks, no_name = kBlanks;
    no_object.add({{U'{', U'{'}, {U'[', U'['}});
    no_name.add(U'"');
    const NodeId other_key = json_.string_but({calls_.name_key, "name"});
    const NodeId object = grammar_.sequence(
        {literal("{"), gap_,
         grammar_.optional(grammar_.choice({grammar_.sequence({grammar_.chars(no_name.complement()), text}),
                                            grammar_.sequence({other_key, text})}))});
    const NodeId list =
        grammar_.sequence({literal("["), gap_,
                           grammar_.optional(grammar_.choice(
                               {grammar_.sequence({grammar_.chars(no_object.complement()), text}), object}))});
    const NodeId free = grammar_.optional(
        grammar_.choice({grammar_.sequence({grammar_.chars(no_object.complement()), text}), object, list}));
    std::vector<NodeId> ways = {free, json_payload()};
    for (std::size_t i = 0; i < calls_.heads.size(); ++i) {
      ways.push_back(calls_behind(mark_of(calls_.heads[i]), i));
    }
    return grammar_.sequence({gap_, grammar_.choice(ways)});
  }

  const OutputFormat& format_;
  const CallFormat& calls_;
  const ToolChoice& choice_;
  std::string_view prompt_end_;
  grammar::Grammar grammar_;
  MarkSpeller marks_;
  grammar::JsonGrammar json_;
  NodeId gap_;  // between marks
  bool several_ = true;
  std::vector<CallableTool> tools_;
  std::optional<NodeId> form_;
  bool may_begin_blank_ = false;  // the form is JSON, to which blanks do nothing
};

}  // namespace

Result<AnswerGrammar> answer_grammar(const OutputFormat& format, const std::vector<Tool>& tools,
                                     const ToolChoice& choice, std::string_view prompt_end,
                                     const Vocabulary* vocabulary, const std::optional<AnswerForm>& form) {
  const bool can_call = format.calls.payload != Payload::none;
  if (!can_call && !form) return fail(Code::unsupported, "this model's chat template knows no calls of tools");
  AnswerGrammarBuilder builder(format, choice, prompt_end, vocabulary);
  if (form) {
    WISP_CHECK(builder.read_form(*form, vocabulary != nullptr ? grammar::token_finder(*vocabulary) : nullptr));
  }
  if (!form || (can_call && choice.calls && !tools.empty())) WISP_CHECK(builder.read_tools(tools));
  return builder.build();
}

Result<std::optional<CompiledAnswer>> compile_answer(const OutputFormat& format, const std::vector<Tool>& tools,
                                                     const ToolChoice& choice, std::string_view prompt_end,
                                                     const Tokenizer& tokenizer,
                                                     const std::optional<AnswerForm>& form) {
  const bool may_call = !tools.empty() && format.calls.payload != Payload::none;
  if (!choice.required && !may_call && !form) return std::nullopt;
  WISP_TRY(AnswerGrammar made, answer_grammar(format, tools, choice, prompt_end, &tokenizer.vocabulary(), form));
  WISP_TRY(grammar::Machine machine, grammar::compile(std::move(made.grammar)));
  WISP_TRY(auto compiled, grammar::CompiledGrammar::create(std::move(machine), tokenizer,
                                                           std::make_shared<const grammar::TokenTrie>(tokenizer)));
  return CompiledAnswer{std::move(compiled), std::move(made.triggers)};
}

}  // namespace wisp::text
