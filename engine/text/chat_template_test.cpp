#include "text/chat_template.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "gguf/reader.h"
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

// One edit of a template's text: a piece dropped, doubled, moved here from another template, or a byte changed.
std::string mutate(std::string text, const std::string& other, std::mt19937& random) {
  const auto below = [&](std::size_t n) { return n == 0 ? 0 : random() % n; };
  for (std::size_t edits = 1 + below(4); edits > 0; --edits) {
    const std::size_t at = below(text.size() + 1);
    const std::size_t length = std::min(below(40), text.size() - at);
    switch (random() % 5) {
      case 0: text.erase(at, length); break;
      case 1: text.insert(at, text.substr(at, length)); break;
      case 2: text.insert(at, other.substr(below(other.size()), below(60))); break;
      case 3:
        if (at < text.size()) text[at] = static_cast<char>(random());
        break;
      default: {
        constexpr std::string_view kPieces[] = {
            "{%",   "%}",          "{{", "}}",    "{#",     "-",    "(",     ")",         "[",      "]",
            "|",    ".",           "'",  "endif", "endfor", " is ", " not ", " in ",      "loop",   "[::-1]",
            "none", "99999999999", "~",  "*",     "**",     "%",    "//",    "{% raw %}", "|tojson"};
        text.insert(at, kPieces[below(std::size(kPieces))]);
      }
    }
  }
  return text;
}

// Whatever stands in a template, it renders or is refused with a sentence, within its limits.
TEST(ChatTemplate, SurvivesMutatedTemplates) {
  const auto data = goldens();
  if (!data) GTEST_SKIP() << "WISP_TEST_DATA is unset";
  std::vector<std::string> sources;
  for (const std::string& name : data->names) sources.push_back(read_text(data->folder / (name + ".jinja")));
  std::vector<jinja::Value> inputs;
  for (const auto& input : data->inputs) {
    auto variables = jinja::parse_json(input.dump());
    ASSERT_TRUE(variables);
    inputs.push_back(std::move(*variables));
  }
  std::mt19937 random(20250726);
  const int rounds = test::full_run() ? 40'000 : 4'000;
  int rendered = 0;
  int refused = 0;
  for (int i = 0; i < rounds; ++i) {
    const std::string source = mutate(sources[random() % sources.size()], sources[random() % sources.size()], random);
    const auto parsed = ChatTemplate::parse(source, {.max_steps = 200'000, .max_output_bytes = 1u << 20});
    const auto text = parsed ? parsed->render(inputs[random() % inputs.size()], kGoldenNow)
                             : Result<std::string>(std::unexpected(parsed.error()));
    ++(text ? rendered : refused);
    if (!text) EXPECT_FALSE(text.error().message.empty());
  }
  // Mutations that never parsed, or never mattered, would test nothing.
  EXPECT_GT(rendered, rounds / 20);
  EXPECT_GT(refused, rounds / 20);
}

std::string render_or_die(const ChatTemplate& form, const std::vector<ChatMessage>& messages) {
  const auto text = form.render_chat(messages, true, "<s>", "</s>", kGoldenNow);
  return text ? *text : "error: " + text.error().message;
}

TEST(ChatTemplate, RendersMessages) {
  const auto form = ChatTemplate::parse(
      "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + "
      "'\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}");
  ASSERT_TRUE(form);
  EXPECT_EQ(render_or_die(*form, {{"system", "Be kind."}, {"user", "Hi {{ x }}"}}),
            "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi {{ x }}<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(form->render(jinja::Value::list(), 0).error().code, Code::invalid_argument);
}

// The template of the model that comes with wisp, read from the file's own metadata.
TEST(ChatTemplate, RendersTheShippedModels) {
  auto file = gguf::open_model((test::source_dir() / "models" / "wisp-stories.gguf").string());
  ASSERT_TRUE(file) << file.error().message;
  const auto text = file->metadata.text("tokenizer.chat_template");
  ASSERT_TRUE(text) << text.error().message;
  const auto form = ChatTemplate::parse(std::string(*text));
  ASSERT_TRUE(form) << form.error().message;
  const std::string shown = render_or_die(*form, {{"user", "Tell me a story about a cat."}});
  EXPECT_EQ(shown, "<s><|user|>Tell me a story about a cat.<|end|><|assistant|>");
}

}  // namespace
}  // namespace wisp::text
