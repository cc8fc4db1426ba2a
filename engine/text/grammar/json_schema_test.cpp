// JSON schemas: which texts are generated for them, and what is refused at which place.
#include <gtest/gtest.h>

#include "tests/grammar_tools.h"

namespace wisp::text::grammar {
namespace {

using test::read_with;
using test::Verdict;

struct Case {
  std::string schema;
  std::vector<std::string> accepted, rejected;
};

void expect(const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    const Result<Machine> machine = compile_machine(Notation::json_schema, one.schema);
    ASSERT_TRUE(machine) << one.schema << "\n" << machine.error().message;
    Automaton automaton(*machine, 8);
    for (const std::string& text : one.accepted) {
      EXPECT_EQ(read_with(automaton, text), Verdict::accepted) << one.schema << " on " << text;
    }
    for (const std::string& text : one.rejected) {
      EXPECT_NE(read_with(automaton, text), Verdict::accepted) << one.schema << " on " << text;
    }
  }
}

TEST(JsonSchemaTest, AnyValue) {
  for (const std::string schema : {"", "true", "{}", R"({"title": "x", "description": "y", "x-own": 1})"}) {
    expect({{schema,
             {"1", "-0.5e10", "\"a\\u00e9\\ud83d\\ude00\\n\"", "null", "true", "[]", "{}", "[1, [2], {\"a\": {}}]",
              "{\n  \"a\": 1,\n  \"b\": [\n    2\n  ]\n}"},
             {"", "01", "1.", "\"a", "\"\\x\"", "\"\n\"", "\"\\ud800\"", "nul", "[1,]", "{\"a\"}", "[1 , 2]", "'a'"}}});
  }
}

TEST(JsonSchemaTest, SimpleTypes) {
  expect({
      {R"({"type": "null"})", {"null"}, {"1"}},
      {R"({"type": "boolean"})", {"true", "false"}, {"0"}},
      {R"({"type": "integer"})", {"0", "-12", "123456789"}, {"1.5", "01", "-", "-0"}},
      {R"({"type": "number"})", {"0", "-1.25", "3e-5", "10.0"}, {"01", ".5", "1e"}},
      {R"({"type": ["string", "null"]})", {"null", "\"x\""}, {"1"}},
      {R"({"type": "string", "minLength": 2, "maxLength": 3})",
       {"\"ab\"", "\"é😀x\"", "\"\\n\\ud83d\\ude00\""},
       {"\"a\"", "\"abcd\"", "\"\""}},
      {R"({"const": {"a": [1, "x"]}})", {"{\"a\":[1,\"x\"]}", "{\n \"a\": [1, \"x\"] }"}, {"{\"a\":[1]}"}},
      {R"({"enum": ["a", 1, null, "\"\n\u00e9"]})", {"\"a\"", "1", "null", "\"\\\"\\né\""}, {"\"b\"", "2"}},
      {R"({"type": "string", "enum": ["a", 1, "abc"], "maxLength": 2})", {"\"a\""}, {"1", "\"abc\""}},
      {R"({"enum": [1, 2, 3], "const": 2})", {"2"}, {"1"}},
  });
}

