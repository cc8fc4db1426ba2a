#include "text/unigram.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "cli/base64.h"
#include "tests/test_data.h"
#include "text/test_vocabulary.h"
#include "text/utf8.h"

namespace wisp::text {
namespace {

using test::add_token;
using test::encode;
using test::Ids;
using test::make_tokenizer;

// 0 <pad>, 1 </s>, 2 <unk>, then what a test adds.
Vocabulary small_unigram() {
  Vocabulary vocabulary;
  vocabulary.model = TokenizerModel::unigram;
  add_token(vocabulary, "<pad>", TokenKind::control);
  vocabulary.eos = add_token(vocabulary, "</s>", TokenKind::control);
  vocabulary.unk = add_token(vocabulary, "<unk>", TokenKind::unknown);
  vocabulary.add_eos = true;
  vocabulary.add_space_prefix = true;
  vocabulary.remove_extra_whitespaces = true;
  return vocabulary;
}

TEST(Unigram, TakesTheBestSumNotTheLongestToken) {
  Vocabulary vocabulary = small_unigram();
  const TokenId space = add_token(vocabulary, "\u2581", TokenKind::normal, -2);
  const TokenId ab = add_token(vocabulary, "ab", TokenKind::normal, -1);
  const TokenId abc = add_token(vocabulary, "abc", TokenKind::normal, -6);
  const TokenId c = add_token(vocabulary, "c", TokenKind::normal, -2);
  const TokenId cd = add_token(vocabulary, "cd", TokenKind::normal, -1);
  const auto tokenizer = make_tokenizer(vocabulary);
  EXPECT_EQ(encode(*tokenizer, "abc"), (Ids{space, ab, c}));  // -3 and not -6
  EXPECT_EQ(encode(*tokenizer, "abcd"), (Ids{space, ab, cd}));
  EXPECT_EQ(encode(*tokenizer, "  ab   ab "), (Ids{space, ab, space, ab}));
  EXPECT_EQ(encode(*tokenizer, "ab", {.add_special = true}), (Ids{space, ab, 1}));
  EXPECT_EQ(encode(*tokenizer, "abx\u4E2Dyab"), (Ids{space, ab, 2, ab}));  // one for a run of unknown characters
  EXPECT_EQ(encode(*tokenizer, ""), Ids{});
  EXPECT_EQ(encode(*tokenizer, "   "), Ids{});
  EXPECT_EQ(tokenizer->decode({space, abc, space, c}), " abc c");
}

TEST(Unigram, AnUnknownCharacterCostsTenMoreThanTheWorstToken) {
  Vocabulary vocabulary = small_unigram();
  vocabulary.add_space_prefix = vocabulary.remove_extra_whitespaces = false;
  const TokenId a = add_token(vocabulary, "a", TokenKind::normal, -1);
  const TokenId ax = add_token(vocabulary, "ax", TokenKind::normal, -30);
  EXPECT_EQ(encode(*make_tokenizer(vocabulary), "ax"), (Ids{ax}));  // a and unknown: -1 - 40
  add_token(vocabulary, "axyz", TokenKind::normal, -45);
  vocabulary.scores[static_cast<std::size_t>(ax)] = -60;
  const auto tokenizer = make_tokenizer(vocabulary);
  EXPECT_EQ(encode(*tokenizer, "ax"), (Ids{ax}));
  vocabulary.scores[static_cast<std::size_t>(ax)] = -1000;
  vocabulary.kinds[static_cast<std::size_t>(ax)] = TokenKind::unused;  // it can be taken, but counts for no minimum
  EXPECT_EQ(encode(*make_tokenizer(vocabulary), "ax"), (Ids{a, 2}));
}

TEST(Unigram, UserDefinedTokensCostNothing) {
  Vocabulary vocabulary = small_unigram();
  const TokenId space = add_token(vocabulary, "\u2581", TokenKind::normal, -1);
  const TokenId mask = add_token(vocabulary, "<mask>", TokenKind::user_defined, -50);
  vocabulary.strip_before = {mask};
  const TokenId a = add_token(vocabulary, "a", TokenKind::normal, -1);
  const auto tokenizer = make_tokenizer(vocabulary);
  EXPECT_EQ(encode(*tokenizer, "a  <mask> a"), (Ids{space, a, mask, space, a}));
}

TEST(Unigram, BytesStandInForUnknownCharacters) {
  Vocabulary vocabulary = small_unigram();
  vocabulary.add_space_prefix = vocabulary.remove_extra_whitespaces = false;
  for (int byte = 0; byte < 256; ++byte) add_token(vocabulary, fmt::format("<0x{:02X}>", byte), TokenKind::byte);
  const TokenId a = add_token(vocabulary, "a", TokenKind::normal, -1);
  const auto tokenizer = make_tokenizer(vocabulary);
  EXPECT_EQ(encode(*tokenizer, "a\u00E9"), (Ids{a, 3 + 0xC3, 3 + 0xA9}));
  EXPECT_EQ(tokenizer->decode({a, 3 + 0xC3, 3 + 0xA9}), "a\u00E9");
  EXPECT_EQ(encode(*tokenizer, "<0x41>").size(), 6u);  // the text of a byte token is text
}

// All ways to cut a short text, on random vocabularies; ties make no difference to a sum.
TEST(Unigram, NoOtherCutHasABetterSum) {
  std::mt19937 random(9);
  for (int round = 0; round < 200; ++round) {
    Vocabulary vocabulary = small_unigram();
    vocabulary.add_space_prefix = vocabulary.remove_extra_whitespaces = false;
    for (int i = 0; i < 12; ++i) {
      std::string text;
      for (auto n = 1 + random() % 4; n > 0; --n) text += "abc"[random() % 3];
      if (std::ranges::find(vocabulary.tokens, text) != vocabulary.tokens.end()) continue;
      add_token(vocabulary, text, TokenKind::normal, -static_cast<float>(1 + random() % 16) / 4);
    }
    const float unknown = *std::ranges::min_element(vocabulary.scores) - 10;
    const auto tokenizer = make_tokenizer(vocabulary);
    std::string text;
    for (auto n = random() % 10; n > 0; --n) text += "abc"[random() % 3];
    std::vector<double> best(text.size() + 1, -1e9);  // brute force, from the end
    best[text.size()] = 0;
    for (std::size_t at = text.size(); at-- > 0;) {
      bool single = false;
      for (std::size_t id = 3; id < vocabulary.tokens.size(); ++id) {
        const std::string& token = vocabulary.tokens[id];
        if (!text.substr(at).starts_with(token)) continue;
        single |= token.size() == 1;
        best[at] = std::max(best[at], static_cast<double>(vocabulary.scores[id]) + best[at + token.size()]);
      }
      if (!single) best[at] = std::max(best[at], unknown + best[at + 1]);
    }
    double sum = 0;
    std::size_t covered = 0;
    const Ids ids = encode(*tokenizer, text);
    for (const TokenId id : ids) {
      if (id == 2) continue;
      sum += static_cast<double>(vocabulary.scores[static_cast<std::size_t>(id)]);
      covered += vocabulary.tokens[static_cast<std::size_t>(id)].size();
    }
    sum += unknown * static_cast<double>(text.size() - covered);
    ASSERT_DOUBLE_EQ(sum, best[0]) << text;
  }
}

// What SentencePiece itself made of the same texts: tools/make_unigram_cases.py.
TEST(Unigram, AgreesWithSentencePiece) {
  std::ifstream file(wisp::test::source_dir() / "engine" / "text" / "unigram_cases.json");
  int compared = 0;
  for (const nlohmann::json& each : nlohmann::json::parse(file)) {
    Vocabulary vocabulary;
    vocabulary.model = TokenizerModel::unigram;
    vocabulary.tokens = each.at("tokens").get<std::vector<std::string>>();
    vocabulary.scores = each.at("scores").get<std::vector<float>>();
    for (const int kind : each.at("kinds")) vocabulary.kinds.push_back(static_cast<TokenKind>(kind));
    vocabulary.unk = 0;
    vocabulary.charsmap = cli::decode_base64(each.at("charsmap").get<std::string>()).value();
    vocabulary.add_space_prefix = each.at("add_space_prefix");
    vocabulary.remove_extra_whitespaces = each.at("remove_extra_whitespaces");
    const auto tokenizer = make_tokenizer(vocabulary);
    const auto ids = each.at("ids").get<std::vector<Ids>>();
    for (std::size_t i = 0; i < ids.size(); ++i, ++compared) {
      const auto text = each.at("texts")[i].get<std::string>();
      EXPECT_EQ(encode(*tokenizer, text), ids[i]) << text;
    }
  }
  EXPECT_GT(compared, 400);
}

TEST(Unigram, MalformedCharacterMaps) {
  const auto refusal = [](std::string charsmap) {
    Vocabulary vocabulary = small_unigram();
    vocabulary.charsmap = std::move(charsmap);
    const auto tokenizer = Tokenizer::create(std::move(vocabulary));
    return tokenizer ? "accepted" : tokenizer.error().message;
  };
  const std::string key = "metadata key 'tokenizer.ggml.precompiled_charsmap'";
  EXPECT_EQ(refusal(""), "accepted");
  EXPECT_EQ(refusal("ab"), key + " has 2 bytes, expected more");
  EXPECT_EQ(refusal(std::string("\xFF\0\0\0abc", 7)), key + ": its array has 255 bytes, but 3 follow");
  EXPECT_EQ(refusal(std::string("\4\0\0\0abcd", 8)), key + ": its array has 4 bytes, but 4 follow");
  EXPECT_EQ(refusal(std::string("\4\0\0\0abcdx", 9)), key + ": the last replacement does not end in a zero byte");
  EXPECT_EQ(refusal(std::string("\4\0\0\0abcd", 8) + std::string(300, 'x') + '\0'),
            key + ": a replacement has 300 bytes; the limit is 255");
}

// Arrays of random bits: whatever they point at, a text is encoded.
TEST(Unigram, HostileCharacterMaps) {
  std::mt19937 random(4);
  for (int round = 0; round < 300; ++round) {
    Vocabulary vocabulary = small_unigram();
    add_token(vocabulary, "a", TokenKind::normal, -1);
    const std::size_t entries = 1 + random() % 300;
    vocabulary.charsmap = std::string("\0\0\0\0", 4);
    vocabulary.charsmap[0] = static_cast<char>(entries * 4 & 0xFF);
    vocabulary.charsmap[1] = static_cast<char>(entries * 4 >> 8);
    for (std::size_t i = 0; i < entries; ++i) {
      // Likely to be a child: the byte of a letter, a small base, often an end of a key.
      std::uint64_t entry = ('a' + random() % 4) | (random() % 2 << 8) | (random() % 512 << 10);
      if (random() % 16 == 0) entry |= random();
      for (int shift = 0; shift < 32; shift += 8) vocabulary.charsmap += static_cast<char>(entry >> shift & 0xFF);
    }
    vocabulary.charsmap += std::string("x\0yy\0", 5);
    const auto tokenizer = make_tokenizer(std::move(vocabulary));
    std::string text;
    for (int i = 0; i < 60; ++i) text += static_cast<char>(random() % 3 == 0 ? random() : 'a' + random() % 4);
    for (const TokenId id : encode(*tokenizer, text)) ASSERT_TRUE(id >= 0 && id < tokenizer->vocabulary().size());
  }
}

TEST(Unigram, LongTextsAndLongTokens) {
  Vocabulary vocabulary = small_unigram();
  std::string text = "a";
  for (int i = 0; i < 9; ++i) add_token(vocabulary, text += text, TokenKind::normal, -1);
  EXPECT_EQ(encode(*make_tokenizer(vocabulary), std::string(1 << 16, 'a')).size(), 129u);  // and the space, unknown
}

}  // namespace
}  // namespace wisp::text
