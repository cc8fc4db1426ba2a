// A text that is guessed ahead is the text that comes without guesses: tokens, logits and ends, in every engine.
#include <gtest/gtest.h>

#include "cpu/executor.h"
#include "runtime/speculation/draft_length.h"
#include "runtime/speculation/ngram_drafter.h"
#include "tests/engine_harness.h"
#include "tests/executors.h"
#include "tests/random_model.h"
#include "tests/test_data.h"

namespace wisp::runtime {
namespace {

using test::expect_value;
using test::Heard;
using test::same_bits;

// ---- guesses ----

std::vector<TokenId> guess(NgramDrafter& drafter, std::vector<TokenId> text, std::uint32_t most) {
  std::vector<TokenId> out;
  drafter.propose(text, most, out);
  return out;
}

TEST(NgramDrafter, GoesOnAsTheTextDidBefore) {
  NgramDrafter drafter(100);
  EXPECT_TRUE(guess(drafter, {1, 2, 3, 4, 5}, 4).empty());
  EXPECT_EQ(guess(drafter, {1, 2, 3, 4, 5, 1, 2, 3}, 4), (std::vector<TokenId>{4, 5, 1, 2}));
  EXPECT_EQ(guess(drafter, {1, 2, 3, 4, 5, 1, 2, 3}, 1), (std::vector<TokenId>{4}));
  // The last time counts, and of two runs the longer one.
  EXPECT_EQ(guess(drafter, {1, 2, 3, 4, 1, 2, 3, 5, 9, 1, 2, 3}, 1), (std::vector<TokenId>{5}));
  EXPECT_EQ(guess(drafter, {7, 1, 2, 3, 4, 8, 1, 2, 3, 5, 7, 1, 2, 3}, 1), (std::vector<TokenId>{4}));
  EXPECT_TRUE(guess(drafter, {1, 2}, 4).empty());
  EXPECT_TRUE(guess(drafter, {}, 4).empty());
  // One token over and over: as far as it is known to go on.
  EXPECT_EQ(guess(drafter, {6, 6, 6, 6, 6, 6}, 3), (std::vector<TokenId>{6}));
}

TEST(NgramDrafter, OtherTextsAndLongOnesDoNoHarm) {
  NgramDrafter drafter(64);
  const std::vector<TokenId> first = test::random_tokens(5000, 1, 3);
  for (std::size_t n = 1; n < first.size(); n += 97) {
    const std::vector<TokenId> text(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(n));
    for (const TokenId token : guess(drafter, text, 8)) EXPECT_LT(token, 3);
  }
  EXPECT_EQ(guess(drafter, {1, 2, 3, 4, 5, 1, 2, 3}, 2), (std::vector<TokenId>{4, 5}));
}

// Against looking through the whole text.
TEST(NgramDrafter, FindsWhatIsThere) {
  const std::vector<TokenId> text = test::random_tokens(400, 2, 4);
  NgramDrafter drafter(64 * text.size());  // hardly any run is forgotten
  for (std::size_t n = 1; n <= text.size(); ++n) {
    const std::vector<TokenId> now(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(n));
    std::vector<TokenId> expected;
    for (const std::uint32_t length : NgramDrafter::kLengths) {
      for (std::size_t end = n - 1; end >= length && expected.empty() && n > length; --end) {
        if (std::equal(now.end() - length, now.end(), now.begin() + static_cast<std::ptrdiff_t>(end - length))) {
          expected.assign(now.begin() + static_cast<std::ptrdiff_t>(end),
                          now.begin() + static_cast<std::ptrdiff_t>(std::min(end + 3, n)));
        }
      }
      if (!expected.empty()) break;
    }
    EXPECT_EQ(guess(drafter, now, 3), expected) << n;
  }
}

TEST(DraftLength, GrowsWhileRightAndStopsWhereItDoesNotPay) {
  DraftLength length(16);
  EXPECT_EQ(length.next(), 4u);
  length.observe(4, 4, 1.2);
  EXPECT_EQ(length.next(), 8u);
  length.observe(8, 8, 1.4);
  EXPECT_EQ(length.next(), 16u);
  length.observe(16, 16, 2.0);
  EXPECT_EQ(length.next(), 16u);
  // Wrong again and again: shorter, and then a pause, and longer ones after each.
  int guesses = 0, pauses = 0;
  for (int token = 0; token < 2000; ++token) {
    const std::uint32_t n = length.next();
    if (n == 0) {
      ++pauses;
      continue;
    }
    ++guesses;
    length.observe(n, 0, 1.0 + 0.1 * n);
  }
  EXPECT_LT(guesses, 80);
  EXPECT_GT(pauses, 1900);
  EXPECT_GT(guesses, 10) << "it tries again now and then";
}

TEST(DraftLength, ACostlyRowHasToBeRight) {
  DraftLength cheap(8), dear(8);
  std::uint32_t cheap_guesses = 0, dear_guesses = 0;
  for (int token = 0; token < 300; ++token) {
    // Half of the guesses come true.
    if (const std::uint32_t n = cheap.next(); n > 0) cheap.observe(n, n / 2, 1.1), cheap_guesses += n;
    if (const std::uint32_t n = dear.next(); n > 0) dear.observe(n, n / 2, 1.0 + n), dear_guesses += n;
  }
  EXPECT_GT(cheap_guesses, 5 * dear_guesses);
}

TEST(StepCosts, AreMeasuredByRows) {
  StepCosts costs;
  EXPECT_GT(costs.ratio(8), costs.ratio(2));
  for (int i = 0; i < 50; ++i) {
    costs.observe(1, 1000);
    costs.observe(6, 1500);
  }
  EXPECT_DOUBLE_EQ(costs.ratio(1), 1.0);
  EXPECT_NEAR(costs.ratio(8), 1.5, 1e-9);
}

// ---- engines ----

struct Kind {
  std::string name;
  std::function<std::unique_ptr<Engine>(EngineOptions)> make;
};
void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

// Greedy texts of these models soon repeat themselves.
std::unique_ptr<Engine> real_engine(const test::RandomModel& model, EngineOptions options,
                                    std::unique_ptr<graph::Executor> executor) {
  return expect_value(Engine::create(test::open_bytes(model.bytes), std::move(options), std::move(executor)));
}
const test::RandomModel& small_model() {
  static const test::RandomModel model = test::random_model({.layers = 1});
  return model;
}

std::vector<Kind> kinds() {
  std::vector<Kind> all = {
      {"fake", [](EngineOptions o) { return std::move(test::FakeEngine(test::full_attention_fake(), 256, o).engine); }},
      {"fake_mixed", [](EngineOptions o) { return std::move(test::FakeEngine(test::mixed_fake(), 256, o).engine); }},
      {"fake_window",
       [](EngineOptions o) { return std::move(test::FakeEngine(test::windowed_fake(50, 3), 256, o).engine); }},
      {"fake_device",
       [](EngineOptions o) { return std::move(test::DeviceEngine(test::mixed_fake(), 256, o).engine); }}};
  for (const test::ExecutorKind& kind : test::executor_kinds()) {
    all.push_back({kind.name, [make = kind.make](EngineOptions o) { return real_engine(small_model(), o, make()); }});
  }
  return all;
}

class Speculating : public testing::TestWithParam<Kind> {
 protected:
  static Request request(std::uint32_t seed, bool greedy, std::uint32_t n = 60) {
    // A text that repeats itself, so that guesses come up whatever the model says.
    std::vector<TokenId> prompt = test::random_tokens(20, seed, 40);
    const std::vector<TokenId> again = prompt;
    for (int i = 0; i < 2; ++i) prompt.insert(prompt.end(), again.begin(), again.end());
    Request made{.prompt = std::move(prompt), .max_new_tokens = n, .ignore_end = true};
    made.sampling.temperature = greedy ? 0.0f : 0.4f;
    made.sampling.seed = seed;
    return made;
  }
  // The fakes' texts do not repeat themselves: they guess by an engine of the same model.
  static bool fake() { return GetParam().name.starts_with("fake"); }
  static std::unique_ptr<Engine> make(EngineOptions options) {
    std::unique_ptr<Engine> engine = GetParam().make(std::move(options));
    if (fake()) EXPECT_TRUE(engine->set_draft_model(GetParam().make({.max_sequences = 1})));
    return engine;
  }
  static Request guessing(Request request) {
    request.speculation = fake() ? Speculation::model : Speculation::ngram;
    return request;
  }
};

TEST_P(Speculating, TellsTheSameText) {
  for (const bool greedy : {true, false}) {
    const std::unique_ptr<Engine> plain = make({.max_sequences = 1});
    const std::unique_ptr<Engine> guessing_engine = make({.max_sequences = 1});
    for (std::uint32_t seed = 1; seed <= 3; ++seed) {
      Heard expected, heard;
      Request asked = request(seed, greedy);
      if (seed == 2) asked.sampling.repeat_penalty = 1.3f;
      ASSERT_TRUE(plain->submit(test::listen(asked, expected)));
      ASSERT_TRUE(plain->run());
      ASSERT_TRUE(guessing_engine->submit(test::listen(guessing(asked), heard)));
      ASSERT_TRUE(guessing_engine->run());
      EXPECT_EQ(heard.tokens, expected.tokens);
      EXPECT_TRUE(same_bits(heard.logits, expected.logits));
      EXPECT_EQ(heard.reason, expected.reason);
      EXPECT_LE(heard.stats.accepted_tokens, heard.stats.drafted_tokens);
    }
    const Counters counters = guessing_engine->counters();
    EXPECT_GT(counters.drafted_tokens, 0u);
    EXPECT_EQ(guessing_engine->kv_use().groups[0].n_used, 0u);
    if (greedy) {
      EXPECT_LT(counters.steps, plain->counters().steps);
      EXPECT_EQ(counters.steps + counters.accepted_tokens, plain->counters().steps);
    }
  }
}

// Many at once, in little memory, with guesses and without, forked and preempted.
TEST_P(Speculating, InCompanyAndInLittleMemory) {
  EngineOptions options{.row_budget = 24, .max_sequences = 5, .max_logit_rows = 12};
  const std::unique_ptr<Engine> crowd = make(options);
  constexpr std::uint32_t kRequests = 7;
  std::array<Heard, kRequests> heard, expected;
  std::vector<RequestId> ids;
  for (std::uint32_t i = 0; i < kRequests; ++i) {
    Request asked = request(i, i % 2 == 0, 20 + 5 * i);
    ids.push_back(expect_value(crowd->submit(test::listen(i % 3 == 2 ? asked : guessing(asked), heard[i]))));
  }
  for (int step = 0; step < 14; ++step) ASSERT_TRUE(expect_value(crowd->step()));
  static_cast<void>(crowd->preempt(ids[0]));
  ASSERT_TRUE(crowd->run());
  for (std::uint32_t i = 0; i < kRequests; ++i) {
    const std::unique_ptr<Engine> alone = make({.max_sequences = 1});
    ASSERT_TRUE(alone->submit(test::listen(request(i, i % 2 == 0, 20 + 5 * i), expected[i])));
    ASSERT_TRUE(alone->run());
    EXPECT_EQ(heard[i].tokens, expected[i].tokens) << i;
    EXPECT_TRUE(same_bits(heard[i].logits, expected[i].logits)) << i;
  }
  EXPECT_GT(crowd->counters().drafted_tokens, 0u);
}

TEST_P(Speculating, EndsWhereItShould) {
  for (const std::uint32_t n : {1u, 2u, 5u, 9u}) {
    Heard heard;
    const std::unique_ptr<Engine> engine = make({.max_sequences = 1});
    ASSERT_TRUE(engine->submit(test::listen(guessing(request(1, true, n)), heard)));
    ASSERT_TRUE(engine->run());
    EXPECT_EQ(heard.tokens.size(), n);
    EXPECT_EQ(heard.reason, FinishReason::length);
  }
  // To the end of the context.
  Heard heard, expected;
  const std::unique_ptr<Engine> engine = make({.max_sequences = 1});
  ASSERT_TRUE(engine->submit(test::listen(guessing(request(1, true, 1000)), heard)));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(heard.reason, FinishReason::context);
  ASSERT_TRUE(engine->submit(test::listen(request(1, true, 1000), expected)));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(heard.tokens, expected.tokens);
}

// A caller that stops in the middle of accepted guesses hears no more of them.
TEST_P(Speculating, CancelsInTheMiddle) {
  const std::unique_ptr<Engine> engine = make({.max_sequences = 1});
  Heard heard;
  Request asked = test::listen(guessing(request(1, true)), heard);
  RequestId id{};
  asked.on_token = [&, hear = std::move(asked.on_token)](const TokenEvent& event) {
    hear(event);
    if (heard.tokens.size() == 11) EXPECT_TRUE(engine->cancel(id));
  };
  id = expect_value(engine->submit(std::move(asked)));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(heard.tokens.size(), 11u);
  EXPECT_EQ(heard.reason, FinishReason::cancelled);
}

TEST_P(Speculating, SavesWhatIsCertain) {
  const std::unique_ptr<Engine> engine = make({.max_sequences = 1});
  if (!engine->executor().moves_kv()) GTEST_SKIP() << "the backend does not give its keys and values";
  Heard heard;
  const RequestId id = expect_value(engine->submit(test::listen(guessing(request(1, true)), heard)));
  while (heard.tokens.size() < 30) ASSERT_TRUE(expect_value(engine->step()));
  const SavedSequence saved = expect_value(engine->save(id));
  EXPECT_EQ(saved.n_positions, saved.tokens.size() - 1);
  ASSERT_TRUE(engine->run());
  Heard rest;
  Request asked{.prompt = saved.tokens, .max_new_tokens = static_cast<std::uint32_t>(120 - saved.tokens.size())};
  asked.ignore_end = true;
  asked.sampling = test::greedy();
  asked.state = std::make_shared<const SavedSequence>(saved);
  const std::unique_ptr<Engine> other = GetParam().make({.max_sequences = 1});
  ASSERT_TRUE(other->submit(test::listen(std::move(asked), rest)));
  ASSERT_TRUE(other->run());
  EXPECT_TRUE(std::equal(rest.tokens.begin(), rest.tokens.end(),
                         heard.tokens.end() - static_cast<std::ptrdiff_t>(rest.tokens.size())));
}

INSTANTIATE_TEST_SUITE_P(Engines, Speculating, testing::ValuesIn(kinds()),
                         [](const auto& param) { return param.param.name; });

// ---- a draft model ----

std::unique_ptr<Engine> cpu_engine(const test::RandomModel& model) {
  return real_engine(model, {.max_sequences = 1}, expect_value(cpu::make_cpu_executor({})));
}

TEST(DraftModel, ItsGuessesChangeNothingButSteps) {
  const test::RandomModel other = test::random_model({.layers = 1, .seed = 9});
  const std::unique_ptr<Engine> plain = cpu_engine(small_model());
  Heard expected;
  const Request asked{.prompt = {1, 2, 3}, .sampling = test::greedy(), .max_new_tokens = 50, .ignore_end = true};
  ASSERT_TRUE(plain->submit(test::listen(asked, expected)));
  ASSERT_TRUE(plain->run());
  for (const bool itself : {true, false}) {
    const std::unique_ptr<Engine> engine = cpu_engine(small_model());
    Request guessed = asked;
    guessed.speculation = Speculation::model;
    EXPECT_EQ(engine->submit(guessed).error().code, Code::invalid_argument) << "there is no draft model yet";
    ASSERT_TRUE(engine->set_draft_model(cpu_engine(itself ? small_model() : other)));
    Heard heard;
    ASSERT_TRUE(engine->submit(test::listen(guessed, heard)));
    ASSERT_TRUE(engine->run());
    EXPECT_EQ(heard.tokens, expected.tokens);
    EXPECT_TRUE(same_bits(heard.logits, expected.logits));
    EXPECT_GT(heard.stats.drafted_tokens, 0u);
    if (itself) EXPECT_EQ(heard.stats.accepted_tokens, heard.stats.drafted_tokens) << "a model knows what it would say";
    if (itself) EXPECT_LT(engine->counters().steps, 25u);
  }
}

TEST(DraftModel, HasToShareTheVocabulary) {
  const test::RandomModel other = test::random_model({.layers = 1, .vocabulary = 41});
  const std::unique_ptr<Engine> engine = cpu_engine(small_model());
  const Status set = engine->set_draft_model(cpu_engine(other));
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().code, Code::invalid_argument);
  EXPECT_NE(set.error().message.find("41"), std::string::npos) << set.error().message;
}

}  // namespace
}  // namespace wisp::runtime