TEST(JsonSchemaTest, Ranges) {
  expect({
      {R"({"type": "integer", "minimum": 0, "maximum": 120})", {"0", "7", "99", "120"}, {"-1", "121", "1200"}},
      {R"({"type": "integer", "minimum": -15, "exclusiveMaximum": 3})", {"-15", "-9", "0", "2"}, {"-16", "3", "-0"}},
      {R"({"type": "integer", "exclusiveMinimum": 9})", {"10", "123456"}, {"9", "-10"}},
      {R"({"type": "integer", "minimum": 1.5, "maximum": 3.5})", {"2", "3"}, {"1", "4"}},
      {R"({"type": "number", "minimum": 0.25, "maximum": 1})",
       {"0.25", "0.3", "0.999", "1", "1.0"},
       {"0.2", "0.249", "1.01", "0", "-0.5"}},
      {R"({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1})",
       {"0.5", "0.000001", "0.999999"},
       {"0", "0.0", "1", "1.0"}},
      {R"({"type": "number", "minimum": -1.5, "maximum": 2.75})",
       {"-1.5", "-0.1", "0", "2.75", "1.999"},
       {"-1.51", "2.76", "3"}},
      {R"({"type": "number", "minimum": 99.5})", {"99.5", "99.51", "100", "123456.75"}, {"99.4", "99", "9"}},
      {R"({"type": "number", "maximum": -2})", {"-2", "-2.5", "-100"}, {"-1.9", "0", "2"}},
      {R"({"type": "integer", "multipleOf": 7})", {"0", "7", "-14", "7007"}, {"8", "-1", "71"}},
      {R"({"type": "integer", "multipleOf": 5, "minimum": 3, "maximum": 16})", {"5", "10", "15"}, {"0", "20", "3"}},
      {R"({"type": "integer", "format": "int32"})", {"2147483647", "-2147483648"}, {"2147483648"}},
  });
}

TEST(JsonSchemaTest, Patterns) {
  expect({
      {R"({"type": "string", "pattern": "^[a-z]{2,3}$"})", {"\"ab\"", "\"abc\""}, {"\"a\"", "\"abcd\"", "ab"}},
      {R"({"pattern": "b"})", {"\"abc\"", "\"b\""}, {"\"ac\""}},
      {R"({"pattern": "^\"\\\\\n$"})", {R"("\"\\\n")"}, {"\"\"\\\n\""}},
      {R"({"pattern": "^[a-z]*$", "minLength": 2, "maxLength": 3})", {"\"ab\"", "\"abc\""}, {"\"a\"", "\"abcd\""}},
      {R"({"format": "date"})",
       {"\"2024-02-29\"", "\"1999-12-31\"", "\"2000-02-29\""},
       {"\"2023-02-29\"", "\"1900-02-29\"", "\"2024-13-01\"", "\"0000-01-01\""}},
      {R"({"format": "date-time"})",
       {"\"2024-01-02T03:04:05Z\"", "\"2024-01-02T03:04:05.123+01:00\""},
       {"\"2024-01-02\""}},
      {R"({"format": "uuid"})", {"\"123e4567-e89b-12d3-a456-426614174000\""}, {"\"123\""}},
      {R"({"format": "email"})", {"\"a.b@c-d.org\""}, {"\"a@b\"", "\"@b.org\""}},
      {R"({"format": "ipv4"})", {"\"0.25.199.255\""}, {"\"256.1.1.1\"", "\"1.1.1\""}},
      {R"({"format": "ipv6"})", {"\"::1\"", "\"1:2:3:4:5:6:7:8\"", "\"fe80::\""}, {"\"1:2\""}},
      {R"({"format": "uri"})", {"\"https://a.org/b?c=d#e\""}, {"\"a\""}},
      {R"({"type": "string", "format": "colour"})", {"\"anything\""}, {"1"}},
  });
}

TEST(JsonSchemaTest, Arrays) {
  expect({
      {R"({"type": "array"})", {"[]", "[1,\"a\"]"}, {"{}"}},
      {R"({"items": {"type": "integer"}, "minItems": 1, "maxItems": 2})",
       {"[1]", "[1, 2]"},
       {"[]", "[1,2,3]", "[\"a\"]"}},
      {R"({"prefixItems": [{"type": "integer"}, {"type": "string"}], "items": false})",
       {"[]", "[1]", "[1,\"a\"]"},
       {"[\"a\"]", "[1,\"a\",2]"}},
      {R"({"items": [{"type": "integer"}], "additionalItems": {"type": "null"}, "minItems": 2})",
       {"[1,null,null]"},
       {"[1]", "[1,2]"}},
      {R"({"type": "array", "maxItems": 0})", {"[]"}, {"[1]"}},
      {R"({"type": "array", "items": false})", {"[]"}, {"[1]"}},
      {R"({"type": "array", "items": {"const": 1}, "minItems": 3, "maxItems": 100000})", {"[1,1,1]"}, {"[1,1]"}},
  });
}

