#include "text/unicode.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace wisp::text {
namespace {

TEST(Utf8, EveryScalarValueRoundTrips) {
  for (char32_t code = 0; code <= 0x10FFFF; ++code) {
    if (code == 0xD800) code = 0xE000;
    std::string bytes;
    append_utf8(bytes, code);
    const Utf8Char read = decode_utf8(bytes, 0);
    ASSERT_EQ(read.state, Utf8State::valid) << static_cast<unsigned>(code);
    ASSERT_EQ(read.code, code);
    ASSERT_EQ(read.length, bytes.size());
    // Each proper prefix may still become valid; it is never valid itself.
    for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
      const Utf8Char part = decode_utf8(std::string_view(bytes).substr(0, cut), 0);
      ASSERT_EQ(part.state, Utf8State::incomplete);
      ASSERT_EQ(part.length, cut);
    }
  }
}

TEST(Utf8, WhatIsNotACharacterIsInvalidAtItsMaximalSubpart) {
  const auto lengths = [](std::string_view text) {
    std::vector<int> out;  // negative: not a character
    for (std::size_t at = 0; at < text.size();) {
      const Utf8Char c = decode_utf8(text, at);
      out.push_back(c.state == Utf8State::valid ? static_cast<int>(c.length) : -static_cast<int>(c.length));
      at += c.length;
    }
    return out;
  };
  EXPECT_EQ(lengths("\xC0\xAF"), (std::vector{-1, -1}));                  // overlong '/'
  EXPECT_EQ(lengths("\xE0\x80\xAF"), (std::vector{-1, -1, -1}));          // overlong
  EXPECT_EQ(lengths("\xED\xA0\x80"), (std::vector{-1, -1, -1}));          // surrogate
  EXPECT_EQ(lengths("\xF4\x90\x80\x80"), (std::vector{-1, -1, -1, -1}));  // above U+10FFFF
  EXPECT_EQ(lengths("\xE4\xBD X"), (std::vector{-2, 1, 1}));
  EXPECT_EQ(lengths("\xF0\x9F\x98"), (std::vector{-3}));
  EXPECT_EQ(lengths("\x80\xFF\xFE"), (std::vector{-1, -1, -1}));
  EXPECT_EQ(replace_invalid_utf8("a\xE4\xBD b", Replace::piece), "a\uFFFD b");
  EXPECT_EQ(replace_invalid_utf8("a\xE4\xBD b", Replace::byte), "a\uFFFD\uFFFD b");
  EXPECT_TRUE(is_utf8("plain text, long enough for words; caf\u00E9"));
  EXPECT_FALSE(is_utf8("plain text, long enough for words; caf\xE9"));
}

TEST(Unicode, CategoriesOfKnownCharacters) {
  EXPECT_EQ(category(U'A'), Category::Lu);
  EXPECT_EQ(category(U'\u01C5'), Category::Lt);
  EXPECT_EQ(category(U'\u0301'), Category::Mn);
  EXPECT_EQ(category(U'\u0967'), Category::Nd);  // Devanagari one
  EXPECT_EQ(category(U'\u2160'), Category::Nl);  // Roman numeral one
  EXPECT_EQ(category(U'_'), Category::Pc);
  EXPECT_EQ(category(U'\u20AC'), Category::Sc);
  EXPECT_EQ(category(U'\U0001F600'), Category::So);
  EXPECT_EQ(category(U'\u200D'), Category::Cf);
  EXPECT_EQ(category(U'\U00020BB7'), Category::Lo);  // CJK extension B
  EXPECT_EQ(category(U'\U0010FFFF'), Category::Cn);
  EXPECT_EQ(category(0x110000), Category::Cn);
  EXPECT_EQ(category(0xFFFFFFFF), Category::Cn);
  EXPECT_TRUE(is_letter(U'\u4E00') && is_number(U'7') && is_mark(U'\u0E31') && is_punctuation(U'!') && is_symbol(U'+'));
}

TEST(Unicode, WhiteSpaceIsTheProperty) {
  std::vector<char32_t> found;
  for (char32_t code = 0; code < 0x110000; ++code) {
    if (is_space(code)) found.push_back(code);
  }
  const std::vector<char32_t> expected = {0x09,   0x0A,   0x0B,   0x0C,   0x0D,   0x20,   0x85,   0xA0,   0x1680,
                                          0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008,
                                          0x2009, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000};
  EXPECT_EQ(found, expected);
}

TEST(Unicode, SimpleCaseMappings) {
  EXPECT_EQ(to_lower(U'A'), U'a');
  EXPECT_EQ(to_upper(U'z'), U'Z');
  EXPECT_EQ(to_lower(U'\u0100'), U'\u0101');  // runs of step 2
  EXPECT_EQ(to_lower(U'\u0101'), U'\u0101');
  EXPECT_EQ(to_upper(U'\u0101'), U'\u0100');
  EXPECT_EQ(to_upper(U'\u044F'), U'\u042F');
  EXPECT_EQ(to_upper(U'\u00DF'), U'\u00DF');
  EXPECT_EQ(to_upper(U'\u00FF'), U'\u0178');
  EXPECT_EQ(to_lower(U'\U00010400'), U'\U00010428');
  EXPECT_EQ(to_lower(U'\u0130'), U'i');
  EXPECT_EQ(to_lower(U'1'), U'1');
  EXPECT_EQ(to_upper(0xFFFFFFFF), char32_t{0xFFFFFFFF});
}

TEST(Unicode, BasesOfDecompositions) {
  EXPECT_EQ(base_of(U'a'), U'a');
  EXPECT_EQ(base_of(U'\u00E9'), U'e');
  EXPECT_EQ(base_of(U'\u1EA4'), U'A');       // two marks
  EXPECT_EQ(base_of(U'\u00D8'), U'\u00D8');  // a stroke is no mark
  EXPECT_EQ(base_of(U'\uAC01'), U'\u1100');  // Hangul: the first of its letters
  EXPECT_EQ(base_of(U'\uF900'), U'\u8C48');
  EXPECT_EQ(base_of(U'\U0002FA1D'), U'\U0002A600');
  EXPECT_EQ(base_of(0xFFFFFFFF), char32_t{0xFFFFFFFF});
}

}  // namespace
}  // namespace wisp::text
