// Grammars on the command line: wisp grammar, and what run and chat do with them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/command.h"
#include "tests/grammar_tools.h"
#include "tests/test_data.h"

namespace wisp {
namespace {

using test::CommandOutcome;
using test::run_wisp;
using test::TemporaryFolder;

std::string shipped() { return (test::source_dir() / "models" / "wisp-stories.gguf").string(); }
std::string person() { return (test::source_dir() / "tests" / "data" / "person.json").string(); }

TEST(GrammarCommandTest, TextsAreAcceptedOrRejectedAtAByte) {
  const CommandOutcome accepted = run_wisp({"grammar", "--regex", "[a-z]+@[a-z]+", "--text", "you@there"});
  EXPECT_EQ(accepted.exit_code, 0) << accepted.err;
  EXPECT_EQ(accepted.out, "accepted: 9 bytes\n");
  const CommandOutcome rejected = run_wisp({"grammar", "--regex", "[a-z]+@[a-z]+", "--text", "you at there"});
  EXPECT_EQ(rejected.exit_code, 1);
  EXPECT_NE(rejected.err.find("rejected at byte 4, behind 'you'"), std::string::npos) << rejected.err;
  const CommandOutcome half = run_wisp({"grammar", "--schema", person(), "--file", "-", "--json"}, R"({"name": "B)");
  EXPECT_EQ(half.exit_code, 1);
  EXPECT_NE(half.err.find("incomplete"), std::string::npos) << half.err;
  const auto report = nlohmann::json::parse(half.out);
  EXPECT_EQ(report["accepted"], false);
  EXPECT_EQ(report["bytes_read"], 11);
}

TEST(GrammarCommandTest, MistakesNameTheirPlace) {
  const TemporaryFolder folder;
  std::ofstream(folder / "bad.gbnf") << "root ::= \"a\"\n  [b";
  std::ofstream(folder / "bad.json") << R"({"properties": {"a": {"not": {}}}})";
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"grammar"}, std::vector<std::string>{"run", shipped(), "--prompt", "x"},
        std::vector<std::string>{"chat", shipped(), "--prompt", "x"}}) {
    const auto with = [&](const std::string& option, const std::string& value) {
      std::vector<std::string> arguments = command;
      arguments.insert(arguments.end(), {option, value});
      return run_wisp(arguments);
    };
    const CommandOutcome grammar = with("--grammar", folder / "bad.gbnf");
    EXPECT_EQ(grammar.exit_code, 1);
    EXPECT_NE(grammar.err.find("bad.gbnf: line 2, column 5"), std::string::npos) << grammar.err;
    const CommandOutcome schema = with("--schema", folder / "bad.json");
    EXPECT_EQ(schema.exit_code, 1);
    EXPECT_NE(schema.err.find("bad.json: at /properties/a: 'not'"), std::string::npos) << schema.err;
    const CommandOutcome regex = with("--regex", "a)");
    EXPECT_EQ(regex.exit_code, 2) << "the expression stands on the command line itself";
    EXPECT_NE(regex.err.find("at byte 2"), std::string::npos) << regex.err;
  }
  EXPECT_EQ(run_wisp({"grammar"}).exit_code, 2);
  EXPECT_EQ(run_wisp({"grammar", "--regex", "a", "--schema", person()}).exit_code, 2);
  EXPECT_EQ(run_wisp({"grammar", "--grammar", "/no/such/file"}).exit_code, 1);
}

TEST(GrammarCommandTest, WhatRunAndChatGenerateObeys) {
  std::ifstream file(person());
  const std::string schema(std::istreambuf_iterator<char>(file), {});
  const CommandOutcome run =
      run_wisp({"run", shipped(), "--prompt", "Once", "--schema", person(), "--seed", "5", "--json", "--quiet"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const auto made = nlohmann::json::parse(run.out);
  EXPECT_EQ(made["finish_reason"], "end_token");
  EXPECT_GT(made["timings"]["forced_tokens"], 3);
  const std::string text = made["text"];
  EXPECT_EQ(test::read_with(text::grammar::Notation::json_schema, schema, text), test::Verdict::accepted) << text;
  const CommandOutcome chat =
      run_wisp({"chat", shipped(), "--prompt", "Yes or no?", "--regex", "Yes|No", "--seed", "5", "--quiet"});
  EXPECT_TRUE(chat.out == "Yes\n" || chat.out == "No\n") << chat.out;
}

// Each example line of docs/constraints.md, as it stands there.
TEST(GrammarCommandTest, TheExamplesOfTheManualRun) {
  std::ifstream manual(test::source_dir() / "docs" / "constraints.md");
  int n = 0;
  for (std::string line; std::getline(manual, line);) {
    if (!line.starts_with("$ ")) continue;
    std::string script = line.substr(2);
    script.replace(script.find("wisp "), 4, "'" WISP_COMMAND "'");
    EXPECT_EQ(std::system(("cd '" WISP_SOURCE_DIR "' && " + script + " >/dev/null 2>&1").c_str()), 0) << line;
    ++n;
  }
  EXPECT_GE(n, 4);
}

}  // namespace
}  // namespace wisp
