// Requests under a constraint: the shipped model's vocabulary over the fake backends, the one that computes in the
// caller's time and the one that is ahead.
#include <gtest/gtest.h>

#include <map>

#include "gguf/reader.h"
#include "tests/engine_harness.h"
#include "tests/grammar_tools.h"
#include "tests/test_data.h"
#include "text/grammar/compile.h"
#include "text/vocabulary.h"

namespace wisp::runtime {
namespace {

using test::expect_value;
using test::Heard;
using text::grammar::Constraint;
using text::grammar::Notation;

class EngineConstraintTest : public testing::TestWithParam<bool> {  // on a device
 protected:
  EngineConstraintTest() : model_(4096, {graph::KvGroup{}}) {
    const auto path = test::source_dir() / "models/wisp-stories.gguf";
    const gguf::File file = expect_value(gguf::open_model(path.string()));
    tokenizer_ = expect_value(text::Tokenizer::create(expect_value(text::read_vocabulary(file.metadata))));
    start({});
  }
  void start(test::DeviceControls script) {
    EngineOptions options{.tokenizer = tokenizer_.get(), .clock = test::fake_clock};
    device_ = std::make_shared<test::DeviceControls>(std::move(script));
    std::unique_ptr<graph::Executor> backend;
    if (GetParam()) {
      backend = std::make_unique<test::FakeDevice>(model_, controls_, device_);
    } else {
      backend = std::make_unique<test::FakeExecutor>(model_, controls_);
    }
    engine_ = expect_value(Engine::create(gguf::File{}, model_.graph(), 2048, std::move(options), std::move(backend)));
  }
  ~EngineConstraintTest() override { EXPECT_EQ(controls_->broken_rule, std::nullopt); }

  Constraint constraint(std::string_view source, Notation notation = Notation::gbnf,
                        text::grammar::Triggers triggers = {}) {
    return expect_value(
        Constraint::create(expect_value(compile_grammar(notation, source, *tokenizer_)), std::move(triggers)));
  }
  Request request(std::string_view source, std::uint64_t seed = 1) {
    Request asked{.prompt = {5, 6, 7}, .sampling = {}, .max_new_tokens = 300, .stop = {}};
    asked.sampling.seed = seed;
    asked.sampling.temperature = 1.0f;
    asked.constraint = constraint(source);
    return asked;
  }
  Heard hear(Request asked) {
    Heard heard;
    expect_value(engine_->submit(hear_tokens(std::move(asked), heard)));
    EXPECT_TRUE(engine_->run());
    return heard;
  }

  test::FakeModel model_;
  std::shared_ptr<test::FakeControls> controls_ = std::make_shared<test::FakeControls>();
  std::shared_ptr<test::DeviceControls> device_;
  std::unique_ptr<text::Tokenizer> tokenizer_;
  std::unique_ptr<Engine> engine_;
};

constexpr std::string_view kCard = R"(root ::= "{\"name\": \"" [A-Z] [a-z]{2,9} "\", \"age\": " [1-9] [0-9]? "}")";

TEST_P(EngineConstraintTest, TheTextIsTheGrammars) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    const Heard heard = hear(request(kCard, seed));
    EXPECT_EQ(heard.reason, FinishReason::end_token) << heard.error.message;
    EXPECT_EQ(test::read_with(Notation::gbnf, kCard, heard.text), test::Verdict::accepted) << heard.text;
    EXPECT_GT(heard.stats.forced_tokens, 4u);
    EXPECT_EQ(heard.stats.generated_tokens, heard.tokens.size());
  }
}

TEST_P(EngineConstraintTest, ForcedTokensCostNoStep) {
  const Heard heard = hear(request(kCard));
  const Counters counters = engine_->counters();
  EXPECT_EQ(counters.forced_tokens, heard.stats.forced_tokens);
  // A step for the prompt, one behind each token that was chosen; runs of forced tokens join the step behind them.
  EXPECT_LE(counters.steps, 1 + heard.tokens.size() - heard.stats.forced_tokens);
  EXPECT_EQ(counters.prompt_tokens, 3u);
}

