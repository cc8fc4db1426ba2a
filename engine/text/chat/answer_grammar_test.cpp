// Texts of call grammars, read back by the parser: calls of known tools with arguments that their schemas accept.
#include "text/chat/answer_grammar.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <random>

#include "base/format.h"
#include "tests/command.h"
#include "tests/grammar_tools.h"
#include "tests/test_data.h"
#include "text/chat/json_scanner.h"
#include "text/chat/match.h"
#include "text/chat/output_parser.h"
#include "text/chat/template_testing.h"
#include "text/grammar/constraint.h"
#include "text/grammar/json_schema.h"
#include "text/grammar/machine.h"
#include "text/test_vocabulary.h"

namespace wisp::text {
namespace {

Tool tool(const std::string& name, const std::string& parameters) {
  return {name, R"({"type": "function", "function": {"name": ")" + name + R"(", "description": "d", "parameters": )" +
                    parameters + "}}"};
}

const std::string kWeather =
    R"({"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer",
    "minimum": 1, "maximum": 14}, "unit": {"enum": ["C", "F"]}}, "required": ["city"]})";
const std::string kSearch = R"({"type": "object", "properties": {
    "query": {"type": "string", "minLength": 1, "maxLength": 12},
    "code": {"type": "string", "pattern": "^[a-z<>/]{2}-\\d+$"},
    "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    "id": {"anyOf": [{"type": "string"}, {"type": "integer", "maximum": 9}]},
    "level": {"enum": ["1", "high", "a</parameter>b", 2, null, true]},
    "kind": {"$ref": "#/$defs/kind"},
    "where": {"type": "object", "properties": {"tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        "near": {"type": "boolean"}}, "required": ["tags"], "additionalProperties": false},
    "weights": {"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 3},
    "anything": {}},
    "required": ["query", "where", "extra"], "additionalProperties": {"type": "string"},
    "$defs": {"kind": {"type": "string", "enum": ["new", "7"]}}})";
// Where a value may be taken for something else, or hold what ends it.
const std::string kTricky = R"({"type": "object", "properties": {
    "id": {"anyOf": [{"type": "string"}, {"type": "integer", "maximum": 9}]},
    "list": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2},
    "text": {"type": "string"}}, "required": ["id", "list", "text"]})";
const std::string kNothing = R"({"type": "object", "properties": {}})";
const std::string kAnything = R"({"type": "object"})";

std::vector<Tool> all_tools() {
  return {tool("get_weather", kWeather), tool("search", kSearch), tool("tricky", kTricky), tool("get", kNothing),
          tool("note-down", kAnything)};
}

std::string shown(const std::vector<OutputEvent>& events) {
  ParsedOutput output;
  for (const OutputEvent& event : events) add_event(output, event);
  std::string text = output.message.content + "|" + output.message.reasoning;
  for (const ToolCall& call : output.message.tool_calls) text += "|" + call.name + call.arguments;
  for (const std::string& error : output.errors) text += "|" + error;
  return text;
}

ToolChoice choice_of(bool required, bool several, const std::string& only = {}) {
  return {.required = required, .only = only, .several = several};
}

// What a value must not hold, or must not be taken for.
std::vector<std::string> lures_of(const OutputFormat& format) {
  std::vector<std::string> lures = {format.calls.value_end,
                                    format.calls.section_end,
                                    "<![CDATA[x]]>",
                                    "<|\"|>",
                                    "null",
                                    "12",
                                    "[1]",
                                    "\"x\"",
                                    "\\\"",
                                    "', b='",
                                    "\r\n",
                                    "True"};
  for (const ReasoningMarks& marks : format.reasoning) lures.push_back(marks.end);
  for (const std::string& tail : format.calls.tails) lures.push_back(tail);
  for (std::size_t i = lures.size(); i-- > 0;) lures.emplace_back(without_blanks(lures[i]));
  std::erase(lures, "");
  return lures;
}

