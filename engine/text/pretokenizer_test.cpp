#include "text/pretokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <vector>

#include "tests/test_data.h"
#include "text/utf8.h"

namespace wisp::text {
namespace {

std::vector<std::string> words(std::string_view scheme, std::string_view text) {
  std::vector<std::string> out;
  pretokenize(find_pretokenizer(scheme)->stages, text, [&](std::string_view word) { out.emplace_back(word); });
  return out;
}
using Words = std::vector<std::string>;

std::vector<std::string> scheme_names() {
  std::vector<std::string> names;
  const std::string all = known_pretokenizers();
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t end = std::min(all.find(", ", at), all.size());
    names.push_back(all.substr(at, end - at));
    at = end + 2;
  }
  return names;
}

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

TEST(Pretokenizer, RelativesOfLlama3) {
  EXPECT_EQ(words("qwen35", "\u0915\u093F \u093Fx! e\u0301"), (Words{"\u0915\u093F", " \u093Fx", "!", " e\u0301"}));
  EXPECT_EQ(words("seed-coder", "a;\n\nb"), (Words{"a", ";", "\n\n", "b"}));
  EXPECT_EQ(words("ufakzeka", "I's"), (Words{"I", "'s"}));
  EXPECT_EQ(words("ufakzeka", "I'sa"), (Words{"I", "'sa"}));
  EXPECT_EQ(words("qwen2", "I'sa"), (Words{"I", "'s", "a"}));
  EXPECT_EQ(words("minicpm5", "x12345"), (Words{"x", "123", "45"}));
  EXPECT_EQ(words("laguna", "a \n\n b"), (Words{"a", " ", "\n\n", " b"}));
  EXPECT_EQ(words("exaone-moe", "ab cd, e/\n"), (Words{"ab cd", ",", " e", "/\n"}));
  EXPECT_EQ(words("exaone-moe", "  a  b"), (Words{" ", " a", " ", " b"}));
}

TEST(Pretokenizer, Jais2CutsSpacesByPowersOfTwo) {
  const auto lengths = [](std::size_t spaces, std::string_view behind) {
    std::vector<std::size_t> out;
    for (const std::string& word : words("jais-2", std::string(spaces, ' ').append(behind))) out.push_back(word.size());
    return out;
  };
  EXPECT_EQ(lengths(7, ""), (std::vector<std::size_t>{4, 2, 1}));
  EXPECT_EQ(lengths(8, ""), (std::vector<std::size_t>{8}));
  EXPECT_EQ(lengths(8, "x"), (std::vector<std::size_t>{4, 2, 1, 2}));  // the last space goes to the word
  EXPECT_EQ(lengths(600, ""), (std::vector<std::size_t>{512, 64, 16, 8}));
  EXPECT_EQ(lengths(3, "\nx"), (std::vector<std::size_t>{4, 1}));
}

TEST(Pretokenizer, Gpt4oStartsWordsAtCapitals) {
  EXPECT_EQ(words("gpt-4o", "camelCase HTMLPage's 1234"), (Words{"camel", "Case", " HTMLPage's", " ", "123", "4"}));
  EXPECT_EQ(words("gpt-4o", "a//\nb"), (Words{"a", "//\n", "b"}));
  EXPECT_EQ(words("gpt-4o", "AB\u00C9C"), (Words{"AB\u00C9", "C"}));  // what is not ASCII is capital and small
  EXPECT_EQ(words("tekken", "it's 12"), (Words{"it", "'s", " ", "1", "2"}));
  EXPECT_EQ(words("gpt-4o", "e\u0301x"), (Words{"e", "\u0301x"}));
  EXPECT_EQ(words("granite-embed-multi-97m", "e\u0301x"), (Words{"e\u0301x"}));
  EXPECT_EQ(words("granite-embed-multi-97m", "\u0301ABC"), (Words{"\u0301", "ABC"}));
  EXPECT_EQ(words("tiny_aya", "aBc x12345"), (Words{"aBc", " x", "12", "345"}));
  EXPECT_EQ(words("youtu", "\uAC00\u3131a\uFF0C\u4E2D12"), (Words{"\uAC00\u3131", "a", "\uFF0C", "\u4E2D", "1", "2"}));
  EXPECT_EQ(words("kimi-k2", "a\u4E2D\u6587bC's \u4E2D"), (Words{"a", "\u4E2D\u6587", "bC's", " ", "\u4E2D"}));
}

TEST(Pretokenizer, Deepseek) {
  EXPECT_EQ(words("deepseek-v3", "#define x_y 12345\u4E2D"),
            (Words{"#define", " x", "_y", " ", "123", "45", "\u4E2D"}));
  EXPECT_EQ(words("deepseek-v3", "a, \u0301b\n"), (Words{"a", ",", " \u0301b", "\n"}));
  EXPECT_EQ(words("spark2_5", "a!\n\n12"), (Words{"a", "!", "\n", "\n", "1", "2"}));
  EXPECT_EQ(words("afmoe", "1234567 \u0E40a"), (Words{"1", "234", "567", " ", "\u0E40", "a"}));
  // Two spaces before a number are one piece only where the number is not in it.
  EXPECT_EQ(words("afmoe", "  12"), (Words{" ", " ", "12"}));
  EXPECT_EQ(words("deepseek-v3", "  12"), (Words{"  ", "12"}));
  EXPECT_EQ(words("deepseek-llm", "\u00E9t\u00E9 x1  "), (Words{"\u00E9", "t", "\u00E9", " x", "1", "  "}));
  EXPECT_EQ(words("deepseek-coder", "\u200B\u3000"), (Words{"\u200B", "\u3000"}));  // white space stands alone
}

TEST(Pretokenizer, Others) {
  EXPECT_EQ(words("bloom", "Hi there, (x) 12"), (Words{"Hi", " there", ", (", "x", ")", " 12"}));
  EXPECT_EQ(words("viking", " 12"), (Words{" ", "1", "2"}));
  EXPECT_EQ(words("superbpe", "x1234567 89"), (Words{"x", "1", "234", "567", " ", "89"}));
  EXPECT_EQ(words("superbpe", "123456"), (Words{"123", "456"}));
  EXPECT_EQ(words("superbpe", "12345\u00B2678"), (Words{"12", "345\u00B2", "678"}));
  EXPECT_EQ(words("chameleon", "IMGIMGABZIMGIMGZ      a1!"),
            (Words{"IMGIMGABZ", "IMGIMGZ", "    ", "  ", "a", "1", "!"}));
  EXPECT_EQ(words("chameleon", "<sentinel:7>"), (Words{"<", "sentinel", ":", "7", ">"}));  // by the stages behind
  EXPECT_EQ(words("gemma4", "a b\n\n c"), (Words{"a b", "\n\n", " c"}));
  EXPECT_EQ(words("whitespace", " ab\u3000c"), (Words{" ", "ab", "\u3000", "c"}));
}

TEST(Pretokenizer, FlagsOfSchemes) {
  EXPECT_TRUE(find_pretokenizer("llama-bpe")->ignore_merges && find_pretokenizer("llama-bpe")->add_bos);
  EXPECT_TRUE(find_pretokenizer("tekken")->ignore_merges && find_pretokenizer("tekken")->add_bos);
  EXPECT_TRUE(find_pretokenizer("youtu")->ignore_merges && !find_pretokenizer("youtu")->add_bos);
  EXPECT_TRUE(find_pretokenizer("chameleon")->add_bos && !find_pretokenizer("chameleon")->ignore_merges);
  EXPECT_TRUE(find_pretokenizer("gemma4")->raw && find_pretokenizer("gemma4")->add_bos);
  EXPECT_FALSE(find_pretokenizer("qwen2")->ignore_merges || find_pretokenizer("qwen2")->add_bos);
}

// Against the regular expressions themselves: tools/make_pretokenizer_cases.py.
TEST(Pretokenizer, CutsWhereTheExpressionsDo) {
  std::ifstream file(test::source_dir() / "engine" / "text" / "pretokenizer_cases.json");
  const nlohmann::json cases = nlohmann::json::parse(file);
  const auto texts = cases.at("texts").get<std::vector<std::string>>();
  ASSERT_GE(texts.size(), 100u);
  for (const auto& [name, expected] : cases.at("word_bytes").items()) {
    ASSERT_NE(find_pretokenizer(name), nullptr) << name;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      std::vector<std::size_t> lengths;
      for (const std::string& word : words(name, texts[i])) lengths.push_back(word.size());
      ASSERT_EQ(lengths, expected[i].get<std::vector<std::size_t>>()) << name << ": " << texts[i];
    }
  }
  // Every family is there: a scheme that is not has the stages of one that is.
  for (const std::string& name : scheme_names()) {
    const auto stages = find_pretokenizer(name)->stages;
    const bool covered = std::ranges::any_of(cases.at("word_bytes").items(), [&](const auto& item) {
      return std::ranges::equal(find_pretokenizer(item.key())->stages, stages, {}, &Stage::scan, &Stage::scan);
    });
    EXPECT_TRUE(covered || name == "deepseek-llm") << name;  // its own table holds it, and the golden lines
  }
}

