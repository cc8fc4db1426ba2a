// wisp chat with functions that the model may call.
#include <gtest/gtest.h>

#include <fstream>
#include <string>

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

}  // namespace
}  // namespace wisp::test