TEST(AnswerGrammar, TextsAreCallsThatTheSchemasAccept) {
  const auto data = wisp::test::test_data();
  if (!data) GTEST_SKIP() << "WISP_TEST_DATA is unset";
  const bool validates = std::system("python3 -c 'import jsonschema' >/dev/null 2>&1") == 0;
  const std::vector<Tool> tools = all_tools();
  std::map<std::string, std::string> schemas = {{"get_weather", kWeather},
                                                {"search", kSearch},
                                                {"tricky", kTricky},
                                                {"get", R"({"type": "object", "maxProperties": 0})"},
                                                {"note-down", kAnything}};
  for (auto& [name, schema] : schemas) std::ranges::replace(schema, '\n', ' ');  // a case a line
  const wisp::test::TemporaryFolder folder;
  std::ofstream cases(folder / "cases.jsonl");
  std::mt19937 random(11);
  const int rounds = wisp::test::full_run() ? 60 : 3;
  int n_calls = 0, n_several = 0, n_thoughts = 0;
  for (const std::string& name : test::template_names(*data)) {
    SCOPED_TRACE(name);
    const auto form = test::form_of(*data, name);
    ASSERT_TRUE(form) << form.error().message;
    SCOPED_TRACE(describe(form->format()));
    const ChatRequest request{{{"user", "Well?"}}, {tools.front()}, {}};
    const auto prompt = form->render(request, 0);
    ASSERT_TRUE(prompt) << prompt.error().message;
    for (const ToolChoice& choice :
         {choice_of(true, true), choice_of(true, false), choice_of(true, true, "tricky"), choice_of(false, true)}) {
      auto made = answer_grammar(form->format(), tools, choice, prompt->end);
      ASSERT_TRUE(made) << made.error().message;
      const auto machine = grammar::compile(made->grammar);
      ASSERT_TRUE(machine) << machine.error().message;
      grammar::Automaton automaton(*machine, 8);
      wisp::test::RandomText texts(made->grammar, random, lures_of(form->format()));
      for (int i = 0; i < (choice.only.empty() ? rounds : 4 * rounds); ++i) {
        const std::string text = texts.make(std::size_t{100} << (i % 4));
        SCOPED_TRACE(prompt->end + "|" + text);
        ASSERT_EQ(wisp::test::read_with(automaton, text), wisp::test::Verdict::accepted);
        const grammar::Triggers& triggers = made->triggers;
        if (!triggers.empty()) {
          EXPECT_TRUE(std::ranges::any_of(triggers.texts, [&](const auto& start) { return text.starts_with(start); }));
        }
        OutputParser whole(form->format(), tools, {}), bytes(form->format(), tools, {});
        std::vector<OutputEvent> events, byte_events;
        // What a lazy grammar follows is behind the thought that the prompt may have opened.
        const std::string end = triggers.empty() ? prompt->end : std::string();
        whole.prime(end);
        bytes.prime(end);
        whole.feed(text, events);
        whole.finish(events);
        for (const char c : text) bytes.feed(std::string_view(&c, 1), byte_events);
        bytes.finish(byte_events);
        ASSERT_EQ(shown(byte_events), shown(events));
        ParsedOutput output;
        for (const OutputEvent& event : events) add_event(output, event);
        ASSERT_TRUE(output.errors.empty()) << output.errors.front();
        const auto& calls = output.message.tool_calls;
        n_thoughts += output.message.reasoning.empty() ? 0 : 1;
        n_several += calls.size() > 1 ? 1 : 0;
        if (choice.required) {
          ASSERT_GE(calls.size(), 1u);
          ASSERT_EQ(output.message.content, "");
        }
        if (!choice.several) {
          ASSERT_EQ(calls.size(), 1u);
        }
        for (const ToolCall& call : calls) {
          ASSERT_TRUE(schemas.contains(call.name)) << call.name;
          if (!choice.only.empty()) {
            ASSERT_EQ(call.name, choice.only);
          }
          const auto value = jinja::parse_json(call.arguments);
          ASSERT_TRUE(value) << call.arguments;
          cases << R"({"schema": )" << schemas[call.name] << R"(, "text": )" << json_string(call.arguments) << "}\n";
          ++n_calls;
        }
      }
    }
  }
  cases.close();
  EXPECT_GT(n_calls, 500);
  EXPECT_GT(n_several, 50);
  EXPECT_GT(n_thoughts, 50);
  if (!validates)
    GTEST_SKIP() << "arguments not validated: Python's jsonschema is not there (Debian's "
                    "python3-jsonschema)";
  const std::string script = (wisp::test::source_dir() / "tests/validate_json.py").string();
  EXPECT_EQ(std::system(("python3 '" + script + "' '" + folder / "cases.jsonl" + "'").c_str()), 0);
}

