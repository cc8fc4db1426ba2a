// Filters for markup and lines, and letter case. What Python's jinja2 gives was asked of it.
#include <gtest/gtest.h>

#include "text/jinja/test_render.h"

namespace wisp::text {
namespace {

using test::expect_all;
using test::render;
using test::text_of;

TEST(JinjaText, StripTagsAndAttributes) {
  expect_all({
      {"{{ '<p>Hello &amp; <b>you</b>!<!-- a > b -->\\n  &#233;&#x20AC; &lt;i&gt; a < b</p>' | striptags }}",
       "Hello & you! \u00e9\u20ac <i> a"},
      {"{{ '  <a href=\"x\">x</a>  y  ' | striptags }}|{{ '<' | striptags }}|{{ 5 | striptags }}", "x y|<|5"},
      {"{{ {'class': 'a \"b\"', 'id': 3, 'no': none, 'u': missing, 'd': true} | xmlattr }}|{{ {} | xmlattr }}|{{ {'a': "
       "'<'} | xmlattr(false) }}",
       " class=\"a &#34;b&#34;\" id=\"3\" d=\"True\"||a=\"&lt;\""},
  });
}

TEST(JinjaText, WordWrap) {
  expect_all({
      {"{{ 'the quick brown fox jumps over the lazy dog' | wordwrap(10) }}",
       "the quick\nbrown fox\njumps over\nthe lazy\ndog"},
      {"{{ 'a well-known and ill-defined thing--or two -- and --opt' | wordwrap(9) }}",
       "a well-\nknown and\nill-\ndefined\nthing--or\ntwo --\nand --opt"},
      {"{{ 'abcdefghijklmnop qrs' | wordwrap(5) }}|{{ 'abcdefghijklmnop qrs' | wordwrap(5, false) }}",
       "abcde\nfghij\nklmno\np qrs|abcdefghijklmnop\nqrs"},
      {"{{ 'one two\\n\\nthree  four five ' | wordwrap(8, wrapstring=' / ') }}", "one two /  / three / four / five"},
      {"{{ 'long-hyphenated-word a-b x-y-z' | wordwrap(6) }}|{{ 'long-hyphenated-word' | wordwrap(6, "
       "break_on_hyphens=false) }}",
       "long-h\nyphena\nted-\nword\na-b\nx-y-z|long-h\nyphena\nted-wo\nrd"},
      {"{{ '  lead and  trail  ' | wordwrap(6) }}|", "  lead\nand\ntrail|"},
      {"{{ 'Z\u00fcrich \u00e9t\u00e9-l\u00e0 \u4e16\u754c\u4e16\u754c\u4e16\u754c' | wordwrap(4) }}",
       "Z\u00fcri\nch\n\u00e9t\u00e9-\nl\u00e0 \u4e16\n\u754c\u4e16\u754c\u4e16\n\u754c"},
      {"{{ '-------- abc' | wordwrap(3) }}|{{ 'ab ----------- cd' | wordwrap(6) }}",
       "---\n---\n--\nabc|ab ---\n------\n-- cd"},
      {"{{ 'thing--or, other---x y--' | wordwrap(7, false) }}", "thing--\nor,\nother\n---x\ny--"},
  });
}

TEST(JinjaText, Urlize) {
  expect_all({
      {"{{ 'See http://example.com/a?b=c&d, (https://x.org/y_(z)) www.test.de. foo.com bar.xyz me@mail.org <b>' | "
       "urlize }}",
       "See <a href=\"http://example.com/a?b=c&amp;d\" rel=\"noopener\">http://example.com/a?b=c&amp;d</a>, (<a "
       "href=\"https://x.org/y_(z)\" rel=\"noopener\">https://x.org/y_(z)</a>) <a href=\"https://www.test.de\" "
       "rel=\"noopener\">www.test.de</a>. <a href=\"https://foo.com\" rel=\"noopener\">foo.com</a> bar.xyz <a "
       "href=\"mailto:me@mail.org\">me@mail.org</a> &lt;b&gt;"},
      {"{{ 'mailto:a@b.co tel:123 ftp://x https://1.2.3.4:80/ http://[::1]/ http://localhost http://x.y:999999' | "
       "urlize(extra_schemes=['tel:', 'ftp://']) }}",
       "<a href=\"mailto:a@b.co\">a@b.co</a> <a href=\"tel:123\" rel=\"noopener\">tel:123</a> <a href=\"ftp://x\" "
       "rel=\"noopener\">ftp://x</a> <a href=\"https://1.2.3.4:80/\" rel=\"noopener\">https://1.2.3.4:80/</a> <a "
       "href=\"http://[::1]/\" rel=\"noopener\">http://[::1]/</a> <a href=\"http://localhost\" "
       "rel=\"noopener\">http://localhost</a> http://x.y:999999"},
      {"{{ 'https://example.com/very/long/path EXAMPLE.COM HTTP://A.BC @a@b.co' | urlize(12, true, target='_blank', "
       "rel='me') }}",
       "<a href=\"https://example.com/very/long/path\" rel=\"me nofollow noopener\" "
       "target=\"_blank\">https://exam...</a> <a href=\"https://EXAMPLE.COM\" rel=\"me nofollow noopener\" "
       "target=\"_blank\">EXAMPLE.COM</a> <a href=\"https://HTTP://A.BC\" rel=\"me nofollow noopener\" "
       "target=\"_blank\">HTTP://A.BC</a> @a@b.co"},
  });
}

TEST(JinjaText, LettersChangeCaseInAllAlphabets) {
  expect_all({
      {"{{ 'stra\u00dfe \ufb01n \u01c6 \u0130 \u0149' | upper }}|{{ '\u039f\u0394\u039f\u03a3 \u03a3 "
       "\u0391\u03a3\u0391 \u0130\u01c4\u10a0' | lower }}",
       "STRASSE FIN \u01c4 \u0130 \u02bcN|\u03bf\u03b4\u03bf\u03c2 \u03c3 \u03b1\u03c3\u03b1 i\u0307\u01c6\u2d00"},
      {"{{ '\u01c6x \u00dfa \ufb01n' | title }}|{{ '\u01c6X' | capitalize }}|{{ '\u00dfA \u03a3\u0391\u03a3' | "
       "capitalize }}",
       "\u01c4x SSa FIn|\u01c5x|Ssa \u03c3\u03b1\u03c2"},
      {"{{ '\u01c6x \u00dfa \ufb01n o\u2019neil \u10d0\u10d1'.title() }}|{{ '\u00dfA\u01c5'.swapcase() }}",
       "\u01c5x Ssa Fin O\u2019Neil \u10d0\u10d1|SSa\u01c5"},
      {"{{ '\u0411\u0415\u041b \u0531\u0562 \U00010400 \u1e9e \u212a'.lower() }}|{{ '\u0561 \U00010428 \u1f80 \u10d0 "
       "\u0131 \u017f'.upper() }}",
       "\u0431\u0435\u043b \u0561\u0562 \U00010428 \u00df k|\u0531 \U00010400 \u1f08\u0399 \u1c90 I S"},
      {"{{ '\u2160'.isupper() }} {{ '\u01c5'.isupper() }} {{ '\u00df'.islower() }} {{ '\u4e00'.isalpha() }} {{ "
       "'\u0663'.isdecimal() }} {{ '\u00b2'.isdigit() }} {{ '\u00b2'.isdecimal() }} {{ '\u00bd'.isnumeric() }} {{ "
       "'a\u0301'.isalpha() }}",
       "True False True True True True False True False"},
      {"{{ '\u0905\u0928 \u4e16\u754c a_b 12 -x' | wordcount }}", "5"},
  });
}

TEST(JinjaText, ErrorsNameTheirPlace) {
  expect_all({
      {"a\n{{ [1, 2] | random }}",
       "error: line 2, column 13: the filter 'random' is refused: a prompt has to come out the same every time"},
      {"{{ 'a' | wordwrap(0) }}", "error: line 1, column 10: invalid width 0 (must be > 0)"},
      {"{{ 'a' | wordwrap('x') }}", "error: line 1, column 10: width must be an int, not str"},
      {"{{ {'a b': 1} | xmlattr }}", "error: line 1, column 17: Invalid character in attribute name: 'a b'"},
      {"{{ 'a' | xmlattr }}", "error: line 1, column 10: xmlattr needs a dict, not str"},
      {"{{ 'a' | urlize(extra_schemes=['x']) }}", "error: line 1, column 10: 'x' is not a valid URI scheme prefix."},
      {"{{ 'a' | striptags(1) }}", "error: line 1, column 10: striptags() takes at most 0 arguments, got 1"},
  });
}

TEST(JinjaTextHostile, TextFiltersAreBounded) {
  // Bytes that are no UTF-8 pass through.
  const auto raw =
      ChatTemplate::parse("{{ x | upper }}{{ x | lower }}{{ x | title }}{{ x | wordwrap(1) }}{{ x | urlize }}");
  ASSERT_TRUE(raw);
  jinja::Value variables = jinja::Value::dict();
  variables.set("x", jinja::Value::string("a\xFF\xC3"));
  const auto text = raw->render(variables, 0);
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text,
            "A\xFF\xC3"
            "a\xFF\xC3"
            "A\xFF\xC3"
            "a\n\xFF\n\xC3"
            "a\xFF\xC3");
  const std::string a_million = "{% set s = 'a' * 1000000 %}";
  for (const char* filter : {"wordwrap(1)", "wordwrap(3, wrapstring='x' * 100000)", "urlize", "striptags", "upper"}) {
    const auto made = render(a_million + "{{ s | " + filter + " | length }}");
    if (!made) {
      EXPECT_EQ(made.error().code, Code::limit) << filter << made.error().message;
    }
  }
  for (const char* piece :
       {"<", "<!--", "&", "&#", "(", "&lt;(", "a-", "--a", "@", "http://a.", ".com ", "www.a.com "}) {
    for (const char* filter : {"wordwrap(9)", "urlize(1, rel='r' * 10000)", "striptags"}) {
      const auto made = render("{{ ('" + std::string(piece) + "' * 50000) | " + filter + " | length }}");
      if (!made) {
        EXPECT_EQ(made.error().code, Code::limit) << piece << filter << made.error().message;
      }
    }
  }
  EXPECT_EQ(text_of("{{ 'a' | wordwrap(9223372036854775807) }}"), "a");
}

}  // namespace
}  // namespace wisp::text
