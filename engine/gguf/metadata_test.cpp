#include "gguf/metadata.h"

#include <gtest/gtest.h>

namespace wisp::gguf {
namespace {

Metadata example() {
  Metadata metadata;
  metadata.set("text", Value::text("hello"));
  metadata.set("small", Value::u32(7));
  metadata.set("signed", Value::i32(12));
  metadata.set("negative", Value::i32(-3));
  metadata.set("real", Value::f32(0.5F));
  metadata.set("flag", Value::boolean(true));
  metadata.set("words", Value::strings({"a", "b"}));
  return metadata;
}

TEST(Metadata, LooksUpByKeyAndKind) {
  const Metadata metadata = example();
  EXPECT_EQ(metadata.text("text"), "hello");
  EXPECT_EQ(metadata.unsigned_integer("small"), 7);
  EXPECT_EQ(metadata.unsigned_integer("signed"), 12) << "any integer type serves, if the value fits";
  EXPECT_EQ(metadata.number("real"), 0.5);
  EXPECT_EQ(metadata.number("negative"), -3.0);
  EXPECT_EQ(metadata.number("small"), 7.0);
  EXPECT_EQ(metadata.boolean("flag"), true);
  EXPECT_EQ((*metadata.array("words"))->strings, (std::vector<std::string>{"a", "b"}));
}

TEST(Metadata, MissingKeysAreNamed) {
  const Metadata metadata = example();
  const auto missing = metadata.unsigned_integer("llama.block_count");
  EXPECT_EQ(missing.error().code, Code::not_found);
  EXPECT_EQ(missing.error().message, "metadata key 'llama.block_count' is missing");
  EXPECT_EQ(metadata.text("nothing").error().code, Code::not_found);
  EXPECT_EQ(metadata.array("nothing").error().code, Code::not_found);
}

TEST(Metadata, WrongKindsNameBoth) {
  const Metadata metadata = example();
  const auto wrong = metadata.unsigned_integer("text");
  EXPECT_EQ(wrong.error().code, Code::invalid_file);
  EXPECT_EQ(wrong.error().message, "metadata key 'text' is of type string, expected an unsigned integer");
  EXPECT_EQ(metadata.unsigned_integer("negative").error().code, Code::invalid_file);
  EXPECT_EQ(metadata.unsigned_integer("real").error().code, Code::invalid_file);
  EXPECT_EQ(metadata.unsigned_integer("flag").error().code, Code::invalid_file);
  EXPECT_EQ(metadata.text("small").error().code, Code::invalid_file);
  EXPECT_EQ(metadata.number("flag").error().code, Code::invalid_file);
  EXPECT_EQ(metadata.boolean("small").error().code, Code::invalid_file);
  EXPECT_EQ(metadata.array("text").error().code, Code::invalid_file);
}

TEST(Metadata, DefaultsServeMissingKeysOnly) {
  const Metadata metadata = example();
  EXPECT_EQ(metadata.unsigned_integer_or("nothing", 3), 3);
  EXPECT_EQ(metadata.unsigned_integer_or("small", 3), 7);
  EXPECT_FALSE(metadata.unsigned_integer_or("text", 3));
  EXPECT_EQ(metadata.text_or("nothing", "x"), "x");
  EXPECT_FALSE(metadata.text_or("small", "x"));
  EXPECT_EQ(metadata.number_or("nothing", 1.5), 1.5);
  EXPECT_EQ(metadata.boolean_or("nothing", true), true);
  EXPECT_FALSE(metadata.boolean_or("real", true));
}

TEST(Metadata, KeysComeOnceAndKeepTheirOrder) {
  Metadata metadata = example();
  EXPECT_EQ(metadata.add("text", Value::u32(1)).error().code, Code::invalid_file);
  EXPECT_EQ(metadata.text("text"), "hello");
  ASSERT_TRUE(metadata.add("new", Value::u32(1)));
  metadata.set("text", Value::text("changed"));
  EXPECT_EQ(metadata.entries().front().first, "text");
  EXPECT_EQ(metadata.text("text"), "changed");
  EXPECT_EQ(metadata.entries().back().first, "new");
  EXPECT_EQ(metadata.entries().size(), 8);
}

}  // namespace
}  // namespace wisp::gguf