// What every format's answers are where a form is asked for: a text of the form, or calls; thoughts in front of both.
TEST(AnswerGrammar, FormedAnswersAreReadAsTheFormOrCalls) {
  const auto data = wisp::test::test_data();
  if (!data) GTEST_SKIP() << "WISP_TEST_DATA is unset";
  const std::vector<Tool> tools = {tool("get_weather", kWeather), tool("tricky", kTricky)};
  const std::string schema = R"({"type": "object", "properties": {"verdict": {"enum": ["yes", "no"]},
      "why": {"type": "string"}}, "required": ["verdict"], "additionalProperties": false})";
  grammar::Grammar form_grammar;
  ASSERT_TRUE(grammar::parse_json_schema(schema, form_grammar));
  const auto form_machine = grammar::compile(std::move(form_grammar));
  ASSERT_TRUE(form_machine);
  const AnswerForm form{grammar::Notation::json_schema, schema};
  std::mt19937 random(12);
  const int rounds = wisp::test::full_run() ? 80 : 8;
  int n_said = 0, n_called = 0, n_thoughts = 0;
  for (const std::string& name : test::template_names(*data)) {
    SCOPED_TRACE(name);
    const auto chat = test::form_of(*data, name);
    ASSERT_TRUE(chat) << chat.error().message;
    SCOPED_TRACE(describe(chat->format()));
    for (const bool has_tools : {true, false}) {
      const ChatRequest request{{{"user", "Well?"}}, has_tools ? tools : std::vector<Tool>{}, {}};
      const auto prompt = chat->render(request, 0);
      ASSERT_TRUE(prompt) << prompt.error().message;
      auto made = answer_grammar(chat->format(), request.tools, {}, prompt->end, nullptr, form);
      ASSERT_TRUE(made) << made.error().message;
      EXPECT_TRUE(made->triggers.empty());
      // What is said may be about the format's own marks.
      std::vector<std::string> lures = lures_of(chat->format());
      for (const ReasoningMarks& marks : chat->format().reasoning) lures.push_back(marks.begin);
      for (const std::string& mark : chat->format().ignored) lures.push_back(mark);
      for (const Pattern& head : chat->format().calls.heads) lures.push_back(head.front().text);
      wisp::test::RandomText texts(made->grammar, random, lures);
      for (int i = 0; i < rounds; ++i) {
        const std::string text = texts.make(std::size_t{40} << (i % 3));
        SCOPED_TRACE(prompt->end + "|" + text);
        const ParsedOutput output =
            parse_output(chat->format(), request.tools, prompt->end, text, {.calls = has_tools, .formed = true});
        ASSERT_TRUE(output.errors.empty()) << output.errors.front();
        n_thoughts += output.message.reasoning.empty() ? 0 : 1;
        n_called += output.message.tool_calls.empty() ? 0 : 1;
        if (!output.message.tool_calls.empty()) {
          ASSERT_TRUE(has_tools);
          ASSERT_EQ(output.message.content, "");
          continue;
        }
        ++n_said;
        grammar::Automaton automaton(*form_machine, 8);
        const std::string said(without_blanks(output.message.content));  // those in front say nothing
        ASSERT_EQ(wisp::test::read_with(automaton, said), wisp::test::Verdict::accepted)
            << "said: " << output.message.content;
      }
    }
  }
  // A model begins calls as where it has to call, with the same blanks.
  for (const std::string& name : test::template_names(*data)) {
    SCOPED_TRACE(name);
    const auto chat = test::form_of(*data, name);
    const auto prompt = chat->render(ChatRequest{{{"user", "Well?"}}, tools, {}}, 0);
    const auto required = answer_grammar(chat->format(), tools, choice_of(true, true), prompt->end);
    const auto formed =
        grammar::compile(answer_grammar(chat->format(), tools, {}, prompt->end, nullptr, form)->grammar);
    ASSERT_TRUE(required && formed);
    wisp::test::RandomText texts(required->grammar, random, {"x"});
    for (int i = 0; i < rounds; ++i) {
      const std::string text = texts.make(60);
      grammar::Automaton automaton(*formed, 8);
      EXPECT_EQ(wisp::test::read_with(automaton, text), wisp::test::Verdict::accepted) << text;
    }
  }
  EXPECT_GT(n_said, 100);
  EXPECT_GT(n_called, 50);
  EXPECT_GT(n_thoughts, 20);
}

