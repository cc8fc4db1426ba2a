#include "text/vocabulary.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>

#include "base/log.h"
#include "gguf/reader.h"
#include "tests/test_data.h"
#include "text/tokenizer.h"

namespace wisp::text {
namespace {

using gguf::Array;
using gguf::Metadata;
using gguf::Value;
using gguf::ValueType;

Value text_value(std::string text) { return {ValueType::string, std::move(text)}; }
Value id_value(std::uint64_t id) { return {ValueType::u32, id}; }
Value array_value(Array array) { return {ValueType::array, std::make_shared<Array>(std::move(array))}; }
Value strings(std::vector<std::string> texts) { return array_value({ValueType::string, std::move(texts), {}, {}}); }
Value integers(std::vector<std::int64_t> numbers) { return array_value({ValueType::i32, {}, std::move(numbers), {}}); }
Value floats(std::vector<double> numbers) { return array_value({ValueType::f32, {}, {}, std::move(numbers)}); }

// <unk> <s> </s> a b ab
Metadata small_spm() {
  Metadata metadata;
  metadata.set("tokenizer.ggml.model", text_value("llama"));
  metadata.set("tokenizer.ggml.tokens", strings({"<unk>", "<s>", "</s>", "a", "b", "ab"}));
  metadata.set("tokenizer.ggml.scores", floats({0, 0, 0, -1, -2, -3}));
  metadata.set("tokenizer.ggml.token_type", integers({2, 3, 3, 1, 1, 1}));
  return metadata;
}

Metadata small_bpe() {
  Metadata metadata;
  metadata.set("tokenizer.ggml.model", text_value("gpt2"));
  metadata.set("tokenizer.ggml.pre", text_value("qwen2"));
  metadata.set("tokenizer.ggml.tokens", strings({"a", "b", "ab", "<|im_end|>"}));
  metadata.set("tokenizer.ggml.merges", strings({"a b"}));
  metadata.set("tokenizer.ggml.token_type", integers({1, 1, 1, 3}));
  return metadata;
}

std::string refusal(const Metadata& metadata) {
  const Result<Vocabulary> vocabulary = read_vocabulary(metadata);
  return vocabulary ? "accepted" : vocabulary.error().message;
}

// The metadata with one key replaced.
Metadata with(Metadata metadata, const std::string& key, Value value) {
  metadata.set(key, std::move(value));
  return metadata;
}

TEST(Vocabulary, DefaultsOfSpm) {
  const Vocabulary vocabulary = read_vocabulary(small_spm()).value();
  EXPECT_EQ(vocabulary.bos, 1);
  EXPECT_EQ(vocabulary.eos, 2);
  EXPECT_EQ(vocabulary.unk, 0);
  EXPECT_TRUE(vocabulary.add_bos && !vocabulary.add_eos && vocabulary.add_space_prefix);
  EXPECT_EQ(vocabulary.end_of_generation, std::vector<TokenId>{2});
  EXPECT_TRUE(vocabulary.is_end(2));
  EXPECT_FALSE(vocabulary.is_end(1));
}

TEST(Vocabulary, DefaultsOfBpe) {
  const Vocabulary qwen = read_vocabulary(small_bpe()).value();
  EXPECT_FALSE(qwen.bos || qwen.eos || qwen.add_bos || qwen.add_space_prefix);
  EXPECT_EQ(qwen.end_of_generation, std::vector<TokenId>{3});
  EXPECT_TRUE(read_vocabulary(with(small_bpe(), "tokenizer.ggml.pre", text_value("llama-bpe")))->add_bos);
}

TEST(Vocabulary, EndsAreIdsAndKnownTexts) {
  Metadata metadata = small_spm();
  metadata.set("tokenizer.ggml.tokens", strings({"<unk>", "<s>", "</s>", "<|end|>", "b", "<end_of_turn>"}));
  metadata.set("tokenizer.ggml.eot_token_id", id_value(4));
  const Vocabulary vocabulary = read_vocabulary(metadata).value();
  EXPECT_EQ(vocabulary.end_of_generation, (std::vector<TokenId>{2, 3, 4, 5}));
  EXPECT_EQ(vocabulary.kinds[3], TokenKind::control);  // normal in the file
  // gpt-oss closes messages with <|end|>, and answers with <|return|>.
  metadata.set("tokenizer.ggml.tokens", strings({"<unk>", "<s>", "</s>", "<|end|>", "b", "<|return|>"}));
  EXPECT_EQ(read_vocabulary(metadata)->end_of_generation, (std::vector<TokenId>{2, 4, 5}));
}

TEST(Vocabulary, DefaultsOfTheOtherModels) {
  const Vocabulary bert = read_vocabulary(with(small_spm(), "tokenizer.ggml.model", text_value("bert"))).value();
  EXPECT_TRUE(bert.add_bos && bert.add_sep && !bert.add_eos && !bert.add_space_prefix);
  EXPECT_TRUE(bert.lowercase && bert.strip_accents);
  EXPECT_FALSE(bert.bos || bert.sep || bert.unk);  // the usual ids are outside
  const Vocabulary t5 = read_vocabulary(with(small_spm(), "tokenizer.ggml.model", text_value("t5"))).value();
  EXPECT_TRUE(!t5.add_bos && t5.add_eos && !t5.add_space_prefix && !t5.lowercase);
  EXPECT_EQ(t5.eos, 1);
  const Vocabulary gemma = read_vocabulary(with(small_bpe(), "tokenizer.ggml.model", text_value("gemma4"))).value();
  EXPECT_EQ(gemma.pre, "gemma4");
  EXPECT_TRUE(gemma.add_bos);
  Metadata denied = with(small_bpe(), "tokenizer.ggml.model", text_value("gemma4"));
  denied.set("tokenizer.ggml.add_bos_token", Value{ValueType::boolean, false});
  EXPECT_TRUE(read_vocabulary(denied)->add_bos);
  const Vocabulary rwkv = read_vocabulary(with(small_spm(), "tokenizer.ggml.model", text_value("rwkv"))).value();
  EXPECT_FALSE(rwkv.add_bos || rwkv.add_eos || rwkv.bos);
  Metadata cased = with(small_spm(), "tokenizer.ggml.model", text_value("bert"));
  cased.set("tokenizer.ggml.normalizer.lowercase", Value{ValueType::boolean, false});
  EXPECT_FALSE(read_vocabulary(cased)->lowercase || read_vocabulary(cased)->strip_accents);
  Metadata kimi = with(small_bpe(), "tokenizer.ggml.pre", text_value("kimi-k2"));
  EXPECT_TRUE(read_vocabulary(kimi));
}

TEST(Vocabulary, TokensThatSwallowWhiteSpaceAreKnownByName) {
  const auto tokens = strings({"<unk>", "<s>", "</s>", "<mask>", "b", "ab"});
  Metadata nomic = with(small_spm(), "tokenizer.ggml.tokens", tokens);
  nomic.set("general.architecture", text_value("nomic-bert-moe"));
  EXPECT_EQ(read_vocabulary(nomic)->strip_before, std::vector<TokenId>{3});
  Metadata phi = with(small_spm(), "general.name", text_value("Phi-3 mini"));
  EXPECT_EQ(read_vocabulary(phi)->strip_after, std::vector<TokenId>{2});
  EXPECT_TRUE(read_vocabulary(phi)->strip_before.empty());
}

TEST(Vocabulary, ScoresMayBeIntegers) {
  const Vocabulary vocabulary =
      read_vocabulary(with(small_spm(), "tokenizer.ggml.scores", integers({0, 0, 0, -1, -2, -3}))).value();
  EXPECT_EQ(vocabulary.scores[5], -3.0f);
}

TEST(Vocabulary, InGemma4ATagEndsNothing) {
  const Metadata metadata =
      with(small_spm(), "tokenizer.ggml.tokens", strings({"<unk>", "<eos>", "</s>", "<|tool_response>", "b", "ab"}));
  const Vocabulary vocabulary = read_vocabulary(with(metadata, "tokenizer.ggml.eos_token_id", id_value(1))).value();
  EXPECT_EQ(vocabulary.end_of_generation, (std::vector<TokenId>{1, 3}));
  EXPECT_EQ(vocabulary.kinds[2], TokenKind::normal);
}

TEST(Vocabulary, RefusesByName) {
  EXPECT_EQ(refusal(Metadata()), "metadata key 'tokenizer.ggml.model' is missing");
  EXPECT_EQ(refusal(with(small_spm(), "tokenizer.ggml.model", text_value("bart"))),
            "tokenizer model 'bart' is not known; known are llama (SentencePiece), gpt2, gemma4 and whitespace (BPE), "
            "bert (WordPiece), t5 (unigram) and rwkv");
  EXPECT_EQ(refusal(with(small_spm(), "tokenizer.ggml.model", text_value("no_vocab"))),
            "the file has no tokenizer (its tokenizer model is 'no_vocab')");
  EXPECT_EQ(refusal(with(small_spm(), "tokenizer.ggml.scores", floats({1, 2}))),
            "metadata key 'tokenizer.ggml.scores' has 2 entries, but there are 6 tokens");
  EXPECT_EQ(refusal(with(small_spm(), "tokenizer.ggml.scores", floats({0, 0, 0, NAN, 0, 0}))),
            "metadata key 'tokenizer.ggml.scores': the score of token 3 is not a number");
  EXPECT_EQ(refusal(with(small_spm(), "tokenizer.ggml.token_type", integers({1}))),
            "metadata key 'tokenizer.ggml.token_type' has 1 entries, but there are 6 tokens");
  EXPECT_EQ(refusal(with(small_spm(), "tokenizer.ggml.token_type", integers({2, 3, 3, 1, 1, 7}))),
            "metadata key 'tokenizer.ggml.token_type': token 5 has type 7, expected 0 to 6");
  EXPECT_EQ(refusal(with(small_spm(), "tokenizer.ggml.tokens", integers({1, 2}))),
            "metadata key 'tokenizer.ggml.tokens' is an array of i32, expected strings");
  EXPECT_EQ(refusal(with(small_spm(), "tokenizer.ggml.tokens", strings({}))),
            "metadata key 'tokenizer.ggml.tokens' is empty");
  EXPECT_EQ(refusal(with(small_bpe(), "tokenizer.ggml.merges", strings({"a b", "ab"}))),
            "metadata key 'tokenizer.ggml.merges': entry 1 is 'ab', expected two parts and a space between");
  EXPECT_NE(refusal(with(small_spm(), "tokenizer.ggml.bos_token_id", text_value("1"))), "accepted");
  EXPECT_EQ(refusal(with(small_spm(), "tokenizer.ggml.scores", strings({"", "", "", "", "", ""}))),
            "metadata key 'tokenizer.ggml.scores' is an array of string, expected numbers");
  EXPECT_EQ(refusal(with(small_spm(), "tokenizer.ggml.precompiled_charsmap", integers({1}))),
            "metadata key 'tokenizer.ggml.precompiled_charsmap' is an array of i32, expected bytes");
}

std::string last_warning;

TEST(Vocabulary, AnIdOutsideIsIgnoredWithAWarning) {
  last_warning.clear();
  set_log_sink([](LogLevel, std::string_view text) { last_warning = text; });
  const Vocabulary vocabulary = read_vocabulary(with(small_spm(), "tokenizer.ggml.bos_token_id", id_value(6))).value();
  set_log_sink(nullptr);
  EXPECT_FALSE(vocabulary.bos);
  EXPECT_EQ(last_warning, "metadata key 'tokenizer.ggml.bos_token_id' is 6, but the vocabulary has 6 tokens; ignored");
}

TEST(Vocabulary, UnknownPretokenizerIsRefusedWithTheKnownOnes) {
  const auto tokenizer =
      Tokenizer::create(read_vocabulary(with(small_bpe(), "tokenizer.ggml.pre", text_value("nonesuch"))).value());
  ASSERT_FALSE(tokenizer);
  EXPECT_EQ(tokenizer.error().code, Code::unsupported);
  EXPECT_TRUE(tokenizer.error().message.starts_with("pre-tokenizer 'nonesuch' is not known; known are default, gpt-2"));
}

TEST(Vocabulary, ByteTokenTexts) {
  EXPECT_EQ(byte_token_value("<0x0A>"), 0x0A);
  EXPECT_EQ(byte_token_value("<0xfF>"), 0xFF);
  for (const char* text : {"<0x0>", "<0x0G>", "<0x-1>", "<0x0A", "0x0A", "<0x00A>"})
    EXPECT_FALSE(byte_token_value(text));
}

// Vocabularies of random texts, kinds, scores and merges: refused, or a tokenizer that answers.
TEST(Vocabulary, HostileVocabularies) {
  std::mt19937 random(5);
  const auto below = [&](std::size_t n) { return random() % n; };
  constexpr const char* models[] = {"llama", "gpt2", "bert", "t5", "rwkv", "gemma4", "whitespace"};
  constexpr const char* schemes[] = {"llama-bpe", "default", "gpt-4o", "kimi-k2"};
  int made = 0;
  for (int round = 0; round < 4000; ++round) {
    const auto text = [&] {
      constexpr std::string_view likely = "ab  <0x>\u2581\u0120\xE2\x96\xFF\n1F";
      std::string out;
      for (auto n = below(8); n > 0; --n) out += likely[below(likely.size())];
      return out;
    };
    Array tokens{ValueType::string, {}, {}, {}}, merges{ValueType::string, {}, {}, {}};
    Array kinds{ValueType::i32, {}, {}, {}}, scores{ValueType::f32, {}, {}, {}};
    for (auto n = 1 + below(30); n > 0; --n) {
      tokens.strings.push_back(text());
      kinds.integers.push_back(static_cast<std::int64_t>(below(7)));
      scores.floats.push_back(below(20) == 0 ? INFINITY : static_cast<double>(below(9)) - 4);
    }
    for (auto n = below(20); n > 0; --n) merges.strings.push_back("a" + text() + " " + text() + "b");
    Metadata metadata;
    metadata.set("tokenizer.ggml.model", text_value(models[below(std::size(models))]));
    metadata.set("tokenizer.ggml.pre", text_value(schemes[below(std::size(schemes))]));
    metadata.set("tokenizer.ggml.tokens", array_value(std::move(tokens)));
    metadata.set("tokenizer.ggml.token_type", array_value(std::move(kinds)));
    if (below(2) == 0) metadata.set("tokenizer.ggml.scores", array_value(std::move(scores)));
    metadata.set("tokenizer.ggml.merges", array_value(std::move(merges)));
    for (const char* key : {"bos", "eos", "unknown"}) {
      metadata.set(fmt::format("tokenizer.ggml.{}_token_id", key), id_value(below(29)));
    }
    set_log_sink([](LogLevel, std::string_view) {});
    Result<Vocabulary> vocabulary = read_vocabulary(metadata);
    set_log_sink(nullptr);
    if (!vocabulary) continue;
    const auto tokenizer = Tokenizer::create(std::move(*vocabulary)).value();
    std::string input;
    for (auto n = below(20); n > 0; --n) input += text();
    const auto ids = tokenizer->encode(input, {.add_special = true, .parse_special = true}).value();
    for (const TokenId id : ids) {
      ASSERT_TRUE(id >= 0 && id < tokenizer->vocabulary().size());
    }
    ++made;
  }
  EXPECT_GT(made, 1000);
}

// The vocabulary faults among the malformed files; true: accepted.
TEST(Vocabulary, MalformedFiles) {
  const auto data = test::test_data();
  if (!data) GTEST_SKIP() << "WISP_TEST_DATA is not set";
  const std::map<std::string, bool> expected = {
      {"ok-base", true},      {"tokens-u32", false}, {"tokens-missing", false},    {"scores-short", false},
      {"types-short", false}, {"tok-dup", true},     {"tok-model-unknown", false}, {"tok-bad-utf8", true},
      {"bos-range", true},    {"bos-str", false},
  };
  for (const auto& [name, accepted] : expected) {
    const auto file = gguf::open_model((*data / "malformed" / (name + ".gguf")).string());
    ASSERT_TRUE(file) << name;
    Result<Vocabulary> vocabulary = read_vocabulary(file->metadata);
    EXPECT_EQ(vocabulary.has_value(), accepted) << name;
    if (!vocabulary) continue;
    const auto tokenizer = Tokenizer::create(std::move(*vocabulary));
    ASSERT_TRUE(tokenizer) << name;
    EXPECT_TRUE((*tokenizer)->encode("Once upon a time", {.add_special = true})) << name;
  }
}

}  // namespace
}  // namespace wisp::text
