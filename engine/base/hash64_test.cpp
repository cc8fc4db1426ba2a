#include "base/hash64.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace wisp {
namespace {

std::uint64_t hash_of(std::string_view text, std::uint64_t seed = 0) {
  return hash64(std::as_bytes(std::span(text)), seed);
}

// Published values of the reference implementation.
TEST(Hash64, KnownValues) {
  EXPECT_EQ(hash_of(""), 0xEF46DB3751D8E999u);
  EXPECT_EQ(hash_of("a"), 0xD24EC4F1A98C6E5Bu);
  EXPECT_EQ(hash_of("abc"), 0x44BC2CF5AD770999u);
  EXPECT_EQ(hash_of("Nobody inspects the spammish repetition"), 0xFBCEA83C8A378BF1u);
  EXPECT_EQ(hash_of("xxhash", 20141025), 0xB559B98D844E0635u);
}

TEST(Hash64, EveryByteAndTheLengthCount) {
  std::vector<std::byte> bytes(77);
  const std::uint64_t before = hash64(bytes);
  for (std::byte& byte : bytes) {
    byte = std::byte{1};
    EXPECT_NE(hash64(bytes), before);
    byte = std::byte{0};
  }
  for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_NE(hash64(std::span(bytes).first(n)), before) << n;
}

}  // namespace
}  // namespace wisp
