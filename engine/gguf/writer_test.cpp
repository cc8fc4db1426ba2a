#include "gguf/writer.h"

#include <gtest/gtest.h>

#include "tests/gguf_bytes.h"

namespace wisp::gguf {
namespace {

Metadata every_type() {
  Metadata metadata;
  metadata.set("u8", {ValueType::u8, std::uint64_t{255}});
  metadata.set("i8", {ValueType::i8, std::int64_t{-128}});
  metadata.set("u16", {ValueType::u16, std::uint64_t{65535}});
  metadata.set("i16", {ValueType::i16, std::int64_t{-32768}});
  metadata.set("u32", Value::u32(4294967295u));
  metadata.set("i32", Value::i32(-5));
  metadata.set("u64", {ValueType::u64, ~std::uint64_t{0}});
  metadata.set("i64", {ValueType::i64, std::int64_t{-1}});
  metadata.set("f32", Value::f32(0.1F));
  metadata.set("f64", {ValueType::f64, 0.1});
  metadata.set("bool", Value::boolean(true));
  metadata.set("text", Value::text(std::string("nul \0 and \xff", 10)));
  metadata.set("words", Value::strings({"a", "", "\xf0\x9f"}));
  metadata.set("empty", Value::strings({}));
  metadata.set("shorts", Value::integers(ValueType::i16, {-1, 300}));
  metadata.set("flags", Value::integers(ValueType::boolean, {0, 1}));
  metadata.set("floats", Value::floats(ValueType::f32, {0.5, -2.0}));
  metadata.set("doubles", Value::floats(ValueType::f64, {1e300}));
  return metadata;
}

void expect_equal(const Value& a, const Value& b) {
  ASSERT_EQ(a.type, b.type);
  if (a.type != ValueType::array) {
    EXPECT_EQ(a.data, b.data);
    return;
  }
  const Array& left = *std::get<std::shared_ptr<Array>>(a.data);
  const Array& right = *std::get<std::shared_ptr<Array>>(b.data);
  EXPECT_EQ(left.element, right.element);
  EXPECT_EQ(left.strings, right.strings);
  EXPECT_EQ(left.integers, right.integers);
  EXPECT_EQ(left.floats, right.floats);
}

const std::vector<TensorInfo> kTensors = {
    {.name = "one", .type = TensorType::f32, .n_dims = 1, .dims = {5, 1, 1, 1}},
    {.name = "blocks", .type = TensorType::q4_k, .n_dims = 2, .dims = {512, 3, 1, 1}},
    {.name = "four", .type = TensorType::f16, .n_dims = 4, .dims = {2, 3, 1, 2}},
};

TEST(Writer, WhatIsWrittenIsReadBack) {
  for (const std::uint32_t alignment : {1u, 32u, 256u}) {
    Metadata metadata = every_type();
    metadata.set("general.alignment", Value::u32(alignment));
    const std::vector<std::byte> bytes = test::write_gguf(
        metadata, kTensors,
        [](std::size_t i, std::span<std::byte> data) { std::ranges::fill(data, static_cast<std::byte>(i + 1)); });
    std::unique_ptr<ByteSource> source = from_memory(bytes, "written");
    const auto file = read_file(source);
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->version, 3);
    EXPECT_EQ(file->alignment, alignment);
    ASSERT_EQ(file->metadata.entries().size(), metadata.entries().size());
    for (std::size_t i = 0; i < metadata.entries().size(); ++i) {
      EXPECT_EQ(file->metadata.entries()[i].first, metadata.entries()[i].first);
      expect_equal(file->metadata.entries()[i].second, metadata.entries()[i].second);
    }
    ASSERT_EQ(file->tensors.size(), kTensors.size());
    for (std::size_t i = 0; i < kTensors.size(); ++i) {
      const TensorInfo& tensor = file->tensors[i];
      EXPECT_EQ(tensor.name, kTensors[i].name);
      EXPECT_EQ(tensor.type, kTensors[i].type);
      EXPECT_EQ(tensor.n_dims, kTensors[i].n_dims);
      EXPECT_EQ(tensor.dims, kTensors[i].dims);
      EXPECT_EQ(tensor.offset % alignment, 0);
      const std::span<const std::byte> data = file->sources[0]->view(tensor.offset, tensor.bytes);
      EXPECT_TRUE(std::ranges::all_of(data, [&](std::byte b) { return b == static_cast<std::byte>(i + 1); }));
    }
  }
}

// Versions 2 and 3 differ in the number alone (3 added a byte order that we refuse).
TEST(Writer, ItsFilesAreReadAsVersionTwoToo) {
  std::vector<std::byte> bytes = test::write_gguf(every_type(), kTensors);
  ASSERT_EQ(bytes[4], std::byte{3});
  bytes[4] = std::byte{2};
  std::unique_ptr<ByteSource> source = from_memory(bytes, "version 2");
  const auto file = read_file(source);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->version, 2);
  EXPECT_EQ(file->tensors.size(), kTensors.size());
}

