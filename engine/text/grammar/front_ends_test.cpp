// GBNF and regular expressions: which texts are theirs, and what is refused where.
#include <gtest/gtest.h>

#include "tests/grammar_tools.h"
#include "text/grammar/regex_parser.h"

namespace wisp::text::grammar {
namespace {

using test::read_with;
using test::Verdict;

struct Case {
  std::string source;
  std::vector<std::string> accepted, rejected;
};

void expect(Notation notation, const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    for (const std::string& text : one.accepted) {
      EXPECT_EQ(read_with(notation, one.source, text), Verdict::accepted) << one.source << " on '" << text << "'";
    }
    for (const std::string& text : one.rejected) {
      EXPECT_NE(read_with(notation, one.source, text), Verdict::accepted) << one.source << " on '" << text << "'";
    }
  }
}

std::string refusal(Notation notation, std::string_view source) {
  const Result<Machine> machine = compile_machine(notation, source);
  return machine ? "" : machine.error().message;
}

TEST(GbnfTest, WhatIsAccepted) {
  expect(Notation::gbnf,
         {
             {R"(root ::= "yes" | "no")", {"yes", "no"}, {"", "ye", "yesno", "maybe"}},
             {"root ::= a b\na ::= [a-c]+\nb ::= [^a-c]", {"ax", "abcé", "a\n"}, {"a", "x", "aaxx"}},
             {"# a comment\nroot ::= ( \"a\" # inside\n  | \"b\" )* # end\n", {"", "abba"}, {"c"}},
             {"root ::= \"a\"{2} \"b\"{1,} \"c\"{0,2} \"d\"{,1}", {"aab", "aabbbccd", "aabd"}, {"ab", "aa", "aabccc"}},
             {"root ::=\n  \"a\"\n  | \"b\"\n", {"a", "b"}, {"ab"}},
             {"root ::= x\n\nx ::= \"\\x41\\u00e9\\U0001F600\\n\\t\\\\\\\"\"", {"Aé😀\n\t\\\""}, {"A"}},
             {"root ::= .", {"a", "é", "😀", "\n"}, {"", "ab", "\xC3", "\xFF"}},
             {"root ::= [\\]\\-a]", {"]", "-", "a"}, {"\\"}},
             {"root ::= \"\"", {""}, {"a"}},
             // By recursion on the right and in the middle.
             {"root ::= list\nlist ::= \"x\" list | \"\"", {"", "xxxx"}, {"y"}},
             {"root ::= \"(\" root \")\" root | \"\"", {"", "()", "(())()"}, {"(", ")", "(()"}},
             {"root ::= sum\nsum ::= term ([+-] term)*\nterm ::= [0-9]+ | \"(\" sum \")\"",
              {"1", "1+2-33", "((1)+2)"},
              {"+", "1+", "(1"}},
             {"root ::= (\"a\"? \"b\"?){2,3}", {"", "ab", "ababab", "ba"}, {"abababab", "c"}},
             {"root ::= (\"ab\"{0,1000}){0,1000} \"c\"", {"c", "ababc"}, {"abac"}},
         });
}

TEST(GbnfTest, WhatIsRefusedSaysWhere) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "no rule 'root'"},
      {"start ::= \"a\"", "no rule 'root'"},
      {"root ::= \"a\nb\"", "line 1, column 12: a text is not closed"},
      {"root ::= [a-", "line 1, column 13: a class is not closed"},
      {"root ::= x", "line 1, column 10: rule 'x' is used, but nothing defines it"},
      {"root ::= \"a\"\nroot ::= \"b\"", "line 2, column 1: rule 'root' is defined twice"},
      {"root ::= (\"a\"", "a group is not closed"},
      {"root ::= \"a\")", "line 1, column 13: ')' is not expected here"},
      {"root = \"a\"", "line 1, column 1: a rule is written"},
      {"root ::= \"a\"{3,2}", "the wrong way round"},
      {"root ::= \"a\"{2", "repetitions are written"},
      {"root ::= \"a\"{99999999999}", "more than 1000000 repetitions"},
      {"root ::= \"\\q\"", "'\\q' is no escape"},
      {"root ::= \"\\ud800\"", "U+D800 is no character"},
      {"root ::= [z-a]", "a range runs backwards"},
      {"root ::= <nothing>", "the vocabulary has no token <nothing>"},
      {"root ::= root \"a\" | \"b\"", "left recursion: root -> root"},
      {"root ::= a\na ::= \"x\"? b\nb ::= a \"y\"", "every way through the grammar goes on without end"},
      {"root ::= a | \"z\"\na ::= \"x\"? b\nb ::= a \"y\" | \"w\"", "left recursion: a -> b -> a"},
      {"root ::= \"a\" root", "no text can ever match"},
      {"root ::= [^\\x00-\\U0010FFFF]", "no text can ever match"},
      {"root ::= \"\xFF\"", "not UTF-8"},
      {"root ::= \"a\" \"b", "a text is not closed"},
      {"root ::= *", "'*' is not expected here"},
  };
  for (const auto& [source, message] : cases) {
    EXPECT_NE(refusal(Notation::gbnf, source).find(message), std::string::npos) << source << "\n"
                                                                                << refusal(Notation::gbnf, source);
  }
}

