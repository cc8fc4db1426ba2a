#include "gguf/reader.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/gguf_bytes.h"
#include "tests/test_data.h"

namespace wisp::gguf {
namespace {

using test::GgufBytes;

// Refused, with this code and a message that holds each of `parts`.
void expect_refused(const GgufBytes& bytes, Code code, std::initializer_list<std::string_view> parts) {
  const Result<File> file = bytes.read();
  ASSERT_FALSE(file);
  EXPECT_EQ(code_name(file.error().code), code_name(code)) << file.error().message;
  for (const std::string_view part : parts) {
    EXPECT_NE(file.error().message.find(part), std::string::npos) << file.error().message << "\n  lacks: " << part;
  }
}

GgufBytes with_alignment(ValueType type, std::uint64_t alignment) {
  GgufBytes bytes;
  bytes.header(1, 1).key("general.alignment", type);
  if (value_type_bytes(type) == 1) bytes.number(static_cast<std::uint8_t>(alignment));
  if (value_type_bytes(type) == 4) bytes.number(static_cast<std::uint32_t>(alignment));
  if (value_type_bytes(type) == 8) bytes.number(alignment);
  return bytes.tensor("t", {4}, 0, 0);
}

constexpr std::uint32_t kF32 = 0;
constexpr std::uint32_t kQ4_0 = 2;

TEST(Reader, ReadsAllScalarTypes) {
  for (const std::uint32_t version : {2u, 3u}) {
    GgufBytes bytes;
    bytes.header(0, 12, version);
    bytes.key("u8", ValueType::u8).number<std::uint8_t>(255);
    bytes.key("i8", ValueType::i8).number<std::int8_t>(-128);
    bytes.key("u16", ValueType::u16).number<std::uint16_t>(65535);
    bytes.key("i16", ValueType::i16).number<std::int16_t>(-32768);
    bytes.key("u32", ValueType::u32).number<std::uint32_t>(4294967295u);
    bytes.key("i32", ValueType::i32).number<std::int32_t>(std::numeric_limits<std::int32_t>::min());
    bytes.key("f32", ValueType::f32).number(1.25F);
    bytes.key("bool", ValueType::boolean).number<std::uint8_t>(1);
    bytes.key("string", ValueType::string).text("\xff not UTF-8");
    bytes.key("u64", ValueType::u64).number(~std::uint64_t{0});
    bytes.key("i64", ValueType::i64).number(std::numeric_limits<std::int64_t>::min());
    bytes.key("f64", ValueType::f64).number(1e300);
    const auto file = bytes.read();
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->version, version);
    const Metadata& metadata = file->metadata;
    EXPECT_EQ(metadata.unsigned_integer("u8"), 255);
    EXPECT_EQ(metadata.number("i8"), -128);
    EXPECT_EQ(metadata.unsigned_integer("u16"), 65535);
    EXPECT_EQ(metadata.number("i16"), -32768);
    EXPECT_EQ(metadata.unsigned_integer("u32"), 4294967295u);
    EXPECT_EQ(metadata.number("i32"), -2147483648.0);
    EXPECT_EQ(metadata.number("f32"), 1.25);
    EXPECT_EQ(metadata.boolean("bool"), true);
    EXPECT_EQ(metadata.text("string"), "\xff not UTF-8");
    EXPECT_EQ(metadata.unsigned_integer("u64"), ~std::uint64_t{0});
    EXPECT_EQ(std::get<std::int64_t>(metadata.find("i64")->data), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(metadata.number("f64"), 1e300);
    EXPECT_EQ(metadata.find("u16")->type, ValueType::u16);
  }
}

TEST(Reader, ReadsArrays) {
  GgufBytes bytes;
  bytes.header(0, 4);
  bytes.key("words", ValueType::array).number(ValueType::string).number<std::uint64_t>(2).text("a").text("");
  bytes.key("signed", ValueType::array).number(ValueType::i8).number<std::uint64_t>(2);
  bytes.number<std::int8_t>(-1).number<std::int8_t>(5);
  bytes.key("flags", ValueType::array).number(ValueType::boolean).number<std::uint64_t>(2);
  bytes.number<std::uint8_t>(1).number<std::uint8_t>(0);
  bytes.key("none", ValueType::array).number(ValueType::f32).number<std::uint64_t>(0);
  const auto file = bytes.read();
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ((*file->metadata.array("words"))->strings, (std::vector<std::string>{"a", ""}));
  EXPECT_EQ((*file->metadata.array("signed"))->integers, (std::vector<std::int64_t>{-1, 5}));
  EXPECT_EQ((*file->metadata.array("flags"))->integers, (std::vector<std::int64_t>{1, 0}));
  EXPECT_EQ((*file->metadata.array("none"))->size(), 0);
}

TEST(Reader, RefusesOtherFormatsByName) {
  expect_refused(GgufBytes(), Code::invalid_file, {"ends inside the magic number"});
  expect_refused(GgufBytes().raw("tjgg").data(64), Code::invalid_file, {"'tjgg'", "not a GGUF file"});
  expect_refused(GgufBytes().header(0, 0, 1), Code::unsupported, {"version 1"});
  expect_refused(GgufBytes().header(0, 0, 0x03000000), Code::unsupported, {"big-endian"});
  expect_refused(GgufBytes().header(0, 0, 4), Code::unsupported, {"version 4", "2 and 3"});
  expect_refused(GgufBytes().header(0, 0, 0), Code::unsupported, {"version 0"});
}

// No count in the file leads to an allocation that the file's own size does not cover.
TEST(Reader, HoldsCountsAgainstTheBytesLeft) {
  constexpr std::uint64_t kHuge = std::uint64_t{1} << 60;
  expect_refused(GgufBytes().header(kHuge, 0), Code::invalid_file, {"tensor count", "1152921504606846976"});
  expect_refused(GgufBytes().header(0, kHuge), Code::invalid_file, {"metadata count"});
  for (const ValueType element : {ValueType::string, ValueType::u8, ValueType::f64}) {
    GgufBytes bytes;
    bytes.header(0, 1).key("list", ValueType::array).number(element).number(kHuge).data(100);
    expect_refused(bytes, Code::invalid_file, {"'list'", "the array's length"});
  }
  expect_refused(GgufBytes().header(0, 1).number(kHuge).data(64), Code::invalid_file, {"the key claims"});
  expect_refused(GgufBytes().header(0, 1).key("k", ValueType::string).number(kHuge), Code::invalid_file,
                 {"'k'", "string"});
}

TEST(Reader, RefusesCountsPastItsLimits) {
  GgufBytes keys;
  keys.header(0, kMaxKeys + 1).data(2'000'000);
  expect_refused(keys, Code::limit, {"metadata count", "65537"});
  GgufBytes elements;
  elements.header(0, 1).key("list", ValueType::array).number(ValueType::u8).number(kMaxArrayElements + 1);
  elements.data(kMaxArrayElements + 64);
  expect_refused(elements, Code::limit, {"'list'", "16777217"});
  GgufBytes name;
  name.header(0, 1).text(std::string(70'000, 'k')).data(64);
  expect_refused(name, Code::limit, {"70000", "65535"});
}

TEST(Reader, RefusesBadMetadata) {
  expect_refused(GgufBytes().header(0, 1).text("").number(4).number(4).data(32), Code::invalid_file, {"empty key"});
  expect_refused(GgufBytes().header(0, 1).text("k").number(13).number(4), Code::invalid_file, {"'k'", "type 13"});
  GgufBytes twice;
  twice.header(0, 2).key("k", ValueType::u8).number<std::uint8_t>(1).key("k", ValueType::u8).number<std::uint8_t>(1);
  expect_refused(twice.data(32), Code::invalid_file, {"'k'", "twice"});
  GgufBytes element;
  element.header(0, 1).key("k", ValueType::array).number(99).number<std::uint64_t>(1).data(32);
  expect_refused(element, Code::invalid_file, {"element type 99"});
  GgufBytes nested;
  nested.header(0, 1).key("k", ValueType::array).number(ValueType::array).number<std::uint64_t>(1).data(32);
  expect_refused(nested, Code::unsupported, {"arrays of arrays"});
  GgufBytes flag;
  flag.header(0, 1).key("k", ValueType::boolean).number<std::uint8_t>(2);
  expect_refused(flag.data(32), Code::invalid_file, {"'k'", "stored as 2"});
  GgufBytes large;
  large.header(0, 1)
      .key("k", ValueType::array)
      .number(ValueType::u64)
      .number<std::uint64_t>(1)
      .number(~std::uint64_t{0});
  expect_refused(large, Code::unsupported, {"18446744073709551615"});
}

TEST(Reader, AlignmentIsAnyPowerOfTwo) {
  for (const std::uint64_t alignment : {1u, 8u, 32u, 64u, 4096u}) {
    for (const ValueType type : {ValueType::u32, ValueType::u64, ValueType::i32}) {
      const auto file = with_alignment(type, alignment).data(16, alignment).read();
      ASSERT_TRUE(file) << file.error().message;
      EXPECT_EQ(file->alignment, alignment);
      EXPECT_EQ(file->header_bytes % alignment, 0);
      EXPECT_EQ(file->tensors[0].offset, file->header_bytes);
    }
  }
  for (const std::uint64_t alignment : {0u, 3u, 48u}) {
    expect_refused(with_alignment(ValueType::u32, alignment).data(64), Code::invalid_file,
                   {"alignment", "power of two"});
  }
  expect_refused(with_alignment(ValueType::i32, 0xFFFFFFFFu).data(64), Code::invalid_file, {"general.alignment", "-1"});
  for (const std::uint64_t alignment : {std::uint64_t{1} << 31, std::uint64_t{1} << 63}) {
    expect_refused(with_alignment(ValueType::u64, alignment).data(64), Code::invalid_file, {"past the end"});
  }
  GgufBytes text;
  text.header(0, 1).key("general.alignment", ValueType::string).text("32");
  expect_refused(text, Code::invalid_file, {"general.alignment", "string"});
}

TEST(Reader, TensorsMayLeaveGapsAndComeInAnyOrder) {
  GgufBytes bytes;
  bytes.header(2, 0).tensor("b", {32, 2}, kQ4_0, 128).tensor("a", {4, 2, 1, 3}, kF32, 0).data(128 + 36);
  const auto file = bytes.read();
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->tensors.size(), 2);
  const TensorInfo& a = *file->find("a");
  EXPECT_EQ(a.n_dims, 4);
  EXPECT_EQ(a.elements(), 24);
  EXPECT_EQ(a.rows(), 6);
  EXPECT_EQ(a.row_bytes(), 16);
  const TensorInfo& b = *file->find("b");
  EXPECT_EQ(b.type, TensorType::q4_0);
  EXPECT_EQ(b.bytes, 36);
  EXPECT_EQ(b.offset, file->header_bytes + 128);
  EXPECT_EQ(file->total_tensor_bytes(), 96 + 36);
  EXPECT_EQ(file->find("c"), nullptr);
}

TEST(Reader, RefusesBadTensors) {
  const auto one = [](const std::vector<std::uint64_t>& dims, std::uint32_t type, std::uint64_t offset) {
    return GgufBytes().header(1, 0).tensor("t", dims, type, offset).data(256);
  };
  constexpr std::uint64_t k2e32 = std::uint64_t{1} << 32;
  expect_refused(one({}, kF32, 0), Code::invalid_file, {"'t'", "0 dimensions"});
  expect_refused(one({1, 1, 1, 1, 1}, kF32, 0), Code::invalid_file, {"5 dimensions"});
  expect_refused(one({4, 0}, kF32, 0), Code::invalid_file, {"dimension 1 is 0"});
  expect_refused(one({k2e32, k2e32}, kF32, 0), Code::invalid_file, {"2^63"});
  expect_refused(one({k2e32, k2e32 / 2}, kF32, 0), Code::invalid_file, {"2^63"});
  expect_refused(one({k2e32, k2e32 / 4}, kF32, 0), Code::invalid_file, {"2^64 bytes"});
  expect_refused(one({32}, 4, 0), Code::unsupported, {"type number 4"});
  expect_refused(one({32}, ~0u, 0), Code::unsupported, {"4294967295"});
  expect_refused(one({48}, kQ4_0, 0), Code::invalid_file, {"48", "blocks of 32", "Q4_0"});
  expect_refused(one({4}, kF32, 8), Code::invalid_file, {"offset 8", "alignment"});
  expect_refused(one({65}, kF32, 0), Code::invalid_file, {"past the end"});
  expect_refused(one({4}, kF32, ~std::uint64_t{31}), Code::invalid_file, {"past the end"});
  GgufBytes unnamed;
  expect_refused(unnamed.header(1, 0).tensor("", {4}, kF32, 0).data(64), Code::invalid_file, {"empty name"});
  GgufBytes twice;
  twice.header(2, 0).tensor("t", {4}, kF32, 0).tensor("t", {4}, kF32, 32).data(64);
  expect_refused(twice, Code::invalid_file, {"'t'", "twice"});
  GgufBytes overlap;
  overlap.header(2, 0).tensor("second", {4}, kF32, 32).tensor("first", {9}, kF32, 0).data(64);
  expect_refused(overlap, Code::invalid_file, {"'first'", "'second'", "overlap"});
}

TEST(Reader, MessagesStayPrintable) {
  GgufBytes bytes;
  bytes.header(1, 0).tensor(std::string("\x1b[2J\xff") + std::string(500, 'x'), {0}, kF32, 0).data(64);
  const auto file = bytes.read();
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().message.find('\x1b'), std::string::npos);
  EXPECT_LT(file.error().message.size(), 200);
}

TEST(Reader, FailureLeavesTheSourceWithTheCaller) {
  const GgufBytes bytes;
  std::unique_ptr<ByteSource> source = from_memory(bytes.bytes(), "mine");
  const auto file = read_file(source);
  ASSERT_FALSE(file);
  EXPECT_NE(source, nullptr);
  EXPECT_TRUE(file.error().message.starts_with("mine: "));
}

// The shipped model's header through each kind of source; its tensor data stays unread.
TEST(Reader, ReadsTheHeaderAndLittleMore) {
  const std::string path = (test::source_dir() / "models" / "wisp-stories.gguf").string();
  for (const Access access : {Access::mapped, Access::pread}) {
    const auto file = open_model(path, access);
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->metadata.text("general.architecture"), "llama");
    EXPECT_LT(file->sources[0]->bytes_read(), 2 * file->header_bytes + 8192);
    EXPECT_GT(file->sources[0]->size(), 20 * file->header_bytes);
  }
}

// Fed only what it asks for, a stream is asked a number of times that grows with the logarithm of the header.
TEST(Reader, StreamsAskFewTimesAndNotForTensorData) {
  const std::vector<std::byte> bytes = test::read_bytes(test::source_dir() / "models" / "wisp-stories.gguf");
  std::unique_ptr<ByteSource> source = std::make_unique<StreamSource>(bytes.size(), "stream");
  auto& stream = static_cast<StreamSource&>(*source);
  int asked = 0;
  for (;;) {
    const auto file = read_file(source);
    if (file) {
      EXPECT_EQ(source, nullptr);
      EXPECT_EQ(file->tensors.size(),
                open_model((test::source_dir() / "models" / "wisp-stories.gguf").string())->tensors.size());
      EXPECT_LT(stream.buffered_bytes(), 2 * file->header_bytes + 8192);
      break;
    }
    ASSERT_EQ(file.error().code, Code::need_more_data) << file.error().message;
    ASSERT_LT(++asked, 20);
    const StreamSource::Range wanted = stream.wanted();
    ASSERT_GT(wanted.length, 0);
    ASSERT_TRUE(stream.feed(wanted.offset, std::span(bytes).subspan(wanted.offset, wanted.length)));
  }
  EXPECT_GT(asked, 2);
}

}  // namespace
}  // namespace wisp::gguf
