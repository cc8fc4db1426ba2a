// Jinja's features one by one. What Python's jinja2 gives, set up as chat templates are rendered, was asked of it.
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "text/chat_template.h"
#include "text/jinja/strftime.h"
#include "text/jinja/test_render.h"

namespace wisp::text {
namespace {

using test::expect_all;
using test::kNow;
using test::render;
using test::text_of;

TEST(Jinja, WhitespaceControl) {
  expect_all({
      {"a\n{% if true %}\nb\n{% endif %}\nc\n", "a\nb\nc"},
      {"  {% if true %}x{% endif %}", "x"},
      {"  {%+ if true %}x{% endif %}", "  x"},
      {"{% if true +%}\nx{% endif %}", "\nx"},
      {"a  {{- 1 -}}  b", "a1b"},
      {"  {{ 1 }}\n", "  1"},
      {"{{ 1 }}\n\n", "1\n"},
      {"a\n  {# note #}\nb", "a\nb"},
      {"a \n {#- note -#} \n b", "ab"},
      {"{% raw %}{{ x }}{% y %}{% endraw %}", "{{ x }}{% y %}"},
      {"x {%- raw -%}  {{ y }}  {%- endraw %} z", "x{{ y }} z"},
      {"a\r\n{{ 'b' }}\rc", "a\nb\nc"},
  });
}

TEST(Jinja, LiteralsAndEscapes) {
  expect_all({
      {R"({{ 'a\n\t\\\'\x41\u00e9\U0001F600\101\q' }})", "a\n\t\\'A\u00e9\U0001F600A\\q"},
      {"{{ 'a' 'b' \"c\" }}", "abc"},
      {"{{ 1_000 }} {{ 0x1F }} {{ 0b101 }} {{ 0o17 }} {{ 1.5e3 }} {{ 2e-7 }}", "1000 31 5 15 1500.0 2e-07"},
      {"{{ [1, 'a', none, true, 1.0,] }}", "[1, 'a', None, True, 1.0]"},
      {"{{ (1,) }} {{ () }} {{ {'a': (1, 2), 3: []} }}", "(1,) () {'a': (1, 2), 3: []}"},
      {"{{ [\"it's\", 'say \"x\"', 'b\\\\', '\\n\\x01\u00e9'] }}",
       "[\"it's\", 'say \"x\"', 'b\\\\', '\\n\\x01\u00e9']"},
      {"{{ {'a': {}} }}", "{'a': {}}"},
  });
}

TEST(Jinja, Arithmetic) {
  expect_all({
      {"{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % -3 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 4 / 2 }}", "3 -4 -2 2 3.5 2.0"},
      {"{{ 2 ** 10 }} {{ 2 ** -1 }} {{ 2 ** 3 ** 2 }} {{ -2 ** 2 }}", "1024 0.5 64 4"},
      {"{{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 1e16 }} {{ 123456789012345680.0 }} {{ 0.1 + 0.2 }} {{ 1e-5 }}",
       "3.0 0.5 1e+16 1.2345678901234568e+17 0.30000000000000004 1e-05"},
      {"{{ true + 1 }} {{ 'ab' * 3 }} {{ [1] * 2 + [3] }} {{ 'a' ~ 1 ~ none ~ undefined_one }}",
       "2 ababab [1, 1, 3] a1None"},
      {"{{ 1 + 2 * 3 - 4 }} {{ 10 - 3 - 2 }} {{ 'x' ~ 1 + 'y' ~ 2 * 3 }}", "3 5 x1y6"},
  });
}

TEST(Jinja, ComparisonsAndLogic) {
  expect_all({
      {"{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 == true }} {{ 'a' != 'b' }}", "True False True True"},
      {"{{ 'ell' in 'hello' }} {{ 3 not in [1, 2] }} {{ 'a' in {'a': 1} }} {{ 2 in range(3) }}", "True True True True"},
      {"{{ not 1 == 2 }} {{ '' or 'x' }} {{ 0 and y.z }} {{ none or [] }}", "True x 0 []"},
      {"{{ [1, 2] < [1, 3] }} {{ 'Z' < 'a' }} {{ [1, {'a': 2}] == [1, {'a': 2.0}] }}", "True True True"},
      {"{{ 'a' if false }}|{{ 'a' if 1 else 'b' }}", "|a"},
      {"{{ 9007199254740993 == 9007199254740992.0 }} {{ 9007199254740993 > 9007199254740992.0 }}", "False True"},
  });
}

TEST(Jinja, SlicesAndItems) {
  expect_all(
      {
          {"{{ s[1:3] }} {{ s[::-1] }} {{ s[-2:] }} {{ s[:-9] }} {{ s[4:1:-2] }} {{ s[0] }}{{ s[-1] }}",
           "\u00e9l ol\u00e9h lo  o ho"},
          {"{{ l[1:] }} {{ l[::2] }} {{ l[::-1] }} {{ l[5:] }} {{ l[-100:100] }} {{ l[-1] }} {{ l.0 }} {{ l[9] is "
           "defined }}",
           "[2, 3] [1, 3] [3, 2, 1] [] [1, 2, 3] 3 1 False"},
          {"{{ d.a }} {{ d['a'] }} {{ d.items }} {{ d['items'] }} {{ d.missing is defined }}",
           "1 1 <built-in function items> 5 False"},
          {"{{ (1, 2, 3)[:2] }} {{ range(5)[1:3] | list }}", "(1, 2) [1, 2]"},
      },
      R"({"s": "h\u00e9lo", "l": [1, 2, 3], "d": {"a": 1, "items": 5}})");
}

TEST(Jinja, LoopsAndScopes) {
  expect_all(
      {
          {"{% for i in 'abc' %}{{ loop.index }}{{ i }}{{ ',' if not loop.last }}{% endfor %}", "1a,2b,3c"},
          {"{% for i in [] %}x{% else %}none{% endfor %}", "none"},
          {"{% for i in range(9) if i % 2 %}{{ i }}/{{ loop.length }} {% endfor %}", "1/4 3/4 5/4 7/4 "},
          {"{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}", "a=1;b=2;"},
          {"{% for a, (b, c) in [(1, (2, 3))] %}{{ a + b + c }}{% endfor %}", "6"},
          {"{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i "
           "}}{% endfor %}",
           "013"},
          {"{% for i in [1, 1, 2] %}{{ loop.previtem }}<{{ loop.nextitem }}{{ loop.changed(i) }}{{ loop.cycle('x', "
           "'y') }} {% endfor %}",
           "<1Truex 1<2Falsey 1<Truex "},
          {"{% for n in t recursive %}{{ n.v }}{% if n.c %}[{{ loop(n.c) }}]{% endif %}{{ loop.depth }}{% endfor %}",
           "1[22]1"},
          {"{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{{ x }}{% endfor %}{{ x }}", "21"},
          {"{% set ns = namespace(n=0) %}{% for i in range(3) %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}", "3"},
          {"{% if true %}{% set x = 5 %}{% endif %}{{ x }}", "5"},
          {"{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a }}", "3"},
          {"{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set c %}[{{ a }}]{% endset %}{{ c }}{% set d | upper %}x{% endset "
           "%}{{ d }}",
           "12[1]X"},
          {"{% generation %}x{% endgeneration %}{% filter upper | trim %} a {% endfilter %}{% print 1, 2 %}", "xA12"},
      },
      R"({"t": [{"v": 1, "c": [{"v": 2}]}]})");
}

TEST(Jinja, Macros) {
  expect_all({
      {"{% macro m(a, b=a ~ '!') %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }} {{ m(1, 2) }} {{ m(b=3, a=4) }}",
       "11! 12 43"},
      {"{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}", "(1, 2){'x': 3}"},
      {"{% macro m(x) %}<{{ caller(x) }}>{% endmacro %}{% call(y) m(7) %}y={{ y }}{% endcall %}", "<y=7>"},
      {"{% macro f(n) %}{{ n if n < 1 else n ~ f(n - 1) }}{% endmacro %}{{ f(3) }}", "3210"},
      {"{% macro m(a) %}{{ a is defined }}{% endmacro %}{{ m() }}{{ m(1) }}", "FalseTrue"},
      {"{% set ns = namespace() %}{% for i in [1] %}{% set z = 9 %}{% macro m() %}{{ z }}{% endmacro %}{% set ns.m = m "
       "%}{% endfor %}{{ ns.m() }}",
       "9"},
      {"{% macro m(a) %}{{ a }}{% endmacro %}{{ m(*[1]) }}{{ m(**{'a': 2}) }}", "12"},
  });
}

TEST(Jinja, Filters) {
  expect_all(
      {
          {"{{ ' a ' | trim }}|{{ 'xxaxx' | trim('x') }}|{{ 'a b' | title }}|{{ 'ABC' | lower }}|{{ 'abc' | capitalize "
           "}}",
           "a|a|A B|abc|Abc"},
          {"{{ [3, 1, 2] | sort }} {{ [3, 1, 2] | sort(reverse=true) }} {{ ['b', 'A'] | sort }} {{ [1, 2] | sum }}",
           "[1, 2, 3] [3, 2, 1] ['A', 'b'] 3"},
          {"{{ [1, 2, 3] | join('-') }} {{ [{'a': 1}, {'a': 2}] | map(attribute='a') | join }} {{ ['a'] | map('upper') "
           "| list }}",
           "1-2-3 12 ['A']"},
          {"{{ range(5) | select('odd') | list }} {{ range(3) | reject('eq', 1) | list }} {{ [0, 1] | select | list }}",
           "[1, 3] [0, 2] [1]"},
          {"{{ l | selectattr('r', 'equalto', 'u') | list | length }} {{ l | rejectattr('r', 'defined') | list }}",
           "1 [{}]"},
          {"{{ x | default('d') }} {{ '' | default('d', true) }} {{ none | default('d') }} {{ x.y | default(1) if x }}",
           "d d None "},
          {"{{ '42' | int }} {{ '4.9' | int }} {{ 'x' | int(7) }} {{ 'ff' | int(base=16) }} {{ '1.5' | float }} {{ 2.5 "
           "| round }} {{ 2.567 | round(2) }} {{ 5 | round }}",
           "42 4 7 255 1.5 2.0 2.57 5"},
          {"{{ {'b': 1, 'a': 2} | dictsort }} {{ {'b': 1, 'a': 2} | items | list }} {{ 'abc' | reverse }} {{ 'abc' | "
           "first }}{{ [1, 2] | last }}",
           "[('a', 2), ('b', 1)] [('b', 1), ('a', 2)] cba a2"},
          {"{{ 'a\nb\n\nc' | indent }}|{{ 'a\nb' | indent(2, true) }}", "a\n    b\n\n    c|  a\n  b"},
          {"{{ [1, 1, 2] | unique | list }} {{ [2, 5] | max }} {{ [2, 5] | min }} {{ 'a,b' | replace(',', ';') }} {{ "
           "-3 | abs }}",
           "[1, 2] 5 2 a;b 3"},
          {"{{ range(5) | batch(2) | list }} {{ range(5) | slice(2) | list }}",
           "[[0, 1], [2, 3], [4]] [[0, 1, 2], [3, 4]]"},
          {"{{ [{'k': 'a', 'v': 1}, {'k': 'b', 'v': 2}, {'k': 'a', 'v': 3}] | groupby('k') | map('first') | list }}",
           "['a', 'b']"},
          {"{{ '<&>' | e }} {{ 'a b/\u00e9' | urlencode }} {{ 'hello world foo' | truncate(8, leeway=0) }} {{ 'a bc d' "
           "| wordcount }}",
           "&lt;&amp;&gt; a%20b/%C3%A9 hello... 3"},
          {"{{ '%s-%d' | format('a', 3) }} {{ 1500 | filesizeformat }} {{ 'x' | center(5) }}|", "a-3 1.5 kB   x  |"},
      },
      R"({"l": [{"r": "u"}, {}]})");
}

TEST(Jinja, ToJson) {
  expect_all(
      {
          {"{{ v | tojson }}", "{\"b\": [1, 2.5, true, null], \"a\": \"\u00e9\\\"\\n</\"}"},
          {"{{ v | tojson(indent=2) }}",
           "{\n  \"b\": [\n    1,\n    2.5,\n    true,\n    null\n  ],\n  \"a\": \"\u00e9\\\"\\n</\"\n}"},
          {"{{ v | tojson(sort_keys=true, separators=(',', ':'), ensure_ascii=true) }}",
           R"({"a":"\u00e9\"\n</","b":[1,2.5,true,null]})"},
          {"{{ [] | tojson(indent=2) }}{{ {} | tojson }}{{ {1: 2, none: 3} | tojson }}{{ '\U0001F600' | "
           "tojson(ensure_ascii=true) }}",
           "[]{}{\"1\": 2, \"null\": 3}\"\\ud83d\\ude00\""},
      },
      R"({"v": {"b": [1, 2.5, true, null], "a": "\u00e9\"\n</"}})");
}

