#include "text/rwkv.h"

#include <gtest/gtest.h>

#include "text/test_vocabulary.h"

namespace wisp::text {
namespace {

using test::add_token;
using test::encode;
using test::Ids;
using test::make_tokenizer;

TEST(Rwkv, TheLongestTokenEachTime) {
  Vocabulary vocabulary;
  vocabulary.model = TokenizerModel::rwkv;
  const TokenId end = add_token(vocabulary, "<s>", TokenKind::control);
  const TokenId line = add_token(vocabulary, "\\n");
  const TokenId lines = add_token(vocabulary, "\\n\\n");
  const TokenId byte = add_token(vocabulary, "\\xe4");
  const TokenId slash = add_token(vocabulary, "\\\\");
  const TokenId a = add_token(vocabulary, "a");
  const TokenId abc = add_token(vocabulary, "abc");
  const TokenId b = add_token(vocabulary, "b");
  const auto tokenizer = make_tokenizer(vocabulary);
  EXPECT_EQ(encode(*tokenizer, "abcab\n\n\n\\\xE4"), (Ids{abc, a, b, lines, line, slash, byte}));
  EXPECT_EQ(encode(*tokenizer, "a<s>b", {.add_special = true, .parse_special = true}), (Ids{a, end, b}));
  EXPECT_EQ(encode(*tokenizer, "a?b"), (Ids{a, b}));  // no token, and none for what is unknown
  EXPECT_EQ(tokenizer->decode({abc, lines, byte, slash}), "abc\n\n\xE4\\");
}

TEST(Rwkv, EscapesThatAreNoneStandForThemselves) {
  Vocabulary vocabulary;
  vocabulary.model = TokenizerModel::rwkv;
  for (const char* text : {"\\xg1", "\\x1", "\\'", "a\\", "\\t\\r"}) add_token(vocabulary, text);
  const auto tokenizer = make_tokenizer(vocabulary);
  EXPECT_EQ(tokenizer->token_bytes(0, true), "xg1");
  EXPECT_EQ(tokenizer->token_bytes(1, true), "x1");
  EXPECT_EQ(tokenizer->token_bytes(2, true), "'");
  EXPECT_EQ(tokenizer->token_bytes(3, true), "a\\");
  EXPECT_EQ(tokenizer->token_bytes(4, true), "\t\r");
}

}  // namespace
}  // namespace wisp::text
