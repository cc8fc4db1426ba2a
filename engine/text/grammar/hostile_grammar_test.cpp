// Grammars that ask for too much: refused with a sentence, or read in bounded time and memory, but never a crash.
#include <gtest/gtest.h>

#include <random>

#include "tests/grammar_tools.h"
#include "tests/test_data.h"

namespace wisp::text::grammar {
namespace {

std::string repeated(std::string_view text, std::size_t n) {
  std::string all;
  for (std::size_t i = 0; i < n; ++i) all += text;
  return all;
}

// Compiles, and reads a text as far as it goes. What happened, in words.
std::string attempt(Notation notation, std::string_view source, std::string_view text) {
  Result<Machine> machine = compile_machine(notation, source);
  if (!machine) return machine.error().message;
  Automaton automaton(std::move(*machine), 16);
  Result<StateId> state = automaton.start();
  if (!state) return state.error().message;
  for (const char c : text) {
    *state = automaton.next(*state, static_cast<std::uint8_t>(c));
    if (const Status failure = automaton.failure(); !failure) return failure.error().message;
    if (*state == kDeadState) return "rejected";
  }
  return automaton.may_end(*state) ? "accepted" : "incomplete";
}

TEST(HostileGrammarTest, DeepNesting) {
  const std::string deep = repeated("(", 200'000);
  EXPECT_NE(attempt(Notation::gbnf, "root ::= " + deep, "").find("deep in each other"), std::string::npos);
  EXPECT_NE(attempt(Notation::regex, deep, "").find("deep in each other"), std::string::npos);
  EXPECT_NE(attempt(Notation::json_schema, repeated("[", 200'000), "").find("deep in each other"), std::string::npos);
  EXPECT_NE(attempt(Notation::json_schema, repeated(R"({"items":)", 200'000), "").find("deep in each other"),
            std::string::npos);
  EXPECT_EQ(attempt(Notation::regex, repeated("(", 90) + "a" + repeated(")*", 90), "aaa"), "accepted");
}

TEST(HostileGrammarTest, LongChainsOfRules) {
  constexpr int kRules = 20'000;
  std::string chain = "root ::= r0\n", empty = "root ::= (r0){0,1000} \"x\"\n";
  for (int i = 0; i < kRules; ++i) chain += fmt::format("r{} ::= r{}\n", i, i + 1);
  for (int i = 0; i < kRules; ++i) empty += fmt::format("r{} ::= r{}?\n", i, i + 1);
  chain += fmt::format("r{} ::= \"x\"", kRules);
  empty += fmt::format("r{} ::= \"y\"", kRules);
  EXPECT_EQ(attempt(Notation::gbnf, chain, "x"), "accepted");
  EXPECT_NE(attempt(Notation::gbnf, empty, "x").find("too large"), std::string::npos);
  std::string backwards;
  for (int i = kRules; i > 0; --i) backwards += fmt::format("r{} ::= r{} \"\" | r{}\n", i, i - 1, i - 1);
  EXPECT_EQ(attempt(Notation::gbnf, backwards + fmt::format("r0 ::= \"x\"\nroot ::= r{}", kRules), "x"), "accepted");
}

TEST(HostileGrammarTest, Repetitions) {
  EXPECT_EQ(attempt(Notation::regex, "(a{0,1000}){0,1000}", repeated("a", 5000)), "accepted");
  EXPECT_EQ(attempt(Notation::regex, "((a{0,1000}){0,1000}){0,1000}b", repeated("a", 5000) + "b"), "accepted");
  EXPECT_EQ(attempt(Notation::regex, "a{0,1000000}", repeated("a", 5000)), "accepted");
  EXPECT_EQ(attempt(Notation::regex, "((a*)*)*", repeated("a", 5000)), "accepted");
  EXPECT_EQ(attempt(Notation::regex, "(a?){1000}b", repeated("a", 1000) + "b"), "accepted");
  EXPECT_EQ(attempt(Notation::regex, "(a?){1000}b", repeated("a", 1001) + "b"), "rejected");
  EXPECT_EQ(attempt(Notation::gbnf, "root ::= (\"\"{0,1000000}){0,1000000}", ""), "accepted");
  // Two hundred copies of ten thousand ways are as many instructions as it has letters.
  EXPECT_EQ(attempt(Notation::regex, repeated("a{0,9999}", 3), repeated("a", 300)), "accepted");
}

TEST(HostileGrammarTest, TooManyWays) {
  // Every byte doubles the ways to have read the text.
  const std::string ways =
      attempt(Notation::regex, "(a{2,3}b?){0,1000}(a{3,5}b?){0,1000}(a{5,7}c?){0,1000}", repeated("a", 3000));
  EXPECT_TRUE(ways == "accepted" || ways.contains("too ambiguous")) << ways;
  std::string doubling = "root ::= r0\n";
  for (int i = 0; i < 40; ++i) doubling += fmt::format("r{} ::= r{} \"a\" | r{} \"b\"\n", i, i + 1, i + 1);
  doubling += "r40 ::= \"x\"";
  EXPECT_NE(attempt(Notation::gbnf, doubling, "x").find("too ambiguous"), std::string::npos);
}

TEST(HostileGrammarTest, HugeAlternatives) {
  std::string many = "root ::= \"x\"";
  for (int i = 0; i < 50'000; ++i) many += fmt::format(" | \"{}!\"", i);
  const std::string verdict = attempt(Notation::gbnf, many, "49999!");
  EXPECT_TRUE(verdict == "accepted" || verdict.contains("too ambiguous")) << verdict;
  std::string values = R"({"enum": [0)";
  for (int i = 1; i < 5'000; ++i) values += fmt::format(",\"value {}\"", i);
  EXPECT_EQ(attempt(Notation::json_schema, values + "]}", "\"value 4999\""), "accepted");
  std::string properties = R"({"properties": {"p": {})";
  for (int i = 0; i < 2'000; ++i) properties += fmt::format(",\"p{}\": {{\"type\": \"integer\"}}", i);
  EXPECT_EQ(attempt(Notation::json_schema, properties + R"(}, "additionalProperties": true})",
                    R"({"p": 1, "p7": 2, "p1999": 3, "q": 4})"),
            "accepted");
}

TEST(HostileGrammarTest, SchemasThatGrow) {
  std::string doubling = R"({"$ref": "#/$defs/d0", "type": "object", "$defs": {)";
  for (int i = 0; i < 40; ++i) {
    doubling +=
        fmt::format(R"("d{}": {{"allOf": [{{"$ref": "#/$defs/d{}"}}, {{"$ref": "#/$defs/d{}"}}]}},)", i, i + 1, i + 1);
  }
  const std::string grown = attempt(Notation::json_schema, doubling + R"("d40": {"minProperties": 0}}})", "{}");
  EXPECT_NE(grown.find("deep in each other"), std::string::npos) << grown;
  std::string wide = R"({"allOf": [)";
  for (int i = 0; i < 30; ++i) wide += fmt::format(R"({{"anyOf": [{{"minimum": {}}}, {{"maximum": 2}}]}},)", -i);
  const std::string product = attempt(Notation::json_schema, wide + "true]}", "1");
  EXPECT_NE(product.find("multiplies to more than"), std::string::npos) << product;
  EXPECT_NE(attempt(Notation::json_schema, R"({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}})", "1")
                .find("no text can ever match"),
            std::string::npos);
  EXPECT_EQ(attempt(Notation::json_schema, R"({"type": "array", "minItems": 4000000000, "items": {"const": 1}})", "[1"),
            "incomplete");
  EXPECT_EQ(attempt(Notation::json_schema, R"({"type": "string", "maxLength": 1e300})", "\"abc\""), "accepted");
  EXPECT_NE(attempt(Notation::json_schema, R"({"minimum": 1e400})", "1").find("a bound"), std::string::npos);
  EXPECT_EQ(attempt(Notation::json_schema, R"({"maximum": 1e999999999999, "type": "integer"})", "1"), "accepted");
}

TEST(HostileGrammarTest, DamagedTextsAreRefusedOrRead) {
  const std::vector<std::pair<Notation, std::string>> sources = {
      {Notation::gbnf, "root ::= (\"a\" [b-d]{2,3} | r)* # c\nr ::= \"\\x41\\u00e9\" <x> r?"},
      {Notation::regex, "^(?:a|[b-d\\w]{2,3}|\\u0041(?<n>x+?)*)$"},
      {Notation::json_schema,
       R"({"type":["object","null"],"properties":{"a":{"$ref":"#/$defs/b"},"c":{"enum":[1,"x",{"y":[]}]}},
           "required":["a"],"$defs":{"b":{"oneOf":[{"type":"integer","minimum":-1.5},{"pattern":"^a+$"}]}}})"},
  };
  std::mt19937 random(3);
  const int rounds = test::full_run() ? 20'000 : 120;
  for (const auto& [notation, source] : sources) {
    for (std::size_t n = 0; n <= source.size(); ++n) attempt(notation, source.substr(0, n), "{\"a\": 1}");
    for (int round = 0; round < rounds; ++round) {
      std::string damaged = source;
      for (unsigned n = 1 + random() % 4; n > 0; --n) {
        const std::size_t at = random() % damaged.size();
        switch (random() % 3) {
          case 0: damaged[at] = static_cast<char>(random() % 256); break;
          case 1: damaged.erase(at, 1 + random() % 3); break;
          default: damaged.insert(at, source, random() % source.size(), 1 + random() % 5); break;
        }
        if (damaged.empty()) damaged = "x";
      }
      attempt(notation, damaged, "{\"a\": 1}");
    }
  }
}

}  // namespace
}  // namespace wisp::text::grammar