// A character that a stage says it does not start with is not tried: it had better match nothing.
TEST(Pretokenizer, StagesStartWhereTheySayTheyDo) {
  std::mt19937 random(12);
  const std::string_view alphabet = "aIMGZ019 \t\r\n.,'<>[]$+|`~_\x01sentinel:";
  for (const std::string& name : scheme_names()) {
    for (const auto& [scan, ascii_starts] : find_pretokenizer(name)->stages) {
      for (char first = 0; first < 0x7F; ++first) {
        if ((classify_ascii(first) & ascii_starts) != 0) continue;
        for (int round = 0; round < 20; ++round) {
          std::string text(1, first);
          for (auto n = random() % 6; n > 0; --n) text += alphabet[random() % alphabet.size()];
          ASSERT_EQ(scan(text, 0), 0u) << name << ": " << text;
        }
      }
    }
  }
}

// Reading a text twice is fine, reading it once a character is not: half a megabyte a scheme would take hours.
TEST(Pretokenizer, NoTextCostsTheSquareOfItsLength) {
  constexpr std::size_t size = 1 << 16;
  for (const std::string_view unit :
       {" ", "\n", " \n", "1", "a", "A", "'", "\u00E9A", "\u0301", "<sentinel:1", "\u3000"}) {
    std::string text;
    while (text.size() < size) text += unit;
    text += "x";
    for (const std::string& name : scheme_names()) {
      std::size_t bytes = 0;
      pretokenize(find_pretokenizer(name)->stages, text, [&](std::string_view word) { bytes += word.size(); });
      ASSERT_EQ(bytes, text.size()) << name;
    }
  }
}

TEST(Pretokenizer, TheManualListsEveryName) {
  std::ifstream file(test::source_dir() / "docs" / "tokenizers.md");
  const std::string manual{std::istreambuf_iterator<char>(file), {}};
  for (const std::string& name : scheme_names()) {
    EXPECT_NE(manual.find("`" + name + "`"), std::string::npos) << name;
  }
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
  for (const std::string& scheme : scheme_names()) {
    for (int round = 0; round < 100; ++round) {
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
