#include "base/room.h"

#include <gtest/gtest.h>

namespace wisp {
namespace {

// Not of what is there, but of whether the question is asked at all: an optimiser may answer it with yes.
TEST(Room, WhatTheSystemRefusesIsToldBefore) {
  EXPECT_TRUE(check_room(std::uint64_t{1} << 24, "a test"));
  for (const std::uint64_t bytes : {std::uint64_t{1} << 60, std::uint64_t{SIZE_MAX}}) {
    const Status answer = check_room(bytes, "a test");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Code::out_of_memory);
    EXPECT_NE(answer.error().message.find("a test"), std::string::npos);
  }
}

}  // namespace
}  // namespace wisp