// A vocabulary of single bytes and these control tokens, the last of which ends an answer.
std::unique_ptr<Tokenizer> bytes_and(const std::vector<std::string>& control) {
  Vocabulary vocabulary;
  vocabulary.model = TokenizerModel::rwkv;
  for (unsigned byte = 0; byte < 256; ++byte) text::test::add_token(vocabulary, fmt::format("\\x{:02x}", byte));
  for (const std::string& text : control) text::test::add_token(vocabulary, text, TokenKind::control);
  vocabulary.end_of_generation = {vocabulary.size() - 1};
  return text::test::make_tokenizer(std::move(vocabulary));
}

class CallTokens {
 public:
  CallTokens(const OutputFormat& format, const ToolChoice& choice, const std::string& prompt_end,
             const std::vector<std::string>& control, const std::optional<AnswerForm>& form = {})
      : tokenizer_(bytes_and(control)) {
    auto made = answer_grammar(format, {tool("get", kNothing), tool("get_weather", kWeather)}, choice, prompt_end,
                               &tokenizer_->vocabulary(), form);
    EXPECT_TRUE(made) << made.error().message;
    auto machine = grammar::compile(std::move(made->grammar));
    EXPECT_TRUE(machine) << machine.error().message;
    auto compiled = grammar::CompiledGrammar::create(std::move(*machine), *tokenizer_,
                                                     std::make_shared<const grammar::TokenTrie>(*tokenizer_));
    EXPECT_TRUE(compiled) << compiled.error().message;
    auto constraint = grammar::Constraint::create(*compiled, made->triggers);
    EXPECT_TRUE(constraint) << constraint.error().message;
    constraint_.emplace(std::move(*constraint));
  }
  // Control tokens are written as such.
  bool write(std::string_view text) {
    const auto ids = tokenizer_->encode(text, {.parse_special = true});
    return std::ranges::all_of(*ids, [this](TokenId id) { return allows(id) && constraint_->accept(id).has_value(); });
  }
  bool allows(TokenId id) {
    const auto mask = constraint_->mask();
    const auto i = static_cast<std::size_t>(id);
    return mask && (mask->empty() || ((*mask)[i / 32] >> (i % 32) & 1u) != 0);
  }
  bool allows(std::string_view text) { return allows(tokenizer_->encode(text, {.parse_special = true})->front()); }
  grammar::Constraint& operator*() { return *constraint_; }

 private:
  std::unique_ptr<Tokenizer> tokenizer_;
  std::optional<grammar::Constraint> constraint_;
};

OutputFormat tagged() {
  OutputFormat format;
  CallFormat& calls = format.calls;
  calls.payload = Payload::tagged;
  calls.heads = {
      {{SyntaxPiece::Kind::literal, "<function="}, {SyntaxPiece::Kind::name}, {SyntaxPiece::Kind::literal, ">"}}};
  calls.tails = {"</function>"};
  calls.argument_begin = "<parameter=";
  calls.key_end = ">";
  calls.value_end = "</parameter>";
  return format;
}

OutputFormat harmony() {
  const auto form = ChatForm::create("{{ '<|start|>' ~ '<|channel|>' ~ '<|message|>' }}", "", "");
  return form->format();
}
const std::vector<std::string> kHarmonyTokens = {"<|start|>", "<|channel|>",   "<|message|>",
                                                 "<|end|>",   "<|constrain|>", "<|call|>"};

