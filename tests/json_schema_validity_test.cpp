// Texts that are generated under random schemas, by a model that knows nothing, against Python's jsonschema.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "gguf/reader.h"
#include "tests/command.h"
#include "tests/engine_harness.h"
#include "tests/random_schema.h"
#include "tests/test_data.h"
#include "text/grammar/compile.h"
#include "text/grammar/constraint.h"
#include "text/vocabulary.h"

namespace wisp {
namespace {

using test::expect_value;
using text::grammar::Constraint;

class JsonSchemaValidityTest : public testing::Test {
 protected:
  JsonSchemaValidityTest() {
    const auto path = test::source_dir() / "models/wisp-stories.gguf";
    const gguf::File file = expect_value(gguf::open_model(path.string()));
    tokenizer_ = expect_value(text::Tokenizer::create(expect_value(text::read_vocabulary(file.metadata))));
    trie_ = std::make_shared<const text::grammar::TokenTrie>(*tokenizer_);
  }

  // Any allowed token, later one that leads to an end. "" when the text did not end.
  std::string generate(Constraint constraint, std::mt19937& random) {
    constexpr int kPatience = 60, kMost = 2000;
    std::string text;
    for (int n = 0; n < kMost && !constraint.finished(); ++n) {
      const auto forced = constraint.forced();
      if (!forced) return {};
      std::vector<TokenId> run(forced->begin(), forced->end());
      if (run.empty()) {
        const TokenId token = choose(expect_value(constraint.mask()), n > kPatience, random);
        if (tokenizer_->vocabulary().is_end(token)) return text;
        run.push_back(token);
      }
      for (const TokenId token : run) {
        expect_accepted(constraint.accept(token));
        text += tokenizer_->token_bytes(token, false);
      }
    }
    return constraint.finished() ? text : std::string();
  }
  static void expect_accepted(const Status& status) { EXPECT_TRUE(status) << status.error().message; }

  TokenId choose(std::span<const std::uint32_t> mask, bool hurries, std::mt19937& random) const {
    std::vector<TokenId> allowed;
    for (TokenId id = 0; id < tokenizer_->vocabulary().size(); ++id) {
      const auto i = static_cast<std::size_t>(id);
      if ((mask[i / 32] >> (i % 32) & 1u) != 0) allowed.push_back(id);
    }
    if (hurries || random() % 4 == 0) {
      for (const std::string_view end : {"", "\"", "]", "}"}) {
        for (const TokenId id : allowed) {
          if (tokenizer_->token_bytes(id, false) == end) return id;  // an end token has no text
        }
      }
    }
    if (hurries) {  // the shortest: what is asked for, without ornaments
      return *std::ranges::min_element(allowed, {},
                                       [&](TokenId id) { return tokenizer_->token_bytes(id, false).size(); });
    }
    return allowed.at(random() % allowed.size());
  }

  std::unique_ptr<text::Tokenizer> tokenizer_;
  std::shared_ptr<const text::grammar::TokenTrie> trie_;
};

TEST_F(JsonSchemaValidityTest, EveryOutputValidates) {
  if (std::system("python3 -c 'import jsonschema' >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "Python's jsonschema is not there (Debian's python3-jsonschema)";
  }
  const int n_schemas = test::full_run() ? 1000 : 120;
  const test::TemporaryFolder folder;
  std::ofstream cases(folder / "cases.jsonl");
  std::mt19937 random(5);
  int finished = 0, refused = 0;
  for (int i = 0; i < n_schemas; ++i) {
    const nlohmann::ordered_json schema = test::RandomSchema(static_cast<std::uint32_t>(i)).make();
    auto grammar =
        text::grammar::compile_grammar(text::grammar::Notation::json_schema, schema.dump(), *tokenizer_, trie_);
    if (!grammar) {
      refused += 1;
      ASSERT_TRUE(grammar.error().message.contains("no text can ever match")) << schema << grammar.error().message;
      continue;
    }
    for (int n = 0; n < 2; ++n) {
      const std::string text = generate(expect_value(Constraint::create(*grammar)), random);
      if (text.empty()) continue;
      finished += 1;
      cases << nlohmann::json{{"schema", schema}, {"text", text}}.dump() << "\n";
    }
  }
  cases.close();
  EXPECT_GT(finished, n_schemas);
  EXPECT_LT(refused, n_schemas / 10);
  const std::string script = (test::source_dir() / "tests/validate_json.py").string();
  EXPECT_EQ(std::system(("python3 '" + script + "' '" + folder / "cases.jsonl" + "'").c_str()), 0);
}

TEST_F(JsonSchemaValidityTest, TheValidatorSeesAWrongText) {
  if (std::system("python3 -c 'import jsonschema' >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "Python's jsonschema is not there (Debian's python3-jsonschema)";
  }
  const test::TemporaryFolder folder;
  std::ofstream(folder / "cases.jsonl") << R"({"schema": {"type": "integer"}, "text": "1.5"})" << "\n";
  const std::string script = (test::source_dir() / "tests/validate_json.py").string();
  const int status = std::system(("python3 '" + script + "' '" + folder / "cases.jsonl" + "' >/dev/null").c_str());
  EXPECT_EQ(WEXITSTATUS(status), 1);
}

}  // namespace
}  // namespace wisp