TEST(JsonSchemaTest, Objects) {
  const std::string person =
      R"({"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"},
          "mail": {"type": "null"}}, "required": ["age"])";
  expect({
      {person + "}",
       {R"({"name": "x", "age": 1, "mail": null})", R"({"age":1})", R"({"age":1,"mail":null})", "{\n  \"age\": 1\n}"},
       {"{}", R"({"name": "x"})", R"({"age":1,"name":"x"})", R"({"age":1,})", R"({"age":1,"other":1})"}},
      {person + R"(, "additionalProperties": {"type": "boolean"}})",
       {R"({"age":1,"other":true,"ag":false,"agee":true})"},
       {R"({"age":1,"other":1})", R"({"age":1,"name":true})"}},
      {R"({"type": "object"})", {"{}", R"({"a":{"b":1}})"}, {"[]"}},
      {R"({"additionalProperties": {"type": "integer"}})", {"{}", R"({"a":1,"b":2})"}, {R"({"a":"x"})"}},
      {R"({"type": "object", "additionalProperties": false})", {"{}"}, {R"({"a":1})"}},
      {R"({"required": ["a"]})", {R"({"a":[1]})", R"({"a":1,"b":2})"}, {"{}", R"({"b":2})"}},
      {R"({"properties": {"a": {}, "b": {}, "c": {}}, "minProperties": 2, "maxProperties": 2})",
       {R"({"a":1,"c":1})", R"({"b":1,"c":1})"},
       {"{}", R"({"a":1})", R"({"a":1,"b":1,"c":1})"}},
      {R"({"additionalProperties": {"const": 1}, "minProperties": 1, "maxProperties": 2})",
       {R"({"x":1})", R"({"x":1,"y":1})"},
       {"{}", R"({"x":1,"y":1,"z":1})"}},
      {R"({"properties": {"a\"b": {"const": 1}, "é": {"const": 2}}})", {R"({"a\"b":1,"é":2})"}, {R"({"ab":1})"}},
      {R"({"properties": {"a": false, "b": {"const": 1}}})", {"{}", R"({"b":1})"}, {R"({"a":1})"}},
  });
}

TEST(JsonSchemaTest, ReferencesAndAlternatives) {
  expect({
      {R"({"$ref": "#/$defs/a", "$defs": {"a": {"type": "integer"}}})", {"1"}, {"\"a\""}},
      {R"({"$defs": {"node": {"properties": {"v": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#/$defs/node"},
          {"type": "null"}]}}, "required": ["v", "next"]}}, "$ref": "#/$defs/node"})",
       {R"({"v":1,"next":null})", R"({"v":1,"next":{"v":2,"next":null}})"},
       {R"({"v":1})"}},
      {R"({"properties": {"kids": {"items": {"$ref": "#"}}}})", {R"({"kids":[{},{"kids":[]}]})"}, {R"({"kids":[1]})"}},
      {R"({"$ref": "#/$defs/a", "maximum": 5, "$defs": {"a": {"type": "integer", "minimum": 3}}})",
       {"3", "5"},
       {"2", "6"}},
      {R"({"$ref": "#name", "$defs": {"a": {"$anchor": "name", "const": 1}}})", {"1"}, {"2"}},
      {R"({"anyOf": [{"type": "integer"}, {"type": "string"}]})", {"1", "\"a\""}, {"null"}},
      {R"({"type": "integer", "anyOf": [{"maximum": 3}, {"minimum": 10}]})", {"2", "11"}, {"5", "\"a\""}},
      {R"({"oneOf": [{"type": "integer"}, {"type": "null"}]})", {"1", "null"}, {"\"a\""}},
      {R"({"oneOf": [{"properties": {"k": {"const": "a"}, "x": {"type": "integer"}}, "required": ["k"], "type": "object"},
          {"properties": {"k": {"const": "b"}}, "required": ["k"], "type": "object"}]})",
       {R"({"k":"a","x":1})", R"({"k":"b"})"},
       {R"({"k":"b","x":1})"}},
      {R"({"allOf": [{"properties": {"a": {"type": "integer"}}, "required": ["a"]}, {"properties": {"a": {"minimum": 3},
          "b": {"type": "null"}}}]})",
       {R"({"a":3})", R"({"a":4,"b":null})"},
       {R"({"a":2})", R"({"b":null})"}},
      {R"({"allOf": [{"enum": [1, 2]}, {"enum": [2, 3]}]})", {"2"}, {"1", "3"}},
      {R"({"allOf": [{"anyOf": [{"minimum": 0}, {"maximum": -5}]}, {"type": "integer"}]})", {"1", "-6"}, {"-3"}},
  });
}

