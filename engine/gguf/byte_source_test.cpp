#include "gguf/byte_source.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "tests/test_data.h"

namespace wisp::gguf {
namespace {

std::vector<std::byte> counted(std::size_t n) {
  std::vector<std::byte> bytes(n);
  for (std::size_t i = 0; i < n; ++i) bytes[i] = static_cast<std::byte>(i * 7 % 251);
  return bytes;
}

// Reads [offset, offset + length) and compares it with what `whole` has there.
void expect_reads(ByteSource& source, const std::vector<std::byte>& whole, std::uint64_t offset, std::size_t length) {
  std::vector<std::byte> out(length);
  const Status status = source.read(offset, out);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_TRUE(std::equal(out.begin(), out.end(), whole.begin() + static_cast<std::ptrdiff_t>(offset)));
}

void expect_behaves(ByteSource& source, const std::vector<std::byte>& whole, bool has_view) {
  ASSERT_EQ(source.size(), whole.size());
  EXPECT_EQ(source.bytes_read(), 0);
  expect_reads(source, whole, 0, 10);
  expect_reads(source, whole, whole.size() - 3, 3);
  expect_reads(source, whole, whole.size(), 0);
  EXPECT_EQ(source.bytes_read(), 13);

  std::vector<std::byte> out(4);
  EXPECT_EQ(source.read(whole.size() - 3, out).error().code, Code::invalid_file);
  EXPECT_EQ(source.read(~std::uint64_t{0}, out).error().code, Code::invalid_file);
  EXPECT_TRUE(source.view(whole.size() - 3, 4).empty());
  EXPECT_TRUE(source.view(~std::uint64_t{0}, 4).empty());
  EXPECT_EQ(source.bytes_read(), 13) << "refused reads do not count";

  const std::span<const std::byte> view = source.view(5, 20);
  ASSERT_EQ(view.size(), has_view ? 20 : 0);
  EXPECT_TRUE(std::equal(view.begin(), view.end(), whole.begin() + 5));
  EXPECT_EQ(source.bytes_read(), has_view ? 33 : 13);
  source.will_need(3, 10);
  source.will_need(~std::uint64_t{0}, 10);
}

class TemporaryFile {
 public:
  explicit TemporaryFile(const std::vector<std::byte>& bytes)
      : path_(std::filesystem::path(testing::TempDir()) / "wisp-byte-source") {
    test::write_bytes(path_, bytes);
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

TEST(ByteSource, MemoryMappedAndPreadAgree) {
  const std::vector<std::byte> whole = counted(10'000);
  expect_behaves(*from_memory(whole, "memory"), whole, true);
  const TemporaryFile file(whole);
  auto mapped = open_mapped(file.path());
  ASSERT_TRUE(mapped) << mapped.error().message;
  expect_behaves(**mapped, whole, true);
  auto pread = open_pread(file.path());
  ASSERT_TRUE(pread) << pread.error().message;
  expect_behaves(**pread, whole, false);
}

TEST(ByteSource, EmptyFilesAreFiles) {
  const TemporaryFile file({});
  for (const auto open : {open_mapped, open_pread}) {
    auto source = open(file.path());
    ASSERT_TRUE(source) << source.error().message;
    EXPECT_EQ((*source)->size(), 0);
    EXPECT_TRUE((*source)->view(0, 0).empty());
    std::byte one{};
    EXPECT_FALSE((*source)->read(0, std::span(&one, 1)));
  }
}

TEST(ByteSource, WhatIsNoFileIsRefused) {
  for (const auto open : {open_mapped, open_pread}) {
    EXPECT_EQ(open("/nonexistent/model.gguf").error().code, Code::not_found);
    const auto folder = open(testing::TempDir());
    ASSERT_FALSE(folder);
    EXPECT_NE(folder.error().message.find("a directory"), std::string::npos);
    EXPECT_EQ(open("/dev/null").error().code, Code::io);
  }
}

TEST(ByteSource, PreadNoticesThatAFileShrank) {
  const TemporaryFile file(counted(5'000));
  auto source = open_pread(file.path());
  ASSERT_TRUE(source);
  std::filesystem::resize_file(file.path(), 100);
  std::vector<std::byte> out(1'000);
  EXPECT_EQ((*source)->read(50, out).error().code, Code::io);
}

TEST(StreamSource, WantsWhatIsMissing) {
  const std::vector<std::byte> whole = counted(100);
  const std::span<const std::byte> bytes = whole;
  StreamSource source(100, "stream");
  std::vector<std::byte> out(20);
  EXPECT_EQ(source.read(10, out).error().code, Code::need_more_data);
  EXPECT_EQ(source.wanted().offset, 10);
  EXPECT_EQ(source.wanted().length, 20);

  ASSERT_TRUE(source.feed(5, bytes.subspan(5, 20)));
  EXPECT_EQ(source.read(10, out).error().code, Code::need_more_data);
  EXPECT_EQ(source.wanted().offset, 25) << "the part that is there is not asked for again";
  EXPECT_EQ(source.wanted().length, 5);
  EXPECT_EQ(source.bytes_read(), 0);

  ASSERT_TRUE(source.feed(25, bytes.subspan(25, 5)));
  expect_reads(source, whole, 10, 20);
  EXPECT_EQ(source.bytes_read(), 20);
  EXPECT_EQ(source.read(90, out).error().code, Code::invalid_file);
}

TEST(StreamSource, PiecesPastTheEndAreRefused) {
  const std::vector<std::byte> whole = counted(100);
  StreamSource source(100, "stream");
  EXPECT_EQ(source.feed(1, whole).error().code, Code::invalid_argument);
  EXPECT_EQ(source.feed(~std::uint64_t{0}, whole).error().code, Code::invalid_argument);
  EXPECT_TRUE(source.feed(100, {}));
  EXPECT_EQ(source.buffered_bytes(), 0);
}

// Pieces in any order, overlapping, of any size: the whole can be read, and nothing is held twice.
TEST(StreamSource, OrderAndOverlapDoNotMatter) {
  const std::vector<std::byte> whole = counted(3'000);
  const std::span<const std::byte> bytes = whole;
  std::mt19937 random(3);
  for (int round = 0; round < 10; ++round) {
    StreamSource source(whole.size(), "stream");
    std::vector<bool> fed(whole.size());
    std::vector<std::byte> out(whole.size());
    while (!source.read(0, out)) {
      const std::size_t offset = random() % whole.size();
      const std::size_t length = 1 + random() % std::min<std::size_t>(whole.size() - offset, 400);
      ASSERT_TRUE(source.feed(offset, bytes.subspan(offset, length)));
      std::fill_n(fed.begin() + static_cast<std::ptrdiff_t>(offset), length, true);
      const auto held = static_cast<std::uint64_t>(std::count(fed.begin(), fed.end(), true));
      ASSERT_EQ(source.buffered_bytes(), held);
    }
    EXPECT_EQ(out, whole);
    EXPECT_EQ(source.buffered_bytes(), whole.size());
  }
}

TEST(StreamSource, DiscardingForgetsAndCanBeUndone) {
  const std::vector<std::byte> whole = counted(100);
  StreamSource source(100, "stream");
  ASSERT_TRUE(source.feed(0, whole));
  source.discard_before(60);
  EXPECT_EQ(source.buffered_bytes(), 40);
  expect_reads(source, whole, 60, 40);
  std::vector<std::byte> out(10);
  EXPECT_EQ(source.read(55, out).error().code, Code::need_more_data);
  ASSERT_TRUE(source.feed(0, whole));
  expect_reads(source, whole, 0, 100);
  source.discard_before(100);
  EXPECT_EQ(source.buffered_bytes(), 0);
}

}  // namespace
}  // namespace wisp::gguf
