// What a request hears as text: the shipped model's vocabulary over the fake backends, the one that computes in the
// caller's time and the one that is ahead.
#include <gtest/gtest.h>

#include "gguf/reader.h"
#include "tests/engine_harness.h"
#include "tests/test_data.h"
#include "text/vocabulary.h"

namespace wisp::runtime {
namespace {

using test::expect_value;
using test::Heard;

class EngineTextTest : public testing::TestWithParam<bool> {  // on a device
 protected:
  EngineTextTest() {
    const auto path = test::source_dir() / "models/wisp-stories.gguf";
    const gguf::File file = expect_value(gguf::open_model(path.string()));
    tokenizer_ = expect_value(text::Tokenizer::create(expect_value(text::read_vocabulary(file.metadata))));
    test::FakeModel model(vocabulary(), {graph::KvGroup{}});
    const EngineOptions options{.tokenizer = tokenizer_.get()};
    engine_ =
        GetParam() ? test::DeviceEngine(model, 256, options).engine : test::FakeEngine(model, 256, options).engine;
  }
  [[nodiscard]] std::uint32_t vocabulary() const { return static_cast<std::uint32_t>(tokenizer_->vocabulary().size()); }
  Heard hear(Request request) {
    Heard heard;
    EXPECT_TRUE(engine_->submit(test::listen(std::move(request), heard)));
    EXPECT_TRUE(engine_->run());
    return heard;
  }
  static Request forty(std::vector<std::string> stop = {}) {
    return {.prompt = {5, 6, 7},
            .sampling = test::greedy(),
            .max_new_tokens = 40,
            .stop = std::move(stop),
            .ignore_end = true};
  }

  std::unique_ptr<text::Tokenizer> tokenizer_;
  std::unique_ptr<Engine> engine_;
};

TEST_P(EngineTextTest, TextIsTheTokensDecoded) {
  const Heard heard = hear(forty());
  text::StreamDecoder decoder(*tokenizer_, false);
  std::string expected;
  for (const TokenId token : heard.tokens) expected += decoder.push(token);
  expected += decoder.flush();
  EXPECT_EQ(heard.text, expected);
  EXPECT_GT(heard.text.size(), 20u);
}

TEST_P(EngineTextTest, AStopStringEndsTheTextBeforeIt) {
  const std::string whole = hear(forty()).text;
  for (const std::size_t at : {5u, 17u, 30u}) {
    // Where a character starts; long enough to lie across tokens and to stand nowhere else.
    std::size_t begin = at;
    while ((static_cast<unsigned char>(whole[begin]) & 0xC0) == 0x80) ++begin;
    std::size_t end = begin + 12;
    while ((static_cast<unsigned char>(whole[end]) & 0xC0) == 0x80) ++end;
    const Heard heard = hear(forty({"no such text", whole.substr(begin, end - begin)}));
    EXPECT_EQ(heard.reason, FinishReason::stop_string);
    EXPECT_EQ(heard.text, whole.substr(0, begin));
    EXPECT_LT(heard.tokens.size(), 40u);
  }
  EXPECT_EQ(engine_->counters().dropped_tokens > 0, GetParam());
  // Held back while it may become the stop string, told when it did not.
  EXPECT_EQ(hear(forty({whole.substr(whole.size() - 6) + "x"})).text, whole);
}

// Cut at any token, the two halves are the whole: characters and stop strings may lie across the cut.
TEST_P(EngineTextTest, AnAnswerThatWasBegunElsewhereGoesOnWithinItsText) {
  const std::string words = hear(forty()).text;
  const std::string stop = words.substr(words.size() / 2, 12);
  const auto asked = [&] { return forty({stop}); };
  std::vector<std::pair<TokenId, std::string>> told;  // each token with the text that came with it
  Request recorded = asked();
  recorded.on_token = [&told](const TokenEvent& event) { told.emplace_back(event.token, event.text); };
  std::string end;
  recorded.on_finish = [&end](const FinishEvent& event) { end = event.text; };
  ASSERT_TRUE(engine_->submit(std::move(recorded)));
  ASSERT_TRUE(engine_->run());
  std::string whole = end;
  for (auto one = told.rbegin(); one != told.rend(); ++one) whole.insert(0, one->second);
  ASSERT_EQ(whole, words.substr(0, words.find(stop)));
  std::string before;
  for (std::size_t n = 0; n < told.size(); ++n) {
    Request rest = asked();
    for (std::size_t i = 0; i < n; ++i) rest.prompt.push_back(told[i].first);
    rest.answered = static_cast<std::uint32_t>(n);
    EXPECT_EQ(before + hear(std::move(rest)).text, whole) << n;
    before += told[n].second;
  }
}

TEST_P(EngineTextTest, AnEndTokenEndsUnlessItIsIgnored) {
  const TokenId end = tokenizer_->vocabulary().end_of_generation.front();
  Request request = forty();
  request.ignore_end = false;
  request.sampling.logit_bias = {{end, 100.0f}};
  const Heard ended = hear(request);
  EXPECT_EQ(ended.reason, FinishReason::end_token);
  EXPECT_TRUE(ended.tokens.empty());
  EXPECT_EQ(engine_->counters().dropped_tokens, GetParam() ? 3u : 0u);
  EXPECT_EQ(ended.text, "");
  request.ignore_end = true;
  const Heard passed = hear(request);
  EXPECT_EQ(passed.reason, FinishReason::length);
  EXPECT_EQ(passed.tokens, std::vector<TokenId>(40, end));
}

INSTANTIATE_TEST_SUITE_P(Backends, EngineTextTest, testing::Bool());

}  // namespace
}  // namespace wisp::runtime
