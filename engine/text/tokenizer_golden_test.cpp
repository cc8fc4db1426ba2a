// Tokenizers against what llama.cpp gave for the same vocabularies: ids exactly, and back to bytes.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/base64.h"
#include "gguf/reader.h"
#include "tests/test_data.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace wisp::text {
namespace {

using nlohmann::json;

std::unique_ptr<Tokenizer> open_tokenizer(const std::filesystem::path& path) {
  Result<gguf::File> file = gguf::open_model(path.string());
  if (!file) throw std::runtime_error(file.error().message);
  Result<Vocabulary> vocabulary = read_vocabulary(file->metadata);
  if (!vocabulary) throw std::runtime_error(vocabulary.error().message);
  Result<std::unique_ptr<Tokenizer>> tokenizer = Tokenizer::create(std::move(*vocabulary));
  if (!tokenizer) throw std::runtime_error(tokenizer.error().message);
  return std::move(*tokenizer);
}

std::vector<json> read_lines(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::vector<json> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(json::parse(line));
  return lines;
}

std::string bytes_of(const json& line, const char* key) {
  return cli::decode_base64(line.at(key).get<std::string>()).value();
}

std::vector<TokenId> encode(const Tokenizer& tokenizer, std::string_view text, EncodeOptions options = {}) {
  return tokenizer.encode(text, options).value();
}

// Inputs that are not UTF-8 where we answer otherwise than llama.cpp: it decodes the overlong form C0 AF as a slash
// (byte-level BPE, WordPiece), and lets a truncated sequence swallow the space behind it, which comes back as U+2581
// (SPM).
bool chosen_otherwise(const Tokenizer& tokenizer, const std::string& text) {
  return text == (tokenizer.vocabulary().model == TokenizerModel::spm ? "hello \xE4\xBD world" : "\xC0\xAF");
}

class TokenizerGolden : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const auto data = test::test_data();
    if (!data) GTEST_SKIP() << "WISP_TEST_DATA is not set";
    folder_ = *data / "tokenizer";
    tokenizer_ = open_tokenizer(folder_ / (std::string(GetParam()) + ".gguf"));
  }
  std::filesystem::path folder_;
  std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_P(TokenizerGolden, Cases) {
  int compared = 0;
  for (const json& line : read_lines(folder_ / (std::string(GetParam()) + ".cases.jsonl"))) {
    const std::string text = bytes_of(line, "text_b64");
    if (chosen_otherwise(*tokenizer_, text)) continue;
    const EncodeOptions options = {line.at("add_special").get<bool>(), line.at("parse_special").get<bool>()};
    const auto expected = line.at("ids").get<std::vector<TokenId>>();
    EXPECT_EQ(encode(*tokenizer_, text, options), expected) << line.dump();
    std::string pieces;
    for (const TokenId id : expected) pieces += tokenizer_->token_bytes(id, true);
    EXPECT_EQ(pieces, bytes_of(line, "pieces_b64")) << line.dump();
    EXPECT_EQ(tokenizer_->decode(expected), pieces);
    ++compared;
  }
  EXPECT_GT(compared, 170);
}

TEST_P(TokenizerGolden, OwnTestLines) {
  const std::string name = std::string(GetParam()) + ".gguf";
  if (!std::filesystem::exists(folder_ / (name + ".inp"))) GTEST_SKIP() << "llama.cpp has none for this vocabulary";
  std::stringstream inputs;
  inputs << std::ifstream(folder_ / (name + ".inp"), std::ios::binary).rdbuf();
  const std::string all = inputs.str();
  const std::string separator = "\n__ggml_vocab_test__\n";
  std::ifstream outputs(folder_ / (name + ".out"));
  std::size_t at = 0;
  int compared = 0;
  for (std::string line; at < all.size() && std::getline(outputs, line); ++compared) {
    const std::size_t end = std::min(all.find(separator, at), all.size());
    std::istringstream numbers(line);
    const std::vector<TokenId> expected{std::istream_iterator<TokenId>(numbers), {}};
    EXPECT_EQ(encode(*tokenizer_, all.substr(at, end - at)), expected) << all.substr(at, end - at);
    at = end + separator.size();
  }
  EXPECT_GT(compared, 40);
}

// However tokens cut characters, the stream is the text with what is not UTF-8 replaced.
TEST_P(TokenizerGolden, StreamsAreWholeCharacters) {
  for (const json& line : read_lines(folder_ / (std::string(GetParam()) + ".cases.jsonl"))) {
    const auto ids = line.at("ids").get<std::vector<TokenId>>();
    StreamDecoder stream(*tokenizer_, true);
    std::string text;
    for (const TokenId id : ids) {
      const std::string part = stream.push(id);
      EXPECT_TRUE(is_utf8(part)) << line.dump();
      text += part;
    }
    text += stream.flush();
    EXPECT_EQ(text, replace_invalid_utf8(tokenizer_->decode(ids), Replace::piece)) << line.dump();
  }
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, TokenizerGolden,
                         testing::Values("llama-spm", "phi-3", "llama-bpe", "gpt-2", "qwen2", "mpt", "gpt-neox",
                                         "falcon", "starcoder", "refact", "deepseek-coder", "deepseek-llm", "bert-bge"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(TokenizerModels, PromptsOfTheLogitReferences) {
  const auto data = test::test_data();
  if (!data) GTEST_SKIP() << "WISP_TEST_DATA is not set";
  int compared = 0;
  for (const auto& entry : std::filesystem::directory_iterator(*data / "logits")) {
    if (entry.path().extension() != ".json") continue;
    const json reference = json::parse(std::ifstream(entry.path()));
    if (!reference.contains("prompt") || reference.at("prompt").is_null()) continue;
    const auto tokenizer = open_tokenizer(*data / reference.at("model").get<std::string>());
    const auto ids = reference.at("tokens").get<std::vector<TokenId>>();
    EXPECT_EQ(encode(*tokenizer, reference.at("prompt").get<std::string>(), {.add_special = true}), ids)
        << entry.path();
    if (reference.contains("greedy_text")) {
      std::string text;  // there without control tokens
      for (const TokenId id : reference.at("greedy").get<std::vector<TokenId>>()) {
        text += tokenizer->token_bytes(id, false);
      }
      EXPECT_EQ(text, reference.at("greedy_text").get<std::string>()) << entry.path();
    }
    ++compared;
  }
  EXPECT_GE(compared, 2);
}

TEST(TokenizerModels, ShippedModel) {
  const auto data = test::test_data();
  if (!data) GTEST_SKIP() << "WISP_TEST_DATA is not set";
  const auto tokenizer = open_tokenizer(test::source_dir() / "models" / "wisp-stories.gguf");
  int compared = 0;
  for (const json& line : read_lines(*data / "shipped" / "expected.jsonl")) {
    const auto ids = line.at("ids").get<std::vector<TokenId>>();
    const std::string prompt = line.at("prompt").get<std::string>();
    EXPECT_EQ(encode(*tokenizer, prompt, {.parse_special = true}), ids) << prompt;
    EXPECT_EQ(tokenizer->decode(ids), prompt);
    ++compared;
  }
  EXPECT_GE(compared, 3);
}

}  // namespace
}  // namespace wisp::text