TEST(Jinja, StringMethods) {
  expect_all({
      {"{{ 'a,b,c'.split(',') }} {{ ' a  b '.split() }} {{ 'a,b,c'.split(',', 1) }} {{ 'a,b,c'.rsplit(',', 1) }} {{ ' "
       "a b '.split(none, 1) }}",
       "['a', 'b', 'c'] ['a', 'b'] ['a', 'b,c'] ['a,b', 'c'] ['a', 'b ']"},
      {"{{ 'xaxx'.strip('x') }} {{ 'xa'.lstrip('x') }} {{ 'abc'.startswith('ab') }} {{ 'abc'.endswith(('x', 'c')) }}",
       "a a True True"},
      {"{{ \"it's ok\".title() }} {{ 'aXa'.replace('a', 'b', 1) }} {{ 'abc'.find('c') }} {{ 'abc'.find('z') }} {{ "
       "'banana'.count('an') }}",
       "It'S Ok bXa 2 -1 2"},
      {"{{ '-'.join(['a', 'b']) }} {{ 'a=b=c'.partition('=') }} {{ 'a=b=c'.rpartition('=') }}",
       "a-b ('a', '=', 'b=c') ('a=b', '=', 'c')"},
      {"{{ '7'.zfill(3) }} {{ 'a'.ljust(3, '.') }} {{ 'a'.rjust(3) }} {{ 'aB'.swapcase() }} {{ "
       "'a\nb\r\nc'.splitlines() }}",
       "007 a..   a Ab ['a', 'b', 'c']"},
      {"{{ '{} {1} {x}'.format is defined }} {{ '{} {}'.format(1, 'a') }} {{ '{x:>4}|{y:.2f}|{z:,}'.format(x=1, y=2, "
       "z=12345) }} {{ '{0[a].b}'.format({'a': {'b': 1}}) if false }}",
       "True 1 a    1|2.00|12,345 "},
      {"{{ 'prefix_x'.removeprefix('prefix_') }} {{ '12'.isdigit() }} {{ 'Ab'.isupper() }} {{ '\u00c9T\u00c9'.lower() "
       "}}",
       "x True False \u00e9t\u00e9"},
      {"{{ '%s|%5.1f|%-4d|%04d|%x|%%' % ('a', 2.25, 3, 7, 255) }} {{ '%(a)s' % {'a': 1} }}",
       "a|  2.2|3   |0007|ff|% 1"},
  });
}

