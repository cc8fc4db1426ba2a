#include "sample/stop_strings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace wisp::sample {
namespace {

using Strings = std::vector<std::string>;

StopMatcher make(const Strings& stops) {
  Result<StopMatcher> matcher = StopMatcher::create(stops);
  EXPECT_TRUE(matcher.has_value());
  return std::move(*matcher);
}

struct Outcome {
  std::string text;  // all that comes out
  std::string stop;  // the stop string found, "" for none
  bool operator==(const Outcome&) const = default;
};

// By definition: at the first end of any stop string, the longest that ends there.
Outcome naive(const std::string& text, const Strings& stops) {
  for (std::size_t end = 1; end <= text.size(); ++end) {
    const std::string seen = text.substr(0, end);
    std::string best;
    for (const std::string& stop : stops) {
      if (seen.ends_with(stop) && stop.size() > best.size()) best = stop;
    }
    if (!best.empty()) return {seen.substr(0, end - best.size()), best};
  }
  return {text, ""};
}

// How much of the end of `text` begins a stop string: no more and no less may be held back.
std::size_t naive_held(const std::string& text, const Strings& stops) {
  std::size_t longest = 0;
  for (const std::string& stop : stops) {
    for (std::size_t n = 1; n < stop.size(); ++n) {
      if (text.ends_with(stop.substr(0, n))) longest = std::max(longest, n);
    }
  }
  return longest;
}

TEST(StopMatcher, EqualsANaiveSearchHoweverTheTextIsCut) {
  std::mt19937 random(77);
  const auto random_string = [&](std::size_t n) {
    std::string text;
    for (std::size_t i = 0; i < n; ++i) text += static_cast<char>('a' + random() % 3);
    return text;
  };
  int stopped = 0, held = 0;
  for (int round = 0; round < 20'000; ++round) {
    Strings stops(1 + random() % 4);
    for (std::string& stop : stops) stop = random_string(1 + random() % 7);
    const std::string text = random_string(random() % 40);
    const Outcome expected = naive(text, stops);
    StopMatcher matcher = make(stops);
    std::string out;
    bool done = false;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t n = random() % 6;  // pieces may be empty
      done = matcher.push(std::string_view(text).substr(at, n), out);
      at = std::min(at + n, text.size());
      ASSERT_EQ(done, matcher.matched().has_value());
      if (done) continue;  // later pieces are ignored
      ASSERT_EQ(matcher.n_held(), naive_held(text.substr(0, at), stops)) << text.substr(0, at);
      ASSERT_EQ(out.size() + matcher.n_held(), at);
      held += matcher.n_held() > 0 ? 1 : 0;
    }
    matcher.flush(out);
    ASSERT_EQ((Outcome{out, done ? stops[*matcher.matched()] : ""}), expected) << text;
    stopped += done ? 1 : 0;
  }
  EXPECT_GT(stopped, 2000);
  EXPECT_LT(stopped, 19'000);
  EXPECT_GT(held, 2000);
}

TEST(StopMatcher, AcrossTokenBoundaries) {
  StopMatcher matcher = make({"<|im_end|>", "\nUser:"});
  std::string out;
  EXPECT_FALSE(matcher.push("Hello<", out));
  EXPECT_EQ(out, "Hello");
  EXPECT_FALSE(matcher.push("|im", out));
  EXPECT_EQ(out, "Hello");
  EXPECT_FALSE(matcher.push("age", out));
  EXPECT_EQ(out, "Hello<|image");
  EXPECT_TRUE(matcher.push("\nUser: and more", out));
  EXPECT_EQ(out, "Hello<|image");
  EXPECT_EQ(matcher.matched(), 1u);
  EXPECT_TRUE(matcher.push("ignored", out));
  matcher.flush(out);
  EXPECT_EQ(out, "Hello<|image");
}

TEST(StopMatcher, FlushGivesWhatWasHeldAndResetStartsAnew) {
  StopMatcher matcher = make({"abc"});
  std::string out;
  EXPECT_FALSE(matcher.push("xab", out));
  EXPECT_EQ(out, "x");
  matcher.flush(out);
  EXPECT_EQ(out, "xab");
  EXPECT_TRUE(matcher.push("abc", out));
  matcher.reset();
  EXPECT_FALSE(matcher.matched().has_value());
  EXPECT_FALSE(matcher.push("c", out));
  EXPECT_EQ(out, "xabc");
}

// U+20AC and U+20AD share two of their three bytes: the held part must be a whole character all the same.
TEST(StopMatcher, NeverCutsACharacter) {
  StopMatcher matcher = make({"\u20AC!"});
  std::string out;
  EXPECT_FALSE(matcher.push("1 \u20AD", out));
  EXPECT_EQ(out, "1 \u20AD");
  EXPECT_FALSE(matcher.push("2 \u20AC", out));
  EXPECT_EQ(out, "1 \u20AD2 ");
}

TEST(StopMatcher, HoldsNothingWithoutStopsAndRefusesEmptyOnes) {
  StopMatcher matcher = make({});
  std::string out;
  EXPECT_FALSE(matcher.push("anything\0at all", out));
  EXPECT_EQ(matcher.n_held(), 0u);
  EXPECT_EQ(out, "anything");
  const Result<StopMatcher> empty = StopMatcher::create(Strings{"a", ""});
  ASSERT_FALSE(empty.has_value());
  EXPECT_EQ(empty.error().code, Code::invalid_argument);
}

// A long stop string of one letter against a long text of it is the worst case of naive searches.
TEST(StopMatcher, IsLinear) {
  StopMatcher matcher = make({std::string(20'000, 'a') + "b"});
  std::string out;
  for (int i = 0; i < 1000; ++i) ASSERT_FALSE(matcher.push(std::string(1000, 'a'), out));
  EXPECT_EQ(matcher.n_held(), 20'000u);
  EXPECT_EQ(out.size(), 980'000u);
}

}  // namespace
}  // namespace wisp::sample