TEST(JsonSchemaTest, WhatCannotBeHeldIsRefusedByPlace) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{", "line 1, column 2: the name of a member is expected"},
      {"[1, 2]", "at the root of the schema: a schema is an object, true or false"},
      {R"({"type": "int"})", "'int' is no type"},
      {R"({"properties": {"a": {"not": {}}}})", "at /properties/a: 'not' cannot be held"},
      {R"({"items": {"if": {}}})", "at /items: 'if' cannot be held"},
      {R"({"patternProperties": {"a": {}}})", "'patternProperties' cannot be held"},
      {R"({"properties": {"a/b": {"items": {"uniqueItems": true}}}})", "at /properties/a~1b/items: uniqueItems"},
      {R"({"type": "number", "multipleOf": 0.1})", "multipleOf 0.1 cannot be held"},
      {R"x({"pattern": "(?=a)"})x", "at /pattern: at byte 1 of the pattern: a look ahead"},
      {R"({"pattern": "^a[bc]$", "minLength": 3})", "say how long it is in the pattern alone"},
      {R"({"pattern": "a", "format": "date"})", "a pattern beside the format"},
      {R"({"$ref": "http://a.org/x"})", "leaves this schema"},
      {R"({"anyOf": [{"$ref": "#/$defs/x"}]})", "at /anyOf/0: nothing is there that '#/$defs/x' names"},
      {R"({"oneOf": [{"type": "integer"}, {"type": "number"}]})", "at /oneOf: alternatives 0 and 1 may both be valid"},
      {R"({"oneOf": [{"properties": {"a": {}}}, {"type": "string"}]})", "may both be valid"},
      {R"({"minimum": "x"})", "minimum is no number"},
      {R"({"minLength": -1, "type": "string"})", "minLength is no count"},
      {R"({"allOf": [{"pattern": "a"}, {"pattern": "b"}]})", "two different values of 'pattern'"},
      {R"({"$ref": "#"})", "no text can ever match"},
      {R"({"anyOf": [{"$ref": "#"}, {"const": 1}]})", "left recursion: # -> #"},
      {R"({"allOf": [{"$ref": "#"}, {"type": "object"}]})", "perhaps without end"},
      {R"({"type": "integer", "minimum": 3, "maximum": 2})", "no text can ever match"},
      {R"({"a": 1, "a": 2})", "the member 'a' is there twice"},
      {"false", "no text can ever match"},
  };
  for (const auto& [schema, message] : cases) {
    const Result<Machine> machine = compile_machine(Notation::json_schema, schema);
    ASSERT_FALSE(machine) << schema;
    EXPECT_NE(machine.error().message.find(message), std::string::npos) << schema << "\n" << machine.error().message;
  }
}

}  // namespace
}  // namespace wisp::text::grammar