TEST(Jinja, Tests) {
  expect_all({
      {"{{ 1 is integer }}{{ 1.0 is float }}{{ true is boolean }}{{ true is integer }}{{ true is number }}",
       "TrueTrueTrueFalseTrue"},
      {"{{ 'a' is string }}{{ [] is sequence }}{{ {} is mapping }}{{ {} is iterable }}{{ none is none }}{{ x is "
       "defined }}{{ x is undefined }}",
       "TrueTrueTrueTrueTrueFalseTrue"},
      {"{{ 4 is even }}{{ 4 is divisibleby 2 }}{{ 3 is in [1, 3] }}{{ 'A' is upper }}{{ 1 is eq 1 }}{{ 2 is gt(1) }}{{ "
       "true is true }}{{ 1 is true }}",
       "TrueTrueTrueTrueTrueTrueTrueFalse"},
      {"{{ 1 is not string }}{{ not 1 is string }}{{ range is callable }}{{ 'upper' is filter }}{{ none is sameas none "
       "}}",
       "TrueTrueTrueTrueTrue"},
  });
}

TEST(Jinja, Globals) {
  expect_all({
      {"{{ range(3) | list }}{{ range(5, 0, -2) | list }} {{ dict(a=1) }} {{ strftime_now('%d %b %Y, %H:%M %A') }}",
       "[0, 1, 2][5, 3, 1] {'a': 1} 26 Jul 2025, 12:00 Saturday"},
      {"{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }} {% set j = joiner() "
       "%}{{ j() }}x{{ j() }}y",
       "abab x, y"},
      {"{{ {'a': 1}.get('b') }} {{ {'a': 1}.get('b', 2) }} {{ {'a': 1}.keys() | list }} {{ {'a': 1}.values() | list }}",
       "None 2 ['a'] [1]"},
  });
}