TEST_P(EngineConstraintTest, TheCompanyChangesNothing) {
  std::vector<Heard> alone;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) alone.push_back(hear(request(kCard, seed)));
  std::vector<Heard> together(5);
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    expect_value(engine_->submit(hear_tokens(request(kCard, seed), together[seed - 1])));
  }
  Request free{.prompt = {9, 10}, .sampling = test::greedy(), .max_new_tokens = 50, .stop = {}, .ignore_end = true};
  expect_value(engine_->submit(hear_tokens(free, together[4])));
  ASSERT_TRUE(engine_->run());
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(together[i].tokens, alone[i].tokens);
  EXPECT_EQ(together[4].tokens, model_.continue_greedily({9, 10}, 50));
}

TEST_P(EngineConstraintTest, TheSameTokensWhoeverChooses) {
  std::map<bool, std::vector<TokenId>> tokens;
  for (const bool device_draws : {true, false}) {
    start({.can_sample = [device_draws](const graph::DeviceSample&) { return device_draws; }});
    tokens[device_draws] = hear(request(kCard, 3)).tokens;
    EXPECT_EQ(engine_->counters().device_tokens > 0, GetParam() && device_draws);
  }
  EXPECT_EQ(tokens[true], tokens[false]);
}

TEST_P(EngineConstraintTest, PreemptionAndLossChangeNothing) {
  const std::vector<TokenId> expected = hear(request(kCard, 5)).tokens;
  start({.losses = {{2, test::LossShows::in_poll}, {5, test::LossShows::in_collect}}});
  Heard heard;
  const RequestId id = expect_value(engine_->submit(hear_tokens(request(kCard, 5), heard)));
  for (int i = 0; heard.finishes == 0 && i < 1000; ++i) {
    ASSERT_TRUE(engine_->step());
    if (i == 4 && heard.finishes == 0) static_cast<void>(engine_->preempt(id));
  }
  EXPECT_EQ(heard.tokens, expected);
}

TEST_P(EngineConstraintTest, LengthsAndStopsEndAForcedRun) {
  Request asked = request("root ::= \"Once upon a time there was a little dog and a little cat\"");
  asked.max_new_tokens = 4;
  const Heard cut = hear(asked);
  EXPECT_EQ(cut.tokens.size(), 4u);
  EXPECT_EQ(cut.reason, FinishReason::length);
  asked.max_new_tokens = 300;
  asked.stop = {"little"};
  const Heard stopped = hear(asked);
  EXPECT_EQ(stopped.reason, FinishReason::stop_string);
  EXPECT_EQ(stopped.text, "Once upon a time there was a ");
  asked.stop = {};
  const Heard whole = hear(asked);
  EXPECT_EQ(whole.reason, FinishReason::end_token);
  EXPECT_EQ(whole.text, "Once upon a time there was a little dog and a little cat");
  EXPECT_EQ(whole.stats.forced_tokens, whole.stats.generated_tokens);
}

TEST_P(EngineConstraintTest, AWholeForcedTextTakesOneStep) {
  const Heard heard = hear(request("root ::= \"Once upon a time\""));
  EXPECT_EQ(heard.text, "Once upon a time");
  EXPECT_EQ(engine_->counters().steps, 1u);
  EXPECT_EQ(hear(request("root ::= \"\"")).reason, FinishReason::end_token);
}

TEST_P(EngineConstraintTest, ATriggerLetsTheTextBeginFreely) {
  Request asked = request("root ::= \"!\"");  // replaced
  asked.constraint = constraint("root ::= \"e\" [0-9]{3} \".\"", Notation::gbnf, {.texts = {"e"}, .tokens = {}});
  const Heard heard = hear(asked);
  EXPECT_EQ(heard.reason, FinishReason::end_token);
  const std::size_t at = heard.text.find('e');
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(heard.text.size() - at, 5u) << heard.text;
  EXPECT_EQ(heard.text.back(), '.');
}

TEST_P(EngineConstraintTest, GuessesChangeNothing) {
  // What was said is said again, so that guesses hold, across forced tokens too.
  const std::string_view list = R"(root ::= ("{\"name\": \"" [ab]{3} "\", \"age\": " [12] "}, "){12} ".")";
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    Request asked = request(list, seed);
    asked.sampling.temperature = 0.1f;
    const Heard plain = hear(asked);
    EXPECT_EQ(plain.reason, FinishReason::end_token);
    asked.speculation = Speculation::ngram;
    const Heard guessed = hear(asked);
    EXPECT_EQ(guessed.tokens, plain.tokens);
    EXPECT_EQ(guessed.reason, plain.reason);
    EXPECT_EQ(guessed.stats.forced_tokens, plain.stats.forced_tokens);
    EXPECT_GT(guessed.stats.drafted_tokens, 0u);
  }
}