TEST(AnswerGrammar, MarksAreControlTokensAndThoughtsDoNotTrigger) {
  CallTokens lazy(harmony(), {}, "<|start|>assistant", kHarmonyTokens);
  ASSERT_TRUE(lazy.write("<|channel|>analysis<|message|>I write to=functions.nobody and <|channel|>commentary"));
  EXPECT_TRUE((*lazy).waiting());
  ASSERT_TRUE(lazy.write("<|end|><|start|>assistant<|channel|>commentary to=functions."));
  EXPECT_FALSE((*lazy).waiting());
  EXPECT_FALSE(lazy.allows("x"));
  ASSERT_TRUE(lazy.write("get_weather <|constrain|>json"));
  EXPECT_FALSE(lazy.allows("<"));  // "<|message|>" in letters would be text
  ASSERT_TRUE(lazy.write("<|message|>{\"city\": \"Rome\", \"days\": 14"));
  EXPECT_FALSE(lazy.allows("0"));
  ASSERT_TRUE(lazy.write("}"));
  EXPECT_TRUE((*lazy).may_end());
  EXPECT_TRUE(lazy.allows("<|call|>"));
  EXPECT_FALSE(lazy.allows("<|start|>"));
}

TEST(AnswerGrammar, ARequiredCallComesAfterThoughtsOnly) {
  CallTokens required(harmony(), choice_of(true, true, "get_weather"), "<|start|>assistant", kHarmonyTokens);
  EXPECT_FALSE(required.allows("H"));
  ASSERT_TRUE(required.write("<|channel|>analysis<|message|>Hm.<|end|>"));
  EXPECT_FALSE((*required).may_end());
  ASSERT_TRUE(required.write("<|start|>assistant<|channel|>commentary to=functions.get_weather"));
  EXPECT_FALSE(required.write("<|channel|>final"));
  ASSERT_TRUE(required.write("<|message|>{\"city\": \"Rome\"}"));
  EXPECT_TRUE((*required).finished());
}

TEST(AnswerGrammar, AFormHoldsForWhatIsSaid) {
  const AnswerForm form{grammar::Notation::regex, "(yes|no)!"};
  const auto answer = [&] { return CallTokens(harmony(), {}, "<|start|>assistant", kHarmonyTokens, form); };
  const std::string thought = "<|channel|>analysis<|message|>No!<|end|><|start|>assistant";
  for (const std::string& start : {std::string(), thought}) {
    CallTokens says = answer();
    ASSERT_TRUE(says.write(start + "<|channel|>final<|message|>"));
    EXPECT_FALSE(says.allows("N"));
    ASSERT_TRUE(says.write("no!"));
    EXPECT_TRUE((*says).finished());
    CallTokens calls = answer();
    ASSERT_TRUE(calls.write(start + "<|channel|>commentary to=functions.get_weather<|message|>{\"city\": \"Rome\""));
    EXPECT_FALSE((*calls).may_end());
    EXPECT_TRUE(calls.write("}"));
  }
  EXPECT_FALSE(answer().allows("n")) << "the format has a mark for what is said";

  // A prompt that opens a thought, or the answer.
  OutputFormat thinking = tagged();
  thinking.reasoning = {{"<think>", "</think>", true}};
  CallTokens thinks(thinking, {}, "<think>\n", {"<|end|>"}, form);
  ASSERT_TRUE(thinks.write("It is no! or yes!\n</think>\n\n"));
  EXPECT_FALSE(thinks.allows("x"));
  EXPECT_TRUE(thinks.write("yes!"));
  CallTokens thought_nothing(thinking, {}, "<think>\n\n</think>\n\n", {"<|end|>"}, form);
  EXPECT_FALSE(thought_nothing.allows("x"));
  EXPECT_TRUE(thought_nothing.write("<function=get_weather><parameter=city>Rome</parameter></function>"));
  EXPECT_TRUE((*thought_nothing).may_end());
}