// As Python's lists do; the sandbox that chat templates are otherwise rendered in refuses all of this.
TEST(Jinja, ListsThatTheTemplateMadeCanChange) {
  expect_all({
      {"{% set a = [1] %}{% set b = a %}{% set _ = a.append(2) %}{{ b }} {{ _ }}", "[1, 2] None"},
      {"{% set n = namespace(ids=[]) %}{% macro m() %}{% set _ = n.ids.append('x') %}{% endmacro %}"
       "{{ m() }}{{ m() }}{{ n.ids }}",
       "['x', 'x']"},
      {"{% set a = [1, 2, 3] %}{{ a.pop(0) }} {{ a.pop() }} {{ a.pop(-1) }} {{ a }}", "1 3 2 []"},
      {"{% set a = [1] %}{% set _ = a.extend((2, 3)) %}{% set _ = a.extend('ab') %}{{ a }}", "[1, 2, 3, 'a', 'b']"},
      {"{% set a = [1, 2] %}{% set _ = a.insert(1, 'm') %}{% set _ = a.insert(-9, 'f') %}{% set _ = a.insert(9, 'l') %}"
       "{{ a }}",
       "['f', 1, 'm', 2, 'l']"},
      {"{% set a = [1, 2, 1] %}{% set _ = a.remove(1.0) %}{% set _ = a.reverse() %}{{ a }}{% set _ = a.clear() %}{{ a "
       "}}",
       "[1, 2][]"},
      {"{% set a = range(3) | list %}{% set _ = a.append(3) %}{{ a }}", "[0, 1, 2, 3]"},
      {"{% set a = [1] %}{% for x in a %}{% set _ = a.append(x) %}{% endfor %}{{ a }}", "[1, 1]"},
      {"{{ [].pop() }}", "error: line 1, column 10: pop from empty list"},
      {"{{ [1].pop(-2) }}", "error: line 1, column 11: pop index out of range"},
      {"{{ [1].remove(2) }}", "error: line 1, column 14: list.remove(x): x not in list"},
      {"{{ [1].append() }}", "error: line 1, column 14: append() needs the argument 'object'"},
  });
  // What the template was given stays as it is.
  expect_all(
      {
          {"{{ x.append(2) }}", "error: line 1, column 12: access to attribute 'append' of 'list' object is unsafe."},
          {"{% set a = x %}{{ a.pop() }}",
           "error: line 1, column 24: access to attribute 'pop' of 'list' object is unsafe."},
          {"{% set a = x.copy() %}{% set _ = a.append(2) %}{{ x }}{{ a }}", "[1][1, 2]"},
      },
      R"({"x": [1]})");
}

