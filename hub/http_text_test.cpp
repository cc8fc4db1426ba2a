#include <gtest/gtest.h>

#include "hub/http.h"

namespace wisp::hub {
namespace {

TEST(HttpText, ContentRangesAreTakenOnlyWhole) {
  const auto range = parse_content_range("bytes 10-19/400");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->first, 10u);
  EXPECT_EQ(range->last, 19u);
  EXPECT_EQ(range->total, 400u);
}

TEST(HttpText, HostileHeadersAreNothing) {
  for (const char* text :
       {"", "bytes", "bytes 1-2", "bytes */400", "bytes 1-2/*", "bytes 5-4/10", "bytes 1-10/10", "bytes -1-2/3",
        "bytes 1-2/3 ", "items 1-2/3", "bytes 99999999999999999999-1/2", "bytes 1-2/3x"}) {
    const bool blank_end = std::string_view(text).ends_with(' ');  // as trimmed lines are
    EXPECT_EQ(parse_content_range(text).has_value(), blank_end) << text;
  }
  for (const char* text : {"", "soon", "-1", "1.5", "Wed, 99 Foo 2020"}) EXPECT_FALSE(parse_retry_after(text)) << text;
  EXPECT_EQ(parse_retry_after("3"), std::chrono::seconds(3));
  EXPECT_EQ(parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), std::chrono::seconds(0));
  EXPECT_EQ(header_value("ETag: \"x\"\r\n", "etag"), "\"x\"");
  EXPECT_EQ(header_value("ETagX: y", "etag"), std::nullopt);
  EXPECT_EQ(header_value("", "etag"), std::nullopt);
}

TEST(HttpText, PathsAreEncoded) { EXPECT_EQ(percent_encoded("a b/c?#%\xC3\xA4-._~"), "a%20b%2Fc%3F%23%25%C3%A4-._~"); }

TEST(HttpText, PausesGrowAndEnd) {
  const Patience patience;
  EXPECT_EQ(patience.before_retry(1), patience.pause);
  EXPECT_EQ(patience.before_retry(3), patience.pause * 4);
  EXPECT_EQ(patience.before_retry(1000), patience.pause * 64);
}

}  // namespace
}  // namespace wisp::hub