TEST(AnswerGrammar, AFormIsRefusedByWhatIsWrong) {
  const auto message = [](const AnswerForm& form, const ToolChoice& choice = {}) {
    const auto made = answer_grammar(harmony(), {tool("get", kNothing)}, choice, "", nullptr, form);
    return made ? std::string() : made.error().message;
  };
  using grammar::Notation;
  EXPECT_EQ(message({Notation::json_schema, "{}"}), "");
  EXPECT_NE(message({Notation::json_schema, R"({"type": "thing"})"}).find("thing"), std::string::npos);
  EXPECT_NE(message({Notation::json_schema, "false"}).find("no text can ever match"), std::string::npos);
  std::string wide = R"({"type": "object", "properties": {)";
  for (int i = 0; i < 30'000; ++i) wide += fmt::format("\"p{}\": {{\"type\": \"string\"}},", i);
  EXPECT_NE(message({Notation::json_schema, wide + "\"q\": {}}}"}).find("the form that is asked for makes"),
            std::string::npos);
  EXPECT_NE(message({Notation::regex, "("}), "");
  EXPECT_NE(message({Notation::regex, "a"}, choice_of(true, true)).find("leave one of them out"), std::string::npos);
  EXPECT_TRUE(answer_grammar({}, {}, {}, "", nullptr, AnswerForm{Notation::regex, "a"})) << "no calls are needed";
}

TEST(AnswerGrammar, AnswersOfUnmarkedFormatsAreTextOrCalls) {
  OutputFormat format;
  format.calls.payload = Payload::json;
  format.calls.bare = true;
  format.calls.heads = {{{SyntaxPiece::Kind::literal, "<|python_tag|>"}}};
  const std::vector<std::string> tokens = {"<|python_tag|>", "<|eot|>"};
  for (const std::string text : {"Hello {\"name\": 1}", "{\"age\": 3}", "[1, 2]", "{}", "",
                                 R"({"name": "get_weather", "arguments": {"city": "Rome"}})",
                                 R"(<|python_tag|>{"name": "get", "arguments": {}})"}) {
    CallTokens answer(format, {}, "", tokens);
    EXPECT_TRUE(answer.write(text)) << text;
    EXPECT_TRUE((*answer).may_end()) << text;
  }
  for (const std::string text : {R"({"name": "Ann")", R"({"name": "get_weather", "arguments": {"town")"}) {
    EXPECT_FALSE(CallTokens(format, {}, "", tokens).write(text)) << text;
  }
}

TEST(AnswerGrammar, ChoicesAreRead) {
  const auto read = [](const std::string& members) { return parse_tool_choice("{" + members + "}"); };
  EXPECT_TRUE(read("")->calls);
  EXPECT_FALSE(read("")->required);
  EXPECT_TRUE(read("")->several);
  EXPECT_FALSE(read(R"("tool_choice": "none")")->calls);
  EXPECT_TRUE(read(R"("tool_choice": "required", "parallel_tool_calls": false)")->required);
  EXPECT_FALSE(read(R"("parallel_tool_calls": false)")->several);
  EXPECT_EQ(read(R"("tool_choice": {"type": "function", "function": {"name": "f"}})")->only, "f");
  EXPECT_TRUE(read(R"("tool_choice": {"type": "function", "function": {"name": "f"}})")->required);
  for (const char* wrong : {R"("tool_choice": "always")", R"("tool_choice": {"name": "f"})", R"("tool_choice": 1)",
                            R"("parallel_tool_calls": 1)"}) {
    EXPECT_FALSE(read(wrong)) << wrong;
  }
}

std::string refusal(const OutputFormat& format, const std::vector<Tool>& tools, const ToolChoice& choice = {}) {
  auto made = answer_grammar(format, tools, choice, "");
  if (!made) return made.error().message;
  const auto machine = grammar::compile(std::move(made->grammar));
  return machine ? std::string() : machine.error().message;
}

TEST(AnswerGrammar, RefusalsNameTheTool) {
  const auto with = [](const std::string& parameters) { return refusal(tagged(), {tool("get", parameters)}); };
  EXPECT_EQ(with(kWeather), "");
  EXPECT_EQ(with(R"({"type": "object", "properties": {"a": {"not": {}}}})").substr(0, 35),
            "tool 'get': at /properties/a: 'not'");
  EXPECT_NE(with(R"({"type": "object", "properties": {"<a>": {}}})").find("tool 'get': at /properties/<a>"),
            std::string::npos);
  EXPECT_NE(with(R"({"type": "string"})").find("tool 'get': no arguments can ever"), std::string::npos);
  EXPECT_NE(with(R"({"type": "object", "required": ["a"], "properties": {"a": false}})").find("tool 'get': no arg"),
            std::string::npos);
  EXPECT_NE(with(R"({"$ref": "#"})").find("tool 'get': no arguments can ever"), std::string::npos);
  EXPECT_NE(with("[1]").find("tool 'get': at the root of the schema"), std::string::npos);
  EXPECT_NE(with(R"({"a": 1, "a": 2})").find("tool 'get'"), std::string::npos);
  EXPECT_NE(refusal(tagged(), {tool("a<b", kWeather)}).find("tool 'a<b'"), std::string::npos);
  EXPECT_NE(refusal(tagged(), {}).find("no tools"), std::string::npos);
  EXPECT_NE(refusal(tagged(), {tool("get", kWeather)}, choice_of(true, true, "got")).find("'got'"), std::string::npos);
  EXPECT_NE(refusal({}, {tool("get", kWeather)}).find("knows no calls"), std::string::npos);
  OutputFormat python;
  python.calls.payload = Payload::python;
  python.calls.heads = {{{SyntaxPiece::Kind::literal, "<|call|>"}}};
  EXPECT_NE(refusal(python, {tool("get", R"({"properties": {"a-b": {}}})")}).find("tool 'get': at /properties/a-b"),
            std::string::npos);
}

TEST(AnswerGrammarHostile, ToolsAreBounded) {
  std::vector<Tool> many;
  for (std::size_t i = 0; i <= kMostTools; ++i)
    many.push_back(tool(fmt::format("t{}", i), i % 8 == 0 ? kSearch : kNothing));
  EXPECT_NE(refusal(tagged(), many).find("tools are more than"), std::string::npos);
  many.pop_back();
  EXPECT_EQ(refusal(tagged(), many), "");
  std::string deep, wide = R"({"type": "object", "properties": {)";
  for (int i = 0; i < 100'000; ++i) deep += R"({"items": )";
  EXPECT_NE(refusal(tagged(), {tool("deep", deep)}).find("tool 'deep'"), std::string::npos);
  for (int i = 0; i < 30'000; ++i) wide += fmt::format("\"p{}\": {{\"type\": \"string\"}},", i);
  EXPECT_NE(refusal(tagged(), {tool("wide", wide + "\"q\": {}}}")}).find("tool 'wide': with its"), std::string::npos);
  // Types of arguments are asked for while an answer is read: alternatives that lead in circles.
  const std::string circles = R"({"type": "object", "properties": {"a": {"anyOf": [{"$ref": "#/properties/a"},
      {"$ref": "#/properties/a"}, {"$ref": "#/properties/a"}]}}, "anyOf": [{"$ref": "#"}, {"$ref": "#"}]})";
  const ParsedOutput output =
      parse_output(tagged(), {tool("get", circles)}, "",
                   "<function=get><parameter=a>1</parameter><parameter=b>x</parameter></function>");
  ASSERT_EQ(output.message.tool_calls.size(), 1u);
  EXPECT_EQ(output.message.tool_calls[0].arguments, R"({"a": 1, "b": "x"})");
}

TEST(AnswerGrammarFuzz, MutatedToolsAreRefusedOrCompile) {
  std::mt19937 random(3);
  const int rounds = wisp::test::full_run() ? 5'000 : 150;
  int compiled = 0;
  for (int i = 0; i < rounds; ++i) {
    Tool one = tool("search", kSearch);
    for (std::size_t edits = 1 + random() % 3; edits > 0; --edits) {
      std::string& text = one.definition;
      const std::size_t at = random() % text.size(), n = std::min<std::size_t>(random() % 12, text.size() - at);
      switch (random() % 3) {
        case 0: text.erase(at, n); break;
        case 1: text.insert(at, text.substr(random() % text.size(), 30)); break;
        default: text[at] = static_cast<char>(random());
      }
    }
    compiled += refusal(tagged(), {one}).empty() ? 1 : 0;
  }
  EXPECT_GT(compiled, 0);
  EXPECT_LT(compiled, rounds);
}

}  // namespace
}  // namespace wisp::text