TEST(JinjaHostile, AListThatHoldsItselfIsBoundedAndFreed) {
  const std::string twice = "{% set a = [] %}{% set _ = a.append(a) %}{% set _ = a.append([a]) %}";
  for (const char* use : {"{{ a }}", "{{ a | tojson }}", "{{ a == a.copy() }}", "{{ a | string | length }}",
                          "{{ [a] < [a] }}", "{% for x in a recursive %}{{ loop(x) }}{% endfor %}"}) {
    const auto text = render(twice + use);
    if (!text) {
      EXPECT_EQ(text.error().code, Code::limit) << use << ": " << text.error().message;
    }
  }
  EXPECT_EQ(text_of(twice), "");
  const auto grows = render("{% set a = [1] %}{% for i in range(100) %}{% set _ = a.extend(a) %}{% endfor %}");
  ASSERT_FALSE(grows);
  EXPECT_EQ(grows.error().code, Code::limit);
  const auto front =
      render("{% set a = range(9999) | list %}{% for i in range(9999) %}{% set _ = a.insert(0, i) %}{% endfor %}");
  ASSERT_FALSE(front);
  EXPECT_EQ(front.error().code, Code::limit);
}

TEST(Jinja, ErrorsNameTheirPlace) {
  for (const auto& [source, message] : std::initializer_list<std::pair<const char*, const char*>>{
           {"a\n  {{ x + 1 }}", "line 2, column 8: 'x' is undefined"},
           {"{{ x.y.z }}", "line 1, column 5: 'x' is undefined"},
           {"{{ 'a'.nope() }}", "line 1, column 12: 'str object' has no attribute 'nope'"},
           {"\u00e9\u00e9{{ raise_exception('no ' ~ 'system') }}", "line 1, column 21: no system"},
           {"{{ 1 / 0 }}", "line 1, column 6: division by zero"},
           {"{{ 9223372036854775807 + 1 }}", "line 1, column 24: the result does not fit 64 bits"},
           {"{{ 1 + 'a' }}", "line 1, column 6: unsupported operand type(s) for +: 'int' and 'str'"},
           {"{{ 'a' + 1 }}", "line 1, column 8: can only concatenate str (not \"int\") to str"},
           {"{{ [1].sort() }}", "line 1, column 12: access to attribute 'sort' of 'list' object is unsafe."},
           {"{{ x | nope }}", "line 1, column 8: No filter named 'nope'."},
           {"{% if x is nope %}{% endif %}", "line 1, column 9: No test named 'nope'."},
           {"{% for a, b in [(1,)] %}{% endfor %}",
            "line 1, column 4: not enough values to unpack (expected 2, got 1)"},
           {"{{ 1 < 'a' }}", "line 1, column 6: '<' not supported between instances of 'int' and 'str'"},
           {"{% set x.y = 1 %}", "line 1, column 4: 'x' is undefined"},
           {"{{ range(3) | tojson }}", "line 1, column 15: Object of type range is not JSON serializable"},
       }) {
    const auto text = render(source);
    ASSERT_FALSE(text) << source << " gave " << *text;
    EXPECT_EQ(text.error().message, message) << source;
    EXPECT_EQ(text.error().code, Code::invalid_argument);
  }
}

