#include "text/pretokenizer.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "text/utf8.h"

namespace wisp::text {
namespace {

std::vector<std::string> words(std::string_view scheme, std::string_view text) {
  std::vector<std::string> out;
  pretokenize(find_pretokenizer(scheme)->stages, text, [&](std::string_view word) { out.emplace_back(word); });
  return out;
}
using Words = std::vector<std::string>;

TEST(Pretokenizer, Gpt2) {
  EXPECT_EQ(words("gpt-2", "Hello world's  12345 !?x"), (Words{"Hello", " world", "'s", " ", " 12345", " !?", "x"}));
  EXPECT_EQ(words("gpt-2", "it'S 'll"), (Words{"it", "'", "S", " '", "ll"}));
  EXPECT_EQ(words("gpt-2", "a\n\nb \n"), (Words{"a", "\n", "\n", "b", " \n"}));
  EXPECT_EQ(words("gpt-2", "caf\u00E9 \u4E2D\u6587\u3002"), (Words{"caf\u00E9", " \u4E2D\u6587", "\u3002"}));
  EXPECT_EQ(words("gpt-2", "a\u00A0\u3000b"), (Words{"a", "\u00A0", "\u3000", "b"}));
}

TEST(Pretokenizer, Llama3) {
  EXPECT_EQ(words("llama-bpe", "I'Ll pay 1234567$"), (Words{"I", "'Ll", " pay", " ", "123", "456", "7", "$"}));
  EXPECT_EQ(words("llama-bpe", "a\t\tb (x)"), (Words{"a", "\t", "\tb", " (", "x", ")"}));
  EXPECT_EQ(words("llama-bpe", "end.\r\n\n  next"), (Words{"end", ".\r\n\n", " ", " next"}));
  EXPECT_EQ(words("llama-bpe", "x \n \n y"), (Words{"x", " \n \n", " y"}));
  EXPECT_EQ(words("llama-bpe", "  \u00E9t\u00E9"), (Words{" ", " \u00E9t\u00E9"}));
  EXPECT_EQ(words("llama-bpe", "!\u00E9"), (Words{"!\u00E9"}));  // one character that is no letter may lead a word
  EXPECT_EQ(words("llama-bpe", "e\u0301x"), (Words{"e", "\u0301x"}));  // a combining mark is no letter
}

TEST(Pretokenizer, Qwen2TakesDigitsOneByOne) {
  EXPECT_EQ(words("qwen2", "in 2024"), (Words{"in", " ", "2", "0", "2", "4"}));
}

TEST(Pretokenizer, StagesCutWhatTheOnesBeforeLeft) {
  EXPECT_EQ(words("falcon", "a+b 12345"), (Words{"a", "+", "b", " ", "123", "45"}));
  EXPECT_EQ(words("starcoder", "x12 y"), (Words{"x", "1", "2", " y"}));
  EXPECT_EQ(words("deepseek-coder", "a\r\n\u4E2D 1,"), (Words{"a", "\r", "\n", "\u4E2D", " ", "1", ","}));
}

TEST(Pretokenizer, NamesAreKnownOrNot) {
  EXPECT_EQ(find_pretokenizer(""), find_pretokenizer("default"));
  EXPECT_EQ(find_pretokenizer("nonesuch"), nullptr);
  EXPECT_NE(known_pretokenizers().find("qwen2"), std::string::npos);
}

// Whatever the text, the words of every scheme are that text, none of them empty.
TEST(Pretokenizer, WordsCoverRandomText) {
  std::mt19937 random(11);
  const std::u32string alphabet = U"aB1 '\n\r\t.s$<\u00A0\u00E9\u0301\u0967\u4E2D\U0001F600\u200D\u20AC_";
  for (const char* scheme : {"default", "gpt-2", "llama-bpe", "qwen2", "falcon", "starcoder", "deepseek-coder"}) {
    for (int round = 0; round < 300; ++round) {
      std::string text;
      for (auto n = random() % 40; n > 0; --n) append_utf8(text, alphabet[random() % alphabet.size()]);
      std::string joined;
      for (const std::string& word : words(scheme, text)) {
        ASSERT_FALSE(word.empty());
        ASSERT_TRUE(is_utf8(word)) << scheme;
        joined += word;
      }
      ASSERT_EQ(joined, text) << scheme;
    }
  }
}

}  // namespace
}  // namespace wisp::text
