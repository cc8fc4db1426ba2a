#include "text/chat_template.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "tests/test_data.h"

namespace wisp::text {
namespace {

namespace fs = std::filesystem;
constexpr std::int64_t kGoldenNow = 1'753'531'200;  // 2025-07-26 12:00:00 UTC

std::string read_text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// The golden files: <name>.jinja, <name>.cases.json and the variables of each case.
struct Goldens {
  fs::path folder;
  nlohmann::ordered_json inputs;
  std::vector<std::string> names;
};

std::optional<Goldens> goldens() {
  const std::optional<fs::path> data = test::test_data();
  if (!data) return std::nullopt;
  Goldens made{*data / "templates", {}, {}};
  made.inputs = nlohmann::ordered_json::parse(read_text(made.folder / "inputs.json"));
  for (const auto& file : fs::directory_iterator(made.folder))
    if (file.path().extension() == ".jinja") made.names.push_back(file.path().stem().string());
  std::sort(made.names.begin(), made.names.end());
  return made;
}

TEST(ChatTemplate, RendersEveryGoldenTemplateExactly) {
  const auto data = goldens();
  if (!data) GTEST_SKIP() << "WISP_TEST_DATA is unset";
  int exact = 0;
  int refused = 0;
  for (const std::string& name : data->names) {
    auto parsed = ChatTemplate::parse(read_text(data->folder / (name + ".jinja")));
    ASSERT_TRUE(parsed) << name << ": " << parsed.error().message;
    for (const auto& golden : nlohmann::json::parse(read_text(data->folder / (name + ".cases.json")))) {
      SCOPED_TRACE(name + " / " + golden["case"].get<std::string>());
      auto variables = jinja::parse_json(data->inputs[golden["case"].get<std::string>()].dump());
      ASSERT_TRUE(variables) << variables.error().message;
      const auto text = parsed->render(*variables, kGoldenNow);
      // Two engines made the goldens; where they disagree either may be right.
      const bool other_allowed = golden.contains("llama_cpp");
      if (golden.contains("error")) {
        if (text) {
          EXPECT_TRUE(other_allowed) << "should have failed: " << golden["error"];
          if (other_allowed) EXPECT_EQ(*text, golden["llama_cpp"].get<std::string>());
        } else {
          EXPECT_TRUE(text.error().message.starts_with("line ")) << text.error().message;
        }
        ++refused;
        continue;
      }
      ASSERT_TRUE(text) << text.error().message;
      if (!other_allowed || *text != golden["llama_cpp"].get<std::string>())
        EXPECT_EQ(*text, golden["expected"].get<std::string>());
      ++exact;
    }
  }
  EXPECT_GE(exact, 300);  // the files were really there
  EXPECT_GE(refused, 20);
}

}  // namespace
}  // namespace wisp::text