TEST(Jinja, SyntaxErrorsNameTheirPlace) {
  for (const auto& [source, message] : std::initializer_list<std::pair<const char*, const char*>>{
           {"x\n{% if %}", "line 2, column 7: expected an expression, got '%}'"},
           {"{% if 1 %}", "line 1, column 11: the template ends where 'endif' is missing"},
           {"{{ 1 ", "line 1, column 1: the tag that starts here has no '}}'"},
           {"{{ (1 }}", "line 1, column 7: unexpected '}', expected ')'"},
           {"{# x", "line 1, column 1: the comment that starts here has no '#}'"},
           {"{{ 'x }}", "line 1, column 4: the string that starts here is not closed"},
           {"{% nope %}", "line 1, column 4: unknown tag 'nope'"},
           {"{% include 'x' %}", "line 1, column 4: 'include' needs other templates, and a chat template has none"},
           {"{% break %}", "line 1, column 4: 'break' stands outside a loop"},
           {"{{ 99999999999999999999 }}", "line 1, column 4: the number 99999999999999999999 does not fit 64 bits"},
           {"{{ a b }}", "line 1, column 6: expected '}}', got 'b'"},
           {"{% endif %}", "line 1, column 4: unknown tag 'endif'"},
           {"{% set true = 1 %}", "line 1, column 8: 'true' cannot be assigned to"},
           {"{{ 1 $ 2 }}", "line 1, column 6: unexpected character '$'"},
       }) {
    const auto parsed = ChatTemplate::parse(source);
    ASSERT_FALSE(parsed) << source;
    EXPECT_EQ(parsed.error().message, message);
    EXPECT_EQ(parsed.error().code, Code::invalid_file);
  }
}

