#include "api/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <vector>

#include "tests/test_data.h"

namespace wisp::api {
namespace {

std::vector<std::byte> shipped_model() { return test::read_bytes(test::source_dir() / "models/wisp-stories.gguf"); }

std::unique_ptr<Session> session_for(std::size_t bytes, int threads = 1) {
  auto session = Session::create(bytes, threads);
  EXPECT_TRUE(session.has_value());
  return session ? std::move(*session) : nullptr;
}

// Feeds [begin, end) in pieces, the last one first.
void feed(Session& session, std::span<const std::byte> bytes, std::size_t begin, std::size_t end) {
  constexpr std::size_t kPiece = 700'001;
  while (end > begin) {
    const std::size_t from = end - begin > kPiece ? end - kPiece : begin;
    const Status fed = session.feed(from, bytes.subspan(from, end - from));
    ASSERT_TRUE(fed) << fed.error().message;
    end = from;
  }
}

std::unique_ptr<Session> loaded(LoadOptions options, int threads = 1) {
  const std::vector<std::byte> bytes = shipped_model();
  auto session = session_for(bytes.size(), threads);
  feed(*session, bytes, 0, bytes.size());
  const Status status = session->load(std::move(options));
  EXPECT_TRUE(status) << status.error().message;
  return session;
}

void run(Session& session, Prompt prompt) {
  const Status begun = session.begin(std::move(prompt));
  ASSERT_TRUE(begun) << begun.error().message;
  for (;;) {
    const Result<Progress> progress = session.step();
    ASSERT_TRUE(progress) << progress.error().message;
    if (*progress == Progress::finished) return;
  }
}

TEST(Session, LoadsOnceAllOfTheFileIsThere) {
  const std::vector<std::byte> bytes = shipped_model();
  const auto session = session_for(bytes.size());
  feed(*session, bytes, bytes.size() / 2, bytes.size());
  const Status early = session->load({});
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, Code::need_more_data);
  EXPECT_EQ(session->tokenize("x", {}).error().code, Code::invalid_argument);

  feed(*session, bytes, 0, bytes.size() / 2);
  ASSERT_TRUE(session->load({}));
  EXPECT_EQ(session->vocabulary(), 4096u);
  EXPECT_GT(session->bytes_read(), bytes.size() * 9 / 10);
  EXPECT_EQ(session->load({}).error().code, Code::invalid_argument);
  EXPECT_EQ(session->feed(0, bytes).error().code, Code::invalid_argument);
}

TEST(Session, MalformedFilesAreRefused) {
  std::vector<std::byte> bytes = shipped_model();
  std::ranges::fill(std::span(bytes).subspan(8, 16), std::byte{0xFF});
  const auto damaged = session_for(bytes.size());
  feed(*damaged, bytes, 0, bytes.size());
  EXPECT_EQ(damaged->load({}).error().code, Code::invalid_file);
  const auto empty = session_for(0);
  EXPECT_EQ(empty->load({}).error().code, Code::invalid_file);
  EXPECT_EQ(empty->feed(0, std::span(bytes).first(1)).error().code, Code::invalid_argument);
}

TEST(Session, TextIsThatOfTheTokens) {
  const auto session = loaded({});
  const auto ids = session->tokenize("Once upon a time", {.add_special = true});
  ASSERT_TRUE(ids);
  run(*session, {.ids = *ids, .max_new_tokens = 12});
  const std::vector<TokenId> made(session->tokens().begin(), session->tokens().end());
  EXPECT_EQ(made.size(), 12u);
  EXPECT_EQ(session->text(), *session->detokenize(made));
  EXPECT_TRUE(session->logits().empty());
}

// Position by position, whatever the threads and chunks, and again for a request in place of one that was not finished.
TEST(Session, LogitsOfEveryPositionFromTheFirstAsked) {
  const auto one = loaded({.kv = graph::KvType::f32});
  const std::vector<TokenId> ids = *one->tokenize("The dog ran to the park and saw a red ball.", {.add_special = true});
  const Prompt prompt{.ids = ids, .max_new_tokens = 5, .ignore_end = true, .logits_from = 0};
  run(*one, prompt);
  const std::vector<float> all(one->logits().begin(), one->logits().end());
  const std::vector<TokenId> made(one->tokens().begin(), one->tokens().end());
  const std::size_t vocabulary = one->vocabulary();
  ASSERT_EQ(all.size(), (ids.size() + 4) * vocabulary);
  for (std::size_t i = 0; i < made.size(); ++i) {
    const auto row = std::span(all).subspan((ids.size() - 1 + i) * vocabulary, vocabulary);
    EXPECT_EQ(std::ranges::max_element(row) - row.begin(), made[i]) << "step " << i;
  }

  const auto three = loaded({.kv = graph::KvType::f32, .prompt_chunk = 3}, 3);
  ASSERT_TRUE(three->begin(prompt));
  ASSERT_EQ(*three->step(), Progress::more);
  Prompt later = prompt;
  later.logits_from = 4;
  run(*three, later);
  EXPECT_TRUE(std::ranges::equal(three->logits(), std::span(all).subspan(4 * vocabulary)));
}

TEST(Session, RequestsThatMakeNoSenseAreRefused) {
  const auto session = loaded({.context = 32});
  EXPECT_EQ(session->begin({}).error().code, Code::invalid_argument);
  EXPECT_EQ(session->begin({.ids = {-1}, .max_new_tokens = 1}).error().code, Code::invalid_argument);
  EXPECT_EQ(session->begin({.ids = std::vector<TokenId>(33, 5), .max_new_tokens = 1}).error().code, Code::limit);
}

}  // namespace
}  // namespace wisp::api