// As after a device that does not come back: another engine gets what there is, and says the rest.
TEST_P(EngineConstraintTest, WhatIsAnsweredAlreadyIsGoneOnWith) {
  const Heard whole = hear(request(kCard, 4));
  ASSERT_GT(whole.tokens.size(), 8u);
  for (std::size_t n = 1; n < whole.tokens.size(); ++n) {
    Request rest = request(kCard, 4);
    rest.prompt.insert(rest.prompt.end(), whole.tokens.begin(), whole.tokens.begin() + static_cast<std::ptrdiff_t>(n));
    rest.answered = static_cast<std::uint32_t>(n);
    const Heard heard = hear(std::move(rest));
    EXPECT_EQ(heard.reason, FinishReason::end_token) << heard.error.message;
    EXPECT_TRUE(std::ranges::equal(heard.tokens, std::span(whole.tokens).subspan(n)));
    EXPECT_TRUE(whole.text.ends_with(heard.text));
    EXPECT_EQ(heard.stats.prompt_tokens, 3 + n);
  }
  Request other = request(kCard);
  other.prompt.insert(other.prompt.end(), {whole.tokens[0], whole.tokens[0]});
  other.answered = 2;
  EXPECT_FALSE(engine_->submit(other)) << "the grammar does not say that";
  other.answered = 6;
  EXPECT_FALSE(engine_->submit(other)) << "there are five";
  Heard parent_heard;
  const RequestId parent = expect_value(engine_->submit(hear_tokens(request(kCard, 7), parent_heard)));
  while (parent_heard.tokens.size() < 9) ASSERT_TRUE(engine_->step());
  EXPECT_FALSE(engine_->fork(parent, {.prompt = {5}, .answered = 1}));
  ASSERT_TRUE(engine_->run());
}

TEST_P(EngineConstraintTest, AForkGoesOnUnderACopy) {
  Heard parent_heard, child_heard;
  const RequestId parent = expect_value(engine_->submit(hear_tokens(request(kCard, 7), parent_heard)));
  while (parent_heard.tokens.size() < 9) ASSERT_TRUE(engine_->step());
  Request child{.prompt = {}, .sampling = {}, .max_new_tokens = 300, .stop = {}};
  child.sampling.seed = 99;
  const std::string so_far = parent_heard.text;
  expect_value(engine_->fork(parent, hear_tokens(child, child_heard)));
  ASSERT_TRUE(engine_->run());
  EXPECT_EQ(parent_heard.reason, FinishReason::end_token);
  EXPECT_EQ(child_heard.reason, FinishReason::end_token) << child_heard.error.message;
  EXPECT_EQ(test::read_with(Notation::gbnf, kCard, parent_heard.text), test::Verdict::accepted);
  EXPECT_EQ(test::read_with(Notation::gbnf, kCard, so_far + child_heard.text), test::Verdict::accepted)
      << so_far << "|" << child_heard.text;
}

TEST_P(EngineConstraintTest, ACallbackMayCancelInsideAForcedRun) {
  Request asked = request("root ::= \"Once upon a time there was a little dog\"");
  Heard heard;
  Request listening = hear_tokens(asked, heard);
  const auto tell = listening.on_token;
  listening.on_token = [&](const TokenEvent& event) {
    tell(event);
    if (event.position == 5) static_cast<void>(engine_->cancel(event.request));
  };
  expect_value(engine_->submit(listening));
  ASSERT_TRUE(engine_->run());
  EXPECT_EQ(heard.reason, FinishReason::cancelled);
  EXPECT_EQ(heard.tokens.size(), 3u);
}

TEST_P(EngineConstraintTest, AnotherVocabularyIsRefused) {
  const test::FakeModel small = test::full_attention_fake();
  const auto engine = expect_value(
      Engine::create(gguf::File{}, small.graph(), 64, {}, std::make_unique<test::FakeExecutor>(small, controls_)));
  const auto refused = engine->submit(request(kCard));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("vocabulary of 4096"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Backends, EngineConstraintTest, testing::Bool());

}  // namespace
}  // namespace wisp::runtime