// Each would take minutes or gigabytes, or the whole stack.
TEST(Jinja, HostileTemplatesHitALimit) {
  const std::string deep(100'000, '(');
  for (const std::string& source : std::initializer_list<std::string>{
           "{{ 'a' * 1000000000 }}",
           "{{ [0] * 1000000000000 }}",
           "{{ range(1000000000000) }}",
           "{% set ns = namespace(l=[0]) %}{% for i in range(99999) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
           "{% set ns = namespace(s='a') %}{% for i in range(99999) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
           "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
           "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
           "{% set ns = namespace(l=[]) %}{% for i in range(99999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}",
           "{% set n = namespace(l=[]) %}{% for i in range(99999) %}{% set n.l = [n.l] %}{% endfor %}{{ n.l|tojson }}",
           "{% set n = namespace(l=[]) %}{% for i in range(99999) %}{% set n.l = [n.l] %}{% endfor %}{{ n.l==[n.l] }}",
           "{% set ns = namespace() %}{% set ns.me = [ns] %}{{ ns }}",
           "{{ 'a' | center(1000000000000) }}",
           "{{ ('a' * 1000000) | replace('', 'b' * 1000000) }}",
           "{% set s = 'a' * 10000000 %}{% for i in range(99999) %}{{ s | length }}{% endfor %}",
           "{{ [1] | tojson(indent=1000000000000) }}",
           "{{ ('b' * 1000000 ~ 'a' * 1000000).rfind('c' ~ 'a' * 500000) }}",
           "{{ '{:999999}'.format(1) * 1000 }}",
           "{{ " + deep + "1" + std::string(deep.size(), ')') + " }}",
           "{{ " + std::string(100'000, '-') + "1 }}",
           "{{ " + std::string(100'000, '[') + std::string(100'000, ']') + " }}",
       }) {
    const auto text = render(source);
    ASSERT_FALSE(text) << source.substr(0, 100);
    EXPECT_EQ(text.error().code, Code::limit) << source.substr(0, 100) << ": " << text.error().message;
  }
}

TEST(Jinja, LimitsAreTheCallers) {
  EXPECT_TRUE(render("{{ [1, 2, 3] }}", "{}", {.max_steps = 20}));
  EXPECT_EQ(render("{{ [1, 2, 3] }}", "{}", {.max_steps = 5}).error().code, Code::limit);
  EXPECT_TRUE(render("{{ 'a' * 100 }}", "{}", {.max_output_bytes = 100}));
  EXPECT_EQ(render("{{ 'a' * 101 }}", "{}", {.max_output_bytes = 100}).error().code, Code::limit);
  EXPECT_EQ(render("{% for i in range(101) %}a{% endfor %}", "{}", {.max_output_bytes = 100}).error().code,
            Code::limit);
  EXPECT_TRUE(render("{{ ((((1)))) }}", "{}", {.max_depth = 20}));
  EXPECT_EQ(render("{{ ((((1)))) }}", "{}", {.max_depth = 5}).error().code, Code::limit);
}

// Namespaces, loops and macros can reach themselves; the leak checker of the sanitizer build watches.
TEST(Jinja, CyclesAreFreed) {
  EXPECT_EQ(text_of("{% set ns = namespace() %}{% set ns.me = ns %}{% set ns.l = [ns] %}x"), "x");
  EXPECT_EQ(text_of("{% for i in [1] %}{% if loop.changed(loop) %}x{% endif %}{% endfor %}"), "x");
  EXPECT_EQ(text_of("{% for i in [1] %}{% macro m() %}{{ m }}{% endmacro %}{% set k = [m, loop] %}x{% endfor %}"), "x");
}

TEST(Jinja, JsonIsReadExactly) {
  const auto value = jinja::parse_json(
      R"( {"b": 1, "a": [1.0, -2e3, 9223372036854775807, 9223372036854775808, "\ud83d\ude00\u0041"], "b": null} )");
  ASSERT_TRUE(value) << value.error().message;
  EXPECT_EQ(value->as_dict()->size(), 2u);
  EXPECT_TRUE(value->find("b")->is(jinja::Kind::none));
  const auto& items = value->find("a")->items();
  EXPECT_TRUE(items[0].is(jinja::Kind::real));
  EXPECT_EQ(items[1].as_real(), -2000.0);
  EXPECT_EQ(items[2].as_integer(), 9223372036854775807);
  EXPECT_TRUE(items[3].is(jinja::Kind::real));
  EXPECT_EQ(items[4].as_text(), "\U0001F600A");
  for (const char* bad :
       {"", "{", "[1,]", "{\"a\" 1}", "01", "1.", "-", "nul", "\"\\x\"", "\"\\u12\"", "1 2", "\"a\nb\"", "1e999"})
    EXPECT_FALSE(jinja::parse_json(bad)) << bad;
  EXPECT_EQ(jinja::parse_json(std::string(100'000, '[')).error().code, Code::limit);
  EXPECT_EQ(jinja::parse_json("[1,\n x]").error().message, "line 2, column 2: expected a JSON value");
}

TEST(Jinja, ManyKeysKeepTheirOrder) {
  jinja::Value dict = jinja::Value::dict();
  for (int i = 99; i >= 0; --i) dict.set("k" + std::to_string(i), jinja::Value::integer(i));
  dict.set("k50", jinja::Value::integer(-1));
  ASSERT_EQ(dict.as_dict()->size(), 100u);
  EXPECT_EQ(dict.as_dict()->entries()[0].first.as_text(), "k99");
  EXPECT_EQ(dict.find("k50")->as_integer(), -1);
  EXPECT_EQ(dict.find("k7")->as_integer(), 7);
  EXPECT_EQ(dict.find("none"), nullptr);
}

TEST(Time, FormatsAndParses) {
  EXPECT_EQ(format_time("%Y-%m-%d %H:%M:%S %j %-d %e %I %p %a %B %y %%", 951'827'696),
            "2000-02-29 12:34:56 060 29 29 12 PM Tue February 00 %");
  EXPECT_EQ(format_time("%F %T", -1), "1969-12-31 23:59:59");
  EXPECT_EQ(parse_iso_time("2025-07-26T12:00:00").value(), kNow);
  EXPECT_EQ(parse_iso_time("2025-07-26T12:00:00Z").value(), kNow);
  EXPECT_EQ(parse_iso_time("2025-07-26T12:00:00.250Z").value(), kNow) << "JavaScript's toISOString";
  EXPECT_EQ(parse_iso_time("2025-07-26T12:00:00.250000+00:00").value(), kNow) << "Python's isoformat";
  EXPECT_EQ(parse_iso_time("2025-07-26").value(), kNow - 12 * 3600);
  EXPECT_EQ(parse_iso_time("1970-01-01").value(), 0);
  for (const char* bad : {"", "2025", "2025-13-01", "2025-02-30", "2025-07-26T25:00", "2025-07-26x", "2025-07-26T12"})
    EXPECT_FALSE(parse_iso_time(bad)) << bad;
}

}  // namespace
}  // namespace wisp::text
