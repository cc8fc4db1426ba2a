#include "text/spellings.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "gguf/reader.h"
#include "tests/test_data.h"

namespace wisp::text {
namespace {

std::unique_ptr<Tokenizer> shipped_tokenizer() {
  const auto path = test::source_dir() / "models/wisp-stories.gguf";
  return Tokenizer::create(read_vocabulary(gguf::open_model(path.string())->metadata).value()).value();
}

std::string bytes_of(const Tokenizer& tokenizer, std::span<const TokenId> tokens) {
  std::string bytes;
  for (const TokenId token : tokens) bytes += tokenizer.token_bytes(token, false);
  return bytes;
}

TEST(Spellings, CompleteTheTextWithTheirLastToken) {
  const std::unique_ptr<Tokenizer> tokenizer = shipped_tokenizer();
  for (const std::string text : {"\n", ".", " a", "the", "Once upon", ".\n\n", "dog. The"}) {
    const auto found = spellings(*tokenizer, text);
    ASSERT_TRUE(found.has_value());
    EXPECT_FALSE(found->empty()) << text;
    for (const std::vector<TokenId>& sequence : *found) {
      EXPECT_LE(sequence.size(), text.size());
      EXPECT_NE(bytes_of(*tokenizer, sequence).find(text), std::string::npos);
      const std::span<const TokenId> all = sequence;
      EXPECT_EQ(bytes_of(*tokenizer, all.first(all.size() - 1)).find(text), std::string::npos);
    }
  }
}

// As the tokenizer cuts real text, one of them ends where the text that is looked for ends.
TEST(Spellings, AreThoseOfRealText) {
  const std::unique_ptr<Tokenizer> tokenizer = shipped_tokenizer();
  const std::string story =
      "Once upon a time there was a little dog. The dog liked to run: fast, faster, \"fastest\"!\n\nOne day it ran to "
      "the park. The park was big.\nThe dog was happy.";
  const std::vector<TokenId> tokens = tokenizer->encode(story, {}).value();
  ASSERT_EQ(bytes_of(*tokenizer, tokens), story);
  for (const std::string text : {"\n", ":", "\"", " the", "dog", ". The", "was", "happy", ".\n"}) {
    const auto found = spellings(*tokenizer, text).value();
    int places = 0;
    for (std::size_t at = story.find(text); at != std::string::npos; at = story.find(text, at + 1)) {
      // The token that holds the last byte.
      std::size_t n = 0, end = 0;
      while (end < at + text.size()) end += tokenizer->token_bytes(tokens[n++], false).size();
      const std::span<const TokenId> before = std::span<const TokenId>(tokens).first(n);
      const bool ends = std::ranges::any_of(found, [&](const std::vector<TokenId>& sequence) {
        return sequence.size() <= n && std::ranges::equal(before.last(sequence.size()), sequence);
      });
      // A token may reach past the end of a text that took several.
      const std::size_t last = tokenizer->token_bytes(before.back(), false).size();
      if (end == at + text.size() || last >= text.size()) {
        EXPECT_TRUE(ends) << text << " at " << at;
      }
      places += ends ? 1 : 0;
    }
    EXPECT_GT(places, 0) << text;
  }
}

TEST(Spellings, RefuseWhatCannotBeLookedFor) {
  const std::unique_ptr<Tokenizer> tokenizer = shipped_tokenizer();
  EXPECT_EQ(spellings(*tokenizer, "").error().code, Code::invalid_argument);
  EXPECT_EQ(spellings(*tokenizer, std::string(65, 'x')).error().code, Code::limit);
  const auto longest = spellings(*tokenizer, std::string(64, 'a'));
  ASSERT_TRUE(longest.has_value());
  for (const std::vector<TokenId>& sequence : *longest) EXPECT_LE(sequence.size(), 64u);
}

}  // namespace
}  // namespace wisp::text
