// The template language: what it makes of good templates, and that errors name file, line and cause.
#include "gpu/shader/template.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "gpu/shader/expression.h"
#include "gpu/shader/wgsl_files.h"

namespace wisp::gpu {
namespace {

constexpr std::array kFiles = {
    WgslFile{"loop", "#for i in 0..N\na${i} = ${i * 4 + 1};\n#end\n"},
    WgslFile{"branches", "#if X == 0\nzero\n#elif X == 1\none\n#else\nmany\n#endif\nafter\n"},
    WgslFile{"inner", "${NAME_${p + 1}} ${ TEXT }\n"},
    WgslFile{"twice", "#include \"note\"\n#include \"note\"\n#include \"${WHICH}\"\n"},
    WgslFile{"note", "//# not copied\n  //# nor this\nkept // # and this\n"},
    WgslFile{"around", "#include \"around2\"\nA\n"},
    WgslFile{"around2", "#include \"around\"\nB\n"},
    WgslFile{"nested", "#for i in 0..2\n#for j in i..2\n#if i != j\n${i}${j}\n#endif\n#end\n#end\n"},
    WgslFile{"untaken", "#if 0\n${UNKNOWN}\n#elif 1\nyes\n#elif UNKNOWN\n#endif\n"},
    // Broken ones.
    WgslFile{"unknown name", "fine\n\n  ${UNKNOWN} \n"},
    WgslFile{"no endif", "x\n#if 1\n#for i in 0..1\n#end\n"},
    WgslFile{"no end", "#for i in 0..1\n"},
    WgslFile{"end for if", "#if 1\n#end\n"},
    WgslFile{"endif for for", "#for i in 0..1\n#endif\n"},
    WgslFile{"lone else", "a\n#else\n"},
    WgslFile{"word", "#define X 1\n"},
    WgslFile{"no brace", "${N\n"},
    WgslFile{"no quotes", "#include note\n"},
    WgslFile{"missing", "a\n#include \"nowhere\"\n"},
    WgslFile{"no dots", "#for i in 3\n#end\n"},
    WgslFile{"long loop", "#for i in 0 - 9223372036854775807..9223372036854775807\n#end\n"},
    WgslFile{"itself", "${SELF}\n"},
    WgslFile{"deep inside", "#for i in 0..3\n#if i == 2\n${1 / (i - 2)}\n#endif\n#end\n"},
};

Result<std::string_view> test_file(std::string_view name) {
  for (const WgslFile& file : kFiles) {
    if (file.name == name) return file.text;
  }
  return fail(Code::not_found, "there is no shader file '{}'", name);
}

std::string expanded(std::string_view file, const Defines& defines) {
  const Result<std::string> text = expand_template(file, defines, test_file);
  return text ? *text : "error: " + text.error().message;
}

TEST(ShaderTemplate, Expands) {
  EXPECT_EQ(expanded("loop", Defines().set("N", 3)), "a0 = 1;\na1 = 5;\na2 = 9;\n");
  EXPECT_EQ(expanded("loop", Defines().set("N", 0)), "");
  EXPECT_EQ(expanded("branches", Defines().set("X", 0)), "zero\nafter\n");
  EXPECT_EQ(expanded("branches", Defines().set("X", 1)), "one\nafter\n");
  EXPECT_EQ(expanded("branches", Defines().set("X", 7)), "many\nafter\n");
  EXPECT_EQ(expanded("inner", Defines().set("p", 1).set("NAME_2", "second").set("TEXT", "f(x)")), "second f(x)\n");
  EXPECT_EQ(expanded("twice", Defines().set("WHICH", "note")), "kept // # and this\n");
  EXPECT_EQ(expanded("around", {}), "B\nA\n");
  EXPECT_EQ(expanded("nested", {}), "01\n");
  EXPECT_EQ(expanded("untaken", {}), "yes\n");
}

TEST(ShaderTemplate, MalformedTemplatesNameFileAndLine) {
  const auto error_of = [](std::string_view file) {
    return expanded(file, Defines().set("N", 1).set("SELF", "${SELF}"));
  };
  EXPECT_EQ(error_of("unknown name"), "error: unknown name:3: 'UNKNOWN' is not defined");
  EXPECT_EQ(error_of("no endif"), "error: no endif:2: #if without #endif");
  EXPECT_EQ(error_of("no end"), "error: no end:1: #for without #end");
  EXPECT_EQ(error_of("end for if"), "error: end for if:2: #end closes an #if");
  EXPECT_EQ(error_of("endif for for"), "error: endif for for:2: #endif closes a #for");
  EXPECT_EQ(error_of("lone else"), "error: lone else:2: #else is out of place or unknown");
  EXPECT_EQ(error_of("word"), "error: word:1: #define is out of place or unknown");
  EXPECT_EQ(error_of("no brace"), "error: no brace:1: ${ without }");
  EXPECT_EQ(error_of("no quotes"), "error: no quotes:1: #include wants a name in quotes");
  EXPECT_EQ(error_of("missing"), "error: missing:2: there is no shader file 'nowhere'");
  EXPECT_EQ(error_of("no dots"), "error: no dots:1: #for wants 'NAME in FIRST..LAST'");
  EXPECT_TRUE(error_of("long loop").starts_with("error: long loop:1: #for from")) << error_of("long loop");
  EXPECT_TRUE(error_of("itself").starts_with("error: itself:1: ")) << error_of("itself");
  EXPECT_EQ(error_of("deep inside"), "error: deep inside:3: a division by zero in an expression");
}

TEST(ShaderTemplate, Expressions) {
  const Defines defines = Defines().set("A", 6).set("B", -2).set("WORD", "f32");
  const auto value = [&](std::string_view text) { return evaluate(text, defines).value_or(-999); };
  EXPECT_EQ(value("1 + 2 * 3 - 8 / 3 % 2"), 7);
  EXPECT_EQ(value("(1 + 2) * -A"), -18);
  EXPECT_EQ(value("!A == 0 && A > 5 || 0"), 1);
  EXPECT_EQ(value("A <= 6 && A >= 7"), 0);
  EXPECT_EQ(value("A != 6"), 0);
  EXPECT_EQ(value("10 - 3 - 2"), 5);
  EXPECT_EQ(value("A*B"), -12);
  EXPECT_EQ(value("defined(A) + defined( C )"), 1);
  std::string sum = "1";
  for (int i = 0; i < 200; ++i) sum += " + 1";
  EXPECT_EQ(value(sum), 201) << "length is no depth";
}

TEST(ShaderTemplate, MalformedExpressions) {
  const Defines defines = Defines().set("WORD", "f32").set("MOST", std::numeric_limits<std::int64_t>::max());
  const auto error = [&](std::string_view text) {
    const Result<std::int64_t> value = evaluate(text, defines);
    return value ? fmt::format("{}", *value) : value.error().message;
  };
  EXPECT_EQ(error("C"), "'C' is not defined");
  EXPECT_EQ(error("WORD + 1"), "'WORD' is 'f32', which is no number");
  EXPECT_EQ(error("1 / 0"), "a division by zero in an expression");
  EXPECT_EQ(error("1 % 0"), "a division by zero in an expression");
  EXPECT_EQ(error("MOST + 1"), "9223372036854775807 + 1 does not fit 64 bits");
  EXPECT_EQ(error("(-MOST - 1) / -1"), "-9223372036854775808 / -1 does not fit 64 bits");
  EXPECT_EQ(error("(-MOST - 1) % -1"), "0");
  EXPECT_EQ(error("1 2"), "'2' is left over in an expression");
  EXPECT_EQ(error("(1"), "a ) is missing in an expression");
  EXPECT_EQ(error("1 +"), "an expression ends too early");
  EXPECT_EQ(error(""), "an expression ends too early");
  EXPECT_EQ(error("?"), "'?' is no expression");
  EXPECT_EQ(error("defined A"), "defined wants (NAME)");
  EXPECT_EQ(error("99999999999999999999"), "'99999999999999999999' is no number");
  EXPECT_EQ(error(std::string(1000, '(')), "an expression is nested too deeply");
  EXPECT_EQ(error(std::string(1000, '!')), "an expression is nested too deeply");
}

TEST(ShaderTemplate, FilesAreEmbeddedWhole) {
  EXPECT_GT(wgsl_files().size(), 10u);
  for (const WgslFile& file : wgsl_files()) {
    EXPECT_TRUE(file.name.ends_with(".wgsl")) << file.name;
    EXPECT_TRUE(file.text.ends_with('\n')) << file.name;
  }
  const Result<std::string_view> missing = wgsl_file("nowhere.wgsl");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::not_found);
}

}  // namespace
}  // namespace wisp::gpu