TEST(Writer, RefusesWhatDoesNotFit) {
  const auto begin = [](const Metadata& metadata, const std::vector<TensorInfo>& tensors) {
    return Writer([](std::span<const std::byte>) -> Status { return {}; }).begin(metadata, tensors);
  };
  Metadata narrow;
  narrow.set("k", {ValueType::u8, std::uint64_t{256}});
  EXPECT_EQ(begin(narrow, {}).error().code, Code::invalid_argument);
  Metadata kind;
  kind.set("k", {ValueType::u8, 1.5});
  EXPECT_EQ(begin(kind, {}).error().code, Code::invalid_argument);
  Metadata array;
  array.set("k", Value::integers(ValueType::string, {1}));
  EXPECT_EQ(begin(array, {}).error().code, Code::invalid_argument);
  Metadata alignment;
  alignment.set("general.alignment", Value::u32(24));
  EXPECT_EQ(begin(alignment, {}).error().code, Code::invalid_argument);
  EXPECT_EQ(begin({}, {{.name = "t", .type = TensorType::q4_0, .dims = {33, 1, 1, 1}}}).error().code,
            Code::invalid_argument);
  constexpr std::uint64_t kLarge = std::uint64_t{1} << 62;
  EXPECT_EQ(begin({}, {{.name = "t", .n_dims = 2, .dims = {kLarge, 4, 1, 1}}}).error().code, Code::invalid_argument);
}

TEST(Writer, CountsTheDataItIsGiven) {
  std::uint64_t written = 0;
  Writer writer([&](std::span<const std::byte> piece) -> Status {
    written += piece.size();
    return {};
  });
  const std::vector<std::byte> data(64);
  ASSERT_TRUE(writer.begin({}, {{.name = "a", .dims = {5, 1, 1, 1}}, {.name = "b", .dims = {1, 1, 1, 1}}}));
  EXPECT_EQ(written % 32, 0);
  ASSERT_TRUE(writer.write_tensor_data(std::span(data).first(12)));
  EXPECT_FALSE(writer.finish());
  EXPECT_EQ(writer.write_tensor_data(std::span(data).first(9)).error().code, Code::invalid_argument);
  ASSERT_TRUE(writer.write_tensor_data(std::span(data).first(8)));
  EXPECT_EQ(written % 32, 0) << "padded once the tensor is complete";
  ASSERT_TRUE(writer.write_tensor_data(std::span(data).first(4)));
  EXPECT_TRUE(writer.finish());
  EXPECT_EQ(writer.write_tensor_data(data).error().code, Code::invalid_argument);
}

TEST(Writer, PassesOnWhatItsSinkSays) {
  Writer writer([](std::span<const std::byte>) -> Status { return fail(Code::io, "the disk is full"); });
  EXPECT_EQ(writer.begin({}, {}).error().message, "the disk is full");
}

}  // namespace
}  // namespace wisp::gguf
