// wisp chat with functions that the model may call.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "tests/command.h"
#include "tests/template_model.h"

namespace wisp::test {
namespace {

TEST(CliChatTools, AFileOfToolsIsReadAndRefusedByPlace) {
  const TemporaryFolder folder;
  write_model_with_template(folder / "hermes.gguf", kHermes);
  const auto chat = [&](const std::string& model, const std::string& tools) {
    std::ofstream(folder / "tools.json") << tools;
    return run_program(WISP_COMMAND, {"chat", model, "--tools", folder / "tools.json", "-n", "1", "--greedy", "--json",
                                      "-q", "-p", "Hi"});
  };
  constexpr const char* kTools =
      R"({"tools": [{"type": "function", "function": {"name": "a"}, "command": ["date", "-u"]},
                             {"type": "function", "function": {"name": "b", "parameters": {"type": "object"}}}]})";
  const CommandOutcome fine = chat(folder / "hermes.gguf", kTools);
  EXPECT_EQ(fine.exit_code, 0) << fine.err;
  for (const auto& [text, what] :
       {std::pair{"{}", "JSON list"}, std::pair{"[3]", "tools[0]"},
        std::pair{R"([{"type": "function", "function": {"name": "a"}, "command": "date"}])", "command"},
        std::pair{R"([{"type": "function", "function": {}}])", "no name"}}) {
    const CommandOutcome refused = chat(folder / "hermes.gguf", text);
    EXPECT_EQ(refused.exit_code, 1) << text;
    EXPECT_NE(refused.err.find(what), std::string::npos) << refused.err;
  }
  const CommandOutcome unknowing = chat((source_dir() / "models/wisp-stories.gguf").string(), kTools);
  EXPECT_EQ(unknowing.exit_code, 1);
  EXPECT_NE(unknowing.err.find("knows no tools"), std::string::npos) << unknowing.err;
}

// A model that has to call does, whatever it was trained for.
TEST(CliChatTools, AProgramAnswersACallAndTheModelGoesOn) {
  const TemporaryFolder folder;
  write_model_with_template(folder / "hermes.gguf", kHermes);
  const auto chat =
      [&](const std::string& command, const std::string& input, std::vector<std::string> more = {}) {
        std::ofstream(folder / "tools.json")
            << R"([{"type": "function", "function": {"name": "look", "parameters": {"type": "object",
        "properties": {"n": {"enum": [7]}}, "required": ["n"], "additionalProperties": false}})"
            << command << "}]";
        std::vector<std::string> arguments = {"chat",
                                              folder / "hermes.gguf",
                                              "--tools",
                                              folder / "tools.json",
                                              "--tool-choice",
                                              "required",
                                              "--greedy",
                                              "-n",
                                              "160",
                                              "--json",
                                              "-q"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run_program(WISP_COMMAND, arguments, input);
      };
  const auto lines = [](const CommandOutcome& outcome) {
    std::vector<nlohmann::json> made;
    std::istringstream in(outcome.out);
    for (std::string line; std::getline(in, line);) made.push_back(nlohmann::json::parse(line));
    return made;
  };
  const std::string saved = folder / "talk.json";
  const auto result_of = [&](const std::string& command) {
    const CommandOutcome outcome = chat(R"(, "command": )" + command, "Hi\n/save " + saved + "\n");
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    const auto answers = lines(outcome);
    EXPECT_EQ(answers.size(), 2u) << outcome.out << outcome.err;
    EXPECT_EQ(nlohmann::json::parse(answers[0]["tool_calls"][0]["function"]["arguments"].get<std::string>()),
              nlohmann::json({{"n", 7}}));
    const auto messages = nlohmann::json::parse(std::ifstream(saved))["messages"];
    EXPECT_EQ(messages.size(), 4u) << messages;
    EXPECT_EQ(messages[2]["role"], "tool");
    return messages[2]["content"].get<std::string>();
  };
  EXPECT_EQ(nlohmann::json::parse(result_of(R"(["cat"])")), nlohmann::json({{"n", 7}}));
  EXPECT_EQ(result_of(R"(["printf", "%s", "x y"])"), "x y") << "it may leave its input unread";
  EXPECT_NE(result_of(R"(["sh", "-c", "echo why >&2; exit 3"])").find("ended with status 3. why"), std::string::npos);
  EXPECT_NE(result_of(R"(["/no/such/program"])").find("could not be started"), std::string::npos);
  EXPECT_NE(result_of(R"(["sh", "-c", "yes"])").find("printed more than"), std::string::npos);
  EXPECT_NE(result_of(R"(["sh", "-c", "kill -9 $$"])").find("signal 9"), std::string::npos);

  // Without a program the next line answers, and goes on.
  const CommandOutcome asked = chat("", "Hi\nnine <|end|>\n/save " + saved + "\n");
  ASSERT_EQ(lines(asked).size(), 2u) << asked.out << asked.err;
  const auto messages = nlohmann::json::parse(std::ifstream(saved))["messages"];
  EXPECT_EQ(messages[2]["content"], "nine <|end|>");
  EXPECT_EQ(messages[3]["role"], "assistant");
  const CommandOutcome again = chat("", "/load " + saved + "\nHi\n");
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(again.err.find("not a saved"), std::string::npos) << again.err;
  std::ofstream(folder / "any.gbnf") << "root ::= [a-z]+";
  EXPECT_EQ(chat("", "Hi\n", {"--grammar", folder / "any.gbnf"}).exit_code, 2) << "it would be calls, too";

  // What is not a call has the form that was asked for: here the answer behind the result.
  const std::string ids = run_program(WISP_COMMAND, {"tokenize", folder / "hermes.gguf", "--text", "<", "--json"}).out;
  const auto mark = nlohmann::json::parse(ids)["ids"].back().get<int>();
  const CommandOutcome formed = chat(R"(, "command": ["echo", "1"])", "Hi\n",
                                     {"--regex", "[qz]{3}", "--logit-bias", std::to_string(mark) + "=-90"});
  ASSERT_EQ(lines(formed).size(), 2u) << formed.out << formed.err;
  EXPECT_EQ(lines(formed)[0]["tool_calls"].size(), 1u);
  const nlohmann::json last = lines(formed)[1];
  EXPECT_TRUE(std::regex_match(last["text"].get<std::string>(), std::regex("[qz]{3}"))) << last;
}

}  // namespace
}  // namespace wisp::test
