#include "text/wpm.h"

#include <gtest/gtest.h>

#include "text/test_vocabulary.h"

namespace wisp::text {
namespace {

using test::add_token;
using test::encode;
using test::Ids;
using test::make_tokenizer;

// 0 [UNK], 1 [CLS], 2 [SEP], 3 [MASK], then what a test adds.
Vocabulary small_wpm() {
  Vocabulary vocabulary;
  vocabulary.model = TokenizerModel::wpm;
  vocabulary.unk = add_token(vocabulary, "[UNK]", TokenKind::unknown);
  vocabulary.bos = add_token(vocabulary, "[CLS]", TokenKind::control);
  vocabulary.sep = add_token(vocabulary, "[SEP]", TokenKind::control);
  add_token(vocabulary, "[MASK]", TokenKind::control);
  vocabulary.add_bos = vocabulary.add_sep = vocabulary.lowercase = vocabulary.strip_accents = true;
  return vocabulary;
}

TEST(Wpm, LongestTokensOneBehindTheOther) {
  Vocabulary vocabulary = small_wpm();
  const TokenId un = add_token(vocabulary, "\u2581un");
  const TokenId unable = add_token(vocabulary, "\u2581unable");
  const TokenId ab = add_token(vocabulary, "ab");
  const TokenId le = add_token(vocabulary, "le");
  const TokenId d = add_token(vocabulary, "d");
  const auto tokenizer = make_tokenizer(vocabulary);
  EXPECT_EQ(encode(*tokenizer, "unable unab"), (Ids{unable, un, ab}));
  EXPECT_EQ(encode(*tokenizer, "unabled"), (Ids{unable, d}));
  EXPECT_EQ(encode(*tokenizer, "unable unax un"), (Ids{unable, 0, un}));  // not to its end: unknown as a whole
  EXPECT_EQ(encode(*tokenizer, "d"), (Ids{0}));                           // no start of a word
  EXPECT_EQ(encode(*tokenizer, "un", {.add_special = true}), (Ids{1, un, 2}));
  EXPECT_EQ(encode(*tokenizer, "", {.add_special = true}), (Ids{1, 2}));
  EXPECT_EQ(encode(*tokenizer, "un[MASK]un", {.parse_special = true}), (Ids{un, 3, un}));
  EXPECT_EQ(tokenizer->decode({un, ab, le, unable}), " unable unable");
}

TEST(Wpm, Normalises) {
  Vocabulary vocabulary = small_wpm();
  const TokenId cafe = add_token(vocabulary, "\u2581cafe");
  const TokenId mark = add_token(vocabulary, "\u2581!");
  const TokenId plus = add_token(vocabulary, "\u2581+");
  const TokenId middle = add_token(vocabulary, "\u2581\u4E2D");
  const TokenId euro = add_token(vocabulary, "\u2581a\u20AC");
  const auto tokenizer = make_tokenizer(vocabulary);
  EXPECT_EQ(encode(*tokenizer, "CAF\u00C9 cafe\u0301"), (Ids{cafe, cafe}));   // capitals, accents
  EXPECT_EQ(encode(*tokenizer, "caf\u200Be\x01\uFFFD!"), (Ids{cafe, mark}));  // controls are dropped
  EXPECT_EQ(encode(*tokenizer,
                   "caf\xFF"
                   "e"),
            (Ids{cafe}));  // and what is not UTF-8
  EXPECT_EQ(encode(*tokenizer, "!cafe+\u4E2D\u4E2D"), (Ids{mark, cafe, plus, middle, middle}));
  EXPECT_EQ(encode(*tokenizer, "a\u20AC"), (Ids{euro}));  // of symbols only ASCII's stand alone
  EXPECT_EQ(encode(*tokenizer, "cafe\u3000\t\u00A0cafe"), (Ids{cafe, cafe}));
  vocabulary.strip_accents = false;
  EXPECT_EQ(encode(*make_tokenizer(vocabulary), "Cafe caf\u00E9"), (Ids{cafe, 0}));
  vocabulary.lowercase = false;
  EXPECT_EQ(encode(*make_tokenizer(vocabulary), "cafe Cafe"), (Ids{cafe, 0}));
}

TEST(Wpm, PlainTextGivesNoControlToken) {
  Vocabulary vocabulary = small_wpm();
  add_token(vocabulary, "\u2581end", TokenKind::control);
  EXPECT_EQ(encode(*make_tokenizer(vocabulary), "end"), (Ids{0}));
}

TEST(Wpm, OneLongWord) {
  Vocabulary vocabulary = small_wpm();
  const TokenId first = add_token(vocabulary, "\u2581a");
  std::string text = "a";
  for (int i = 0; i < 9; ++i) add_token(vocabulary, text += text);
  add_token(vocabulary, "a");
  const Ids ids = encode(*make_tokenizer(vocabulary), std::string((1 << 20) + 1, 'a'));
  EXPECT_EQ(ids.size(), 2049u);
  EXPECT_EQ(ids.front(), first);
}

}  // namespace
}  // namespace wisp::text
