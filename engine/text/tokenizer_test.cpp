#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <random>

#include "gguf/reader.h"
#include "tests/test_data.h"
#include "text/test_vocabulary.h"
#include "text/utf8.h"

namespace wisp::text {
namespace {

using test::add_token;
using test::encode;
using test::Ids;

// 0 <unk>, 1 <s>, 2 </s>, 3..258 the bytes, then what a test adds.
Vocabulary spm_bytes() {
  Vocabulary vocabulary;
  add_token(vocabulary, "<unk>", TokenKind::unknown);
  add_token(vocabulary, "<s>", TokenKind::control);
  add_token(vocabulary, "</s>", TokenKind::control);
  for (int byte = 0; byte < 256; ++byte) add_token(vocabulary, fmt::format("<0x{:02X}>", byte), TokenKind::byte);
  vocabulary.bos = 1;
  vocabulary.eos = 2;
  vocabulary.unk = 0;
  vocabulary.add_space_prefix = false;
  return vocabulary;
}

std::unique_ptr<Tokenizer> make(Vocabulary vocabulary) { return test::make_tokenizer(std::move(vocabulary)); }

TEST(Spm, TheHighestScoreMergesFirst) {
  Vocabulary vocabulary = spm_bytes();
  for (const auto& [text, score] : {std::pair{"a", -9.f}, {"b", -9.f}, {"c", -9.f}, {"ab", -2.f}, {"bc", -1.f}}) {
    add_token(vocabulary, text, TokenKind::normal, score);  // 259 a, 260 b, 261 c, 262 ab, 263 bc
  }
  const auto tokenizer = make(vocabulary);
  EXPECT_EQ(encode(*tokenizer, "abc"), (Ids{259, 263}));
  EXPECT_EQ(encode(*tokenizer, "abab"), (Ids{262, 262}));
  EXPECT_EQ(encode(*tokenizer, "\u00E9"), (Ids{3 + 0xC3, 3 + 0xA9}));
  EXPECT_EQ(encode(*tokenizer, "a", {.add_special = true}), (Ids{259}));  // add_bos is false
  vocabulary.add_bos = vocabulary.add_eos = true;
  EXPECT_EQ(encode(*make(vocabulary), "a", {.add_special = true}), (Ids{1, 259, 2}));
}

TEST(Spm, ASpacePrefixAfterEverySpecialToken) {
  Vocabulary vocabulary = spm_bytes();
  add_token(vocabulary, "\u2581", TokenKind::normal, -3);   // 259
  add_token(vocabulary, "a", TokenKind::normal, -3);        // 260
  add_token(vocabulary, "\u2581a", TokenKind::normal, -1);  // 261
  vocabulary.add_space_prefix = true;
  const auto tokenizer = make(vocabulary);
  EXPECT_EQ(encode(*tokenizer, "a a"), (Ids{261, 261}));
  EXPECT_EQ(encode(*tokenizer, "a<s>a", {.parse_special = true}), (Ids{261, 1, 261}));
  EXPECT_EQ(encode(*tokenizer, ""), Ids{});
  EXPECT_EQ(tokenizer->decode({261, 1, 261}), " a<s> a");
}

// Text that no permission was given for never becomes a control token, not even by merging up to its text.
TEST(Spm, PlainTextGivesNoControlToken) {
  Vocabulary vocabulary = spm_bytes();
  for (const char* text : {"<", "s", ">", "<s"}) add_token(vocabulary, text, TokenKind::normal, -1);
  const auto tokenizer = make(vocabulary);
  EXPECT_EQ(encode(*tokenizer, "<s>"), (Ids{262, 261}));
  EXPECT_EQ(encode(*tokenizer, "<s>", {.parse_special = true}), (Ids{1}));
}

TEST(Spm, TokensThatGoOnPastAWordStillMerge) {
  Vocabulary vocabulary = spm_bytes();
  for (const char* text : {"a", "\u2581", "a\u2581", "a\u2581a"}) add_token(vocabulary, text, TokenKind::normal, -1);
  EXPECT_EQ(encode(*make(vocabulary), "a a"), (Ids{262}));
}

TEST(Spm, WithoutByteTokensACharacterIsUnknown) {
  Vocabulary vocabulary;
  add_token(vocabulary, "<unk>", TokenKind::unknown);
  add_token(vocabulary, "a", TokenKind::normal);
  vocabulary.unk = 0;
  vocabulary.add_space_prefix = false;
  EXPECT_EQ(encode(*make(vocabulary), "a\U0001F600a"), (Ids{1, 0, 1}));
}

// A control token is not found where it takes in a character that is said to be plain.
TEST(SpecialTokens, PlainCharactersKeepTheirTextPlain) {
  const auto tokenizer = make(spm_bytes());
  const auto ids_with = [&](std::vector<std::size_t> plain_ends) {
    return encode(*tokenizer, "x<s>", {.parse_special = true, .plain_ends = plain_ends});
  };
  EXPECT_EQ(ids_with({}), (Ids{3 + 'x', 1}));
  EXPECT_EQ(ids_with({1}), (Ids{3 + 'x', 1})) << "only the x is plain";
  for (const std::size_t end : {2u, 3u, 4u}) {
    EXPECT_EQ(ids_with({1, end}), (Ids{3 + 'x', 3 + '<', 3 + 's', 3 + '>'})) << end;
  }
  EXPECT_EQ(encode(*tokenizer, "<s><s>", {.parse_special = true, .plain_ends = std::vector<std::size_t>{1}}),
            (Ids{3 + '<', 3 + 's', 3 + '>', 1}));
}

// Of all that occur the longest first, wherever it stands: a shorter one to its left does not break it.
TEST(SpecialTokens, LongestFirst) {
  Vocabulary vocabulary = spm_bytes();
  const TokenId xy = add_token(vocabulary, "xy", TokenKind::user_defined);
  const TokenId yzz = add_token(vocabulary, "yzz", TokenKind::user_defined);
  const TokenId yz = add_token(vocabulary, "yz", TokenKind::control);
  const TokenId zx = add_token(vocabulary, "zx", TokenKind::user_defined);
  const auto tokenizer = make(vocabulary);
  EXPECT_EQ(encode(*tokenizer, "xyzz"), (Ids{3 + 'x', yzz}));
  EXPECT_EQ(encode(*tokenizer, "xyz"), (Ids{xy, 3 + 'z'}));  // equally long: the lower id
  EXPECT_EQ(encode(*tokenizer, "yzx", {.parse_special = true}), (Ids{yz, 3 + 'x'}));
  EXPECT_EQ(encode(*tokenizer, "yzx"), (Ids{3 + 'y', zx}));
  EXPECT_EQ(encode(*tokenizer, "xyxyzzxy"), (Ids{xy, 3 + 'x', yzz, xy}));
}

TEST(SpecialTokens, SwallowWhiteSpaceAroundThem) {
  Vocabulary vocabulary = spm_bytes();
  const TokenId mask = add_token(vocabulary, "<mask>", TokenKind::control);
  const TokenId end = add_token(vocabulary, "<end>", TokenKind::control);
  const TokenId spaces = add_token(vocabulary, "   ", TokenKind::user_defined);
  vocabulary.strip_before = {mask};
  vocabulary.strip_after = {end};
  const auto tokenizer = make(vocabulary);
  const auto ids = [&](std::string_view text) { return encode(*tokenizer, text, {.parse_special = true}); };
  EXPECT_EQ(ids("a \n<mask> b"), (Ids{3 + 'a', mask, 3 + 0xE2, 3 + 0x96, 3 + 0x81, 3 + 'b'}));
  EXPECT_EQ(ids("a<end> \tb"), (Ids{3 + 'a', end, 3 + 'b'}));
  EXPECT_EQ(ids("<end>   <mask>"), (Ids{end, mask}));  // before the shorter token for three spaces
  EXPECT_EQ(ids("   <end>"), (Ids{spaces, end}));
}

// A run of spaces against tokens for 2 to 200 of them, a megabyte long.
TEST(SpecialTokens, RunsCostNoSquare) {
  Vocabulary vocabulary = spm_bytes();
  for (std::size_t n = 2; n <= 200; ++n) add_token(vocabulary, std::string(n, ' '), TokenKind::user_defined);
  const Ids ids = encode(*make(vocabulary), std::string((1 << 20) + 7, ' '));
  EXPECT_EQ(ids.size(), (1u << 20) / 200 + 1);
  EXPECT_EQ(ids.back(), 259 + ((1 << 20) + 7) % 200 - 2);
}

TEST(SpecialTokens, LongestAtAPlace) {
  Vocabulary vocabulary = spm_bytes();
  add_token(vocabulary, "<s><s>", TokenKind::control);     // 259
  add_token(vocabulary, "xx", TokenKind::user_defined);    // 260
  add_token(vocabulary, "xxyy", TokenKind::user_defined);  // 261
  add_token(vocabulary, "xxy!", TokenKind::control);       // 262
  add_token(vocabulary, "", TokenKind::control);           // 263: never found
  const auto tokenizer = make(vocabulary);
  EXPECT_EQ(encode(*tokenizer, "<s><s><s>", {.parse_special = true}), (Ids{259, 1}));
  EXPECT_EQ(encode(*tokenizer, "xxyyxxy"), (Ids{261, 260, 3 + 'y'}));  // user-defined ones need no permission
  EXPECT_EQ(encode(*tokenizer, "xxy!"), (Ids{260, 3 + 'y', 3 + '!'}));
  EXPECT_EQ(encode(*tokenizer, "xxy!", {.parse_special = true}), (Ids{262}));
  EXPECT_EQ(tokenizer->token_bytes(1, false), "");
  EXPECT_EQ(tokenizer->token_bytes(1, true), "<s>");
  EXPECT_EQ(tokenizer->token_bytes(260, false), "xx");
  EXPECT_EQ(tokenizer->token_bytes(-1, true) + tokenizer->token_bytes(9999, true), "");
}

TEST(Bpe, MergesMayPassThroughPiecesThatAreNoTokens) {
  Vocabulary vocabulary;
  vocabulary.model = TokenizerModel::bpe;
  vocabulary.pre = "gpt-2";
  for (const char* text : {"a", "b", "c", "abc", "\u0120"}) add_token(vocabulary, text, TokenKind::normal);
  vocabulary.merges = {"a b", "ab c"};
  const auto tokenizer = make(vocabulary);
  EXPECT_EQ(encode(*tokenizer, "abc"), (Ids{3}));
  EXPECT_EQ(encode(*tokenizer, "ab abc"), (Ids{0, 1, 4, 3}));  // "ab" falls apart again
  EXPECT_EQ(tokenizer->decode({3, 4, 0}), "abc a");
  EXPECT_EQ(encode(*tokenizer, "ax"), (Ids{0}));  // no token for x: lost, <unk> or not
}

// Gemma 4: characters are merged, spaces are U+2581, bytes stand in for what is no token.
Vocabulary small_gemma4() {
  Vocabulary vocabulary;
  vocabulary.model = TokenizerModel::bpe;
  vocabulary.pre = "gemma4";
  for (int byte = 0; byte < 256; ++byte) add_token(vocabulary, fmt::format("<0x{:02X}>", byte), TokenKind::byte);
  for (const char* text : {"a", "b", "\u2581", "\u00E9", "\n", "ab", "\u2581ab", "\n\n\n"}) add_token(vocabulary, text);
  vocabulary.merges = {"a b", "\u2581 ab", "\u2581 a"};
  return vocabulary;  // 256 a, 257 b, 258 space, 259 e acute, 260 line break, 261 ab, 262 space ab, 263 three line
                      // breaks
}

TEST(Bpe, RawSchemesMergeCharacters) {
  const auto tokenizer = make(small_gemma4());
  EXPECT_EQ(encode(*tokenizer, "ab ab  ab"), (Ids{261, 262, 258, 262}));
  EXPECT_EQ(encode(*tokenizer, "\u00E9\u00E8"), (Ids{259, 0xC3, 0xA8}));
  EXPECT_EQ(encode(*tokenizer, "a\xFF"), (Ids{256, 0xEF, 0xBF, 0xBD}));
  EXPECT_EQ(encode(*tokenizer, "a\n\n\nb\n\n"),
            (Ids{256, 263, 257, 260, 260}));  // as a token, though no merge leads there
  EXPECT_EQ(encode(*tokenizer, "<0x41>").size(), 6u);
  EXPECT_EQ(tokenizer->decode({262, 263, 259, 0xC3, 0xA8}), " ab\n\n\n\u00E9\u00E8");
  Vocabulary vocabulary = small_gemma4();
  vocabulary.pre = "sarvam-moe";
  EXPECT_EQ(encode(*make(vocabulary), "\n\n\n"), (Ids{260, 260, 260}));
}

TEST(Bpe, RawMergesAcrossWords) {
  Vocabulary vocabulary = small_gemma4();
  vocabulary.merges.insert(vocabulary.merges.begin(), "b \u2581");
  const TokenId b_space = add_token(vocabulary, "b\u2581");
  EXPECT_EQ(encode(*make(vocabulary), "b a"), (Ids{b_space, 256}));
}

TEST(Bpe, WhiteSpaceMayOnlyPartWords) {
  Vocabulary vocabulary;
  vocabulary.model = TokenizerModel::bpe;
  vocabulary.pre = "whitespace";
  vocabulary.drop_whitespace = vocabulary.lowercase = true;
  for (const char* text : {"a", "b", "ab"}) add_token(vocabulary, text);
  vocabulary.merges = {"a b"};
  EXPECT_EQ(encode(*make(vocabulary), " AB\u3000a b\n"), (Ids{2, 0, 1}));
}

TEST(StreamDecoder, NeverHalfACharacter) {
  const auto tokenizer = make(spm_bytes());
  const auto stream = [&](std::string_view bytes) {
    StreamDecoder decoder(*tokenizer, true);
    std::string text;
    for (const char c : bytes) {
      const std::string part = decoder.push(3 + static_cast<unsigned char>(c));
      EXPECT_TRUE(is_utf8(part));
      text += part + "|";
    }
    return text + decoder.flush();
  };
  EXPECT_EQ(stream("a\u00E9!"), "a||\u00E9|!|");
  EXPECT_EQ(stream("\U0001F600"), "|||\U0001F600|");
  EXPECT_EQ(stream("\xE4\xBD x"), "||\uFFFD |x|");
  EXPECT_EQ(stream("\xFFx\xF0\x9F"), "\uFFFD|x|||\uFFFD");
}

// Random bytes, cut into tokens in random ways: the stream is the whole with bad pieces replaced.
TEST(StreamDecoder, EqualsTheWholeHoweverTokensCut) {
  std::mt19937 random(3);
  Vocabulary vocabulary = spm_bytes();
  std::vector<std::string> pieces;
  for (int i = 0; i < 300; ++i) {
    constexpr std::string_view likely = "a\xC3\xA9\xE4\xBD\xA0\xF0\x9F\x98\x80\xED\xF4\x90\xC0";
    std::string piece;
    for (auto n = 1 + random() % 5; n > 0; --n) piece += likely[random() % likely.size()];
    add_token(vocabulary, piece, TokenKind::user_defined);
  }
  const auto tokenizer = make(vocabulary);
  for (int round = 0; round < 500; ++round) {
    Ids ids;
    for (auto n = random() % 12; n > 0; --n) ids.push_back(static_cast<TokenId>(259 + random() % 300));
    StreamDecoder decoder(*tokenizer, true);
    std::string text;
    for (const TokenId id : ids) text += decoder.push(id);
    text += decoder.flush();
    ASSERT_EQ(text, replace_invalid_utf8(tokenizer->decode(ids), Replace::piece));
  }
}

// Any bytes give ids of the vocabulary, and byte-level BPE gives them back, each bad byte as U+FFFD. Falcon's
// vocabulary has no token for some control characters: those are lost.
class TokenizerFuzz : public testing::TestWithParam<const char*> {};

TEST_P(TokenizerFuzz, RandomBytes) {
  const auto data = wisp::test::test_data();
  if (!data) GTEST_SKIP() << "WISP_TEST_DATA is not set";
  const auto file = gguf::open_model((*data / "tokenizer" / (std::string(GetParam()) + ".gguf")).string());
  ASSERT_TRUE(file);
  const auto tokenizer = make(read_vocabulary(file->metadata).value());
  const std::vector<std::string>& tokens = tokenizer->vocabulary().tokens;
  std::mt19937 random(23);
  const int rounds = wisp::test::full_run() ? 20000 : 1000;
  for (int round = 0; round < rounds; ++round) {
    std::string text;
    const auto style = random() % 3;
    for (auto n = random() % 60; n > 0; --n) {
      if (style == 0) text += static_cast<char>(random());                            // any bytes
      if (style == 1) append_utf8(text, static_cast<char32_t>(random() % 0x110000));  // any characters
      if (style == 2) text += tokens[random() % tokens.size()];  // token texts, special ones among them
    }
    for (const bool parse_special : {false, true}) {
      const Ids ids = encode(*tokenizer, text, {.add_special = false, .parse_special = parse_special});
      for (const TokenId id : ids) ASSERT_TRUE(id >= 0 && id < tokenizer->vocabulary().size());
      if (tokenizer->vocabulary().model == TokenizerModel::bpe && GetParam() != std::string("falcon")) {
        ASSERT_EQ(tokenizer->decode(ids), replace_invalid_utf8(text, Replace::byte));
      }
      if (!parse_special) {
        for (const TokenId id : ids) {
          if (id == tokenizer->vocabulary().unk) continue;  // WordPiece's answer to what it does not know
          ASSERT_NE(tokenizer->vocabulary().kinds[static_cast<std::size_t>(id)], TokenKind::control);
        }
      }
      ASSERT_EQ(encode(*tokenizer, text, {.add_special = false, .parse_special = parse_special}), ids);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, TokenizerFuzz,
                         testing::Values("llama-spm", "phi-3", "llama-bpe", "gpt-2", "qwen2", "falcon",
                                         "deepseek-coder", "bert-bge"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

// A megabyte without a space is one word: it must not cost the square of its length.
TEST(Tokenizer, OneLongWord) {
  Vocabulary vocabulary = spm_bytes();
  add_token(vocabulary, "a", TokenKind::normal, -9);
  std::string text = "a";
  for (int i = 0; i < 6; ++i) add_token(vocabulary, text += text, TokenKind::normal, -1);
  const Ids ids = encode(*make(vocabulary), std::string(1 << 20, 'a'));
  EXPECT_EQ(ids, Ids((1 << 20) / 64, 265));
}

}  // namespace
}  // namespace wisp::text