TEST(RegexTest, WhatIsAccepted) {
  expect(Notation::regex, {
                              {"abc", {"abc"}, {"ab", "abcd", "xabc"}},
                              {"^abc$", {"abc"}, {"ab"}},
                              {"a|bc|", {"a", "bc", ""}, {"b"}},
                              {"(?:a|b)+c?", {"a", "abbac"}, {"c", ""}},
                              {"(?<year>\\d{4})-(\\d{2})", {"2024-01"}, {"24-01", "2024-1"}},
                              {"a{2,}b{,2}c{3}", {"aaccc", "aaabbccc"}, {"accc", "aabbbccc"}},
                              {"[a-z_][^a-z]", {"_9", "aé"}, {"aa", "A9"}},
                              {"[\\]\\-x]", {"]", "-", "x"}, {"\\"}},
                              {"\\w+\\s\\S", {"ab_9 x", "a\tx"}, {"é x", "ab  "}},
                              {"\\D\\W", {"a-", "é!"}, {"1-", "ab"}},
                              {"[^\\W\\d]+", {"abc_"}, {"a1"}},
                              {".", {"x", "é"}, {"\n", "xx"}},
                              {"\\x41\\u0042\\u{1F600}\\uD83D\\uDE00\\n\\.", {"AB😀😀\n."}, {"AB"}},
                              {"\\p{Lu}\\p{N}\\P{L}", {"É٣-"}, {"e3-"}},
                              {"a+?b*?", {"ab", "a"}, {"b"}},
                              {"a{x}", {"a{x}"}, {"a"}},
                              {"(^a|^b)(c$|d)", {"ac", "bd"}, {"c"}},
                              {"[a-z]{3,100000}", {"abc", std::string(5000, 'q')}, {"ab"}},
                              {"(a|ab)(c|bcd)d*", {"abcd", "acd", "abcdd"}, {"ab"}},
                          });
}

TEST(RegexTest, ASearchFindsItAnywhere) {
  const auto found = [](std::string_view pattern, std::string_view text) {
    Grammar grammar;
    CharClasses classes;
    const RegexOptions options{.search = true, .spell = {}};
    grammar.set_root(parse_regex(pattern, grammar, classes, options)->node);
    Automaton automaton(*compile(std::move(grammar)), 4);
    return read_with(automaton, text) == Verdict::accepted;
  };
  EXPECT_TRUE(found("b", "abc"));
  EXPECT_TRUE(found("", "abc"));
  EXPECT_TRUE(found("^a", "abc"));
  EXPECT_FALSE(found("^b", "abc"));
  EXPECT_TRUE(found("c$", "abc"));
  EXPECT_FALSE(found("b$", "abc"));
  EXPECT_TRUE(found("^a|c$", "xyc"));
  EXPECT_FALSE(found("^(a|b)$", "ab"));
  EXPECT_TRUE(found("(^a|b)", "xxb"));
  EXPECT_FALSE(found("(^a|b)", "xa"));
  EXPECT_TRUE(found("(a|b$)", "ab"));
  EXPECT_TRUE(found("(ab)+", "xababx"));
  EXPECT_FALSE(found("^(ab)+$", "aba"));
  EXPECT_FALSE(found("^$", "a"));
}

TEST(RegexTest, LengthsAreCounted) {
  const auto parse = [](std::string_view pattern) {
    Grammar grammar;
    CharClasses classes;
    return *parse_regex(pattern, grammar, classes, {});
  };
  EXPECT_EQ(parse("(ab|c)d{2,3}").shortest, 3u);
  EXPECT_EQ(parse("(ab|c)d{2,3}").longest, 5u);
  EXPECT_EQ(parse("é*").longest, kUnbounded);
  EXPECT_TRUE(parse("[a-z]{2,9}").unit.has_value());
  EXPECT_FALSE(parse("[a-z]x").unit.has_value());
}

TEST(RegexTest, WhatIsRefusedSaysWhere) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"a(?=b)", "at byte 2 of the pattern: a look ahead or behind cannot be held"},
      {"a\\b", "a word boundary cannot be held"},
      {"(a)\\1", "a back reference cannot be held"},
      {"(?i)a", "a flag or an assertion cannot be held"},
      {"a^b", "a '^' inside cannot be held"},
      {"a$b", "a '$' inside cannot be held"},
      {"a*+", "a possessive quantifier cannot be held"},
      {"(a", "a group is not closed"},
      {"a)", "at byte 2 of the pattern: ')' closes nothing"},
      {"[a", "a class is not closed"},
      {"[]", "an empty class"},
      {"[z-a]", "a range runs backwards"},
      {"*a", "'*' repeats nothing"},
      {"a**", "a quantifier stands behind a quantifier"},
      {"a{2,1}", "the wrong way round"},
      {"a{9999999}", "no count of repetitions"},
      {"\\q", "no escape that is known"},
      {"\\u12", "needs 4 hexadecimal digits"},
      {"\\p{Xx}", "no general category"},
      {"a\\", "a backslash at the end"},
  };
  for (const auto& [source, message] : cases) {
    EXPECT_NE(refusal(Notation::regex, source).find(message), std::string::npos) << source << "\n"
                                                                                 << refusal(Notation::regex, source);
  }
}

}  // namespace
}  // namespace wisp::text::grammar
