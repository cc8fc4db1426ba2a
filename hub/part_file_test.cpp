#include "hub/part_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "tests/command.h"

namespace wisp::hub {
namespace {

class PartFileTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kSize = (std::uint64_t{5} << 20) + 17;
  [[nodiscard]] FileIdentity identity() const {
    return {.source = "hf:a/b@main:c.gguf", .size = kSize, .sha256 = {}, .validator = "\"tag\""};
  }
  test::TemporaryFolder folder_;
  std::string path_ = folder_ / "c.gguf";
};

TEST_F(PartFileTest, WhatWasAppendedIsThereAfterwards) {
  const std::string bytes(1000, 'x');
  {
    auto part = PartFile::create(path_, identity());
    ASSERT_TRUE(part);
    EXPECT_EQ(part->pieces(), 6u);
    EXPECT_EQ(part->length_of(5), 17u);
    ASSERT_TRUE(part->append(0, bytes));
    ASSERT_TRUE(part->append(3, bytes));
    ASSERT_TRUE(part->append(3, bytes));
    EXPECT_FALSE(part->append(5, bytes)) << "past the end of its piece";
  }  // as if the process were killed: nothing is written at the end
  const auto again = PartFile::resume(path_, identity().source);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->done_of(0), 1000u);
  EXPECT_EQ(again->done_of(3), 2000u);
  EXPECT_EQ(again->done_bytes(), 3000u);
  EXPECT_EQ(again->prefix(), 1000u);
  EXPECT_EQ(again->identity().validator, "\"tag\"");
  EXPECT_FALSE(PartFile::resume(path_, "hf:other/b@main:c.gguf"));
  EXPECT_EQ(std::filesystem::status(PartFile::part_path(path_)).permissions() & std::filesystem::perms::mask,
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

// A journal may be cut, changed or of other bytes: it is gone on with only where all of it makes sense.
TEST_F(PartFileTest, HostileJournalsAreOfNoUse) {
  ASSERT_TRUE(PartFile::create(path_, identity())->append(1, std::string(5000, 'x')));
  const std::string journal = PartFile::journal_path(path_);
  std::ifstream in(journal, std::ios::binary);
  const std::string good(std::istreambuf_iterator<char>(in), {});
  std::mt19937 random(5);
  for (int i = 0; i < 300; ++i) {
    std::string text = good;
    if (i % 3 == 0) text.resize(random() % text.size());
    for (auto n = random() % 3; n > 0 && !text.empty(); --n)
      text[random() % text.size()] = static_cast<char>(random());
    std::ofstream(journal, std::ios::binary | std::ios::trunc) << text;
    const auto part = PartFile::resume(path_, identity().source);
    if (!part) continue;
    for (std::size_t piece = 0; piece < part->pieces(); ++piece)
      ASSERT_LE(part->done_of(piece), part->length_of(piece));
  }
  std::ofstream(journal, std::ios::binary | std::ios::trunc) << good;
  ASSERT_TRUE(PartFile::resume(path_, identity().source));
  std::filesystem::resize_file(PartFile::part_path(path_), 1000);
  EXPECT_FALSE(PartFile::resume(path_, identity().source)) << "its bytes are gone";
}

}  // namespace
}  // namespace wisp::hub
