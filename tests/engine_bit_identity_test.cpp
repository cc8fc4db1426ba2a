// A request's tokens and logits are the same bits alone and in any company, however its prompt is cut, after a prefix
// hit, a fork, or a preemption: over the fake backend, which sees every wrong block, and over every real one.
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>

#include "cpu/executor.h"
#include "gguf/reader.h"
#include "tests/engine_harness.h"
#include "tests/executors.h"
#include "tests/test_data.h"

namespace wisp::runtime {
namespace {

using test::Heard;
using test::same_bits;

struct Subject {
  std::string name;
  std::uint32_t vocabulary;
  std::uint32_t most_others;  // as many requests beside it as its speed allows
  std::function<std::unique_ptr<Engine>(EngineOptions)> make;
};
void PrintTo(const Subject& subject, std::ostream* out) { *out << subject.name; }

constexpr std::uint32_t kContext = 256;

Subject fake_subject(std::string name, const test::FakeModel& model) {
  return {std::move(name), model.vocabulary(), 32, [model](EngineOptions options) {
            return std::move(test::FakeEngine(model, kContext, std::move(options)).engine);
          }};
}

Subject real_subject(std::string name, std::function<std::unique_ptr<graph::Executor>()> make,
                     model::ContextOptions context = {}) {
  context.context = kContext;
  const bool slow = name.starts_with("scalar");
  return {
      std::move(name), 4096, slow ? 3u : 32u, [make = std::move(make), context](EngineOptions options) {
        options.context = context;
        const auto path = test::source_dir() / "models/wisp-stories.gguf";
        return test::expect_value(Engine::create(test::expect_value(gguf::open_model(path.string())), options, make()));
      }};
}

Subject cpu_subject(int threads) {
  return real_subject("cpu_threads_" + std::to_string(threads), [threads] {
    cpu::CpuOptions options;
    options.threads = threads;
    return test::expect_value(cpu::make_cpu_executor(options));
  });
}

std::vector<Subject> subjects() {
  std::vector<Subject> all = {fake_subject("fake", test::full_attention_fake()),
                              fake_subject("fake_mixed", test::mixed_fake()),
                              fake_subject("fake_window", test::windowed_fake(50, 3))};
  for (const test::ExecutorKind& kind : test::executor_kinds()) {
    // The reference is slow (some 20 s a subject); executor_invariants_test.cpp holds it to the same promise cheaply.
    if (kind.name.starts_with("scalar") && !test::full_run()) continue;
    all.push_back(real_subject(kind.name, kind.make));
    all.push_back(real_subject(kind.name + "_window", kind.make, {.context = 0, .window = 40, .sinks = 4}));
  }
  for (const int threads : {1, 3}) all.push_back(cpu_subject(threads));  // the kinds above have two
  return all;
}

class EngineBitIdentityTest : public testing::TestWithParam<Subject> {
 protected:
  static constexpr std::uint32_t kNew = 20;

  [[nodiscard]] std::vector<TokenId> prompt(std::size_t n = 75, std::uint32_t seed = 1) const {
    return test::random_tokens(n, seed, GetParam().vocabulary);
  }
  // Sampled, not greedy: the draw must not depend on company either.
  [[nodiscard]] Request request(std::vector<TokenId> tokens, std::uint32_t n = kNew) const {
    Request made{.prompt = std::move(tokens), .sampling = {}, .max_new_tokens = n};
    made.sampling.seed = 11;
    made.sampling.temperature = 1.5f;
    made.sampling.top_k = 0;
    return made;
  }
  [[nodiscard]] static EngineOptions options() { return {.max_sequences = 40, .prefix_cache = false}; }

  [[nodiscard]] Heard alone(EngineOptions chosen = options()) const {
    Heard heard;
    const std::unique_ptr<Engine> engine = GetParam().make(std::move(chosen));
    EXPECT_TRUE(engine->submit(test::listen(request(prompt()), heard)));
    EXPECT_TRUE(engine->run());
    EXPECT_EQ(heard.tokens.size(), kNew) << heard.error.message;
    return heard;
  }
  static void expect_same(const Heard& heard, const Heard& expected, const std::string& where) {
    EXPECT_EQ(heard.tokens, expected.tokens) << where << heard.error.message;
    EXPECT_TRUE(same_bits(heard.logits, expected.logits)) << where;
  }
};

TEST_P(EngineBitIdentityTest, AmongOthers) {
  const Heard expected = alone();
  for (const std::uint32_t others : {1u, 2u, 3u, 8u, 32u}) {
    if (others > GetParam().most_others) continue;
    const std::unique_ptr<Engine> engine = GetParam().make(options());
    Heard heard;
    for (std::uint32_t i = 0; i < others; ++i) {
      if (i == others / 2) {
        ASSERT_TRUE(engine->submit(test::listen(request(prompt()), heard)));
      }
      ASSERT_TRUE(engine->submit(request(prompt(3 + 5 * i, i + 100), 5 + i)));
    }
    ASSERT_TRUE(engine->run());
    expect_same(heard, expected, std::to_string(others) + " others");
  }
}

TEST_P(EngineBitIdentityTest, WhateverThePromptChunk) {
  const Heard expected = alone();
  for (const std::uint32_t chunk : {1u, 7u, 32u, 33u, 74u}) {
    EngineOptions chosen = options();
    chosen.prompt_chunk = chunk;
    expect_same(alone(chosen), expected, "chunks of " + std::to_string(chunk));
  }
}

TEST_P(EngineBitIdentityTest, AfterAPrefixHit) {
  const Heard expected = alone();
  EngineOptions chosen = options();
  chosen.prefix_cache = true;
  const std::unique_ptr<Engine> engine = GetParam().make(chosen);
  for (const std::size_t shared : {75u, 40u}) {  // all of the prompt, then a part of it with another end
    Heard first;
    std::vector<TokenId> start = prompt();
    start.resize(shared);
    const std::vector<TokenId> tail = prompt(10, 77);
    start.insert(start.end(), tail.begin(), tail.end());
    ASSERT_TRUE(engine->submit(request(start)));
    ASSERT_TRUE(engine->run());
    Heard heard;
    ASSERT_TRUE(engine->submit(test::listen(request(prompt()), heard)));
    ASSERT_TRUE(engine->run());
    EXPECT_GE(heard.stats.cached_tokens, 32u);
    expect_same(heard, expected, "prefix hit");
  }
}

TEST_P(EngineBitIdentityTest, AfterAFork) {
  const Heard expected = alone();
  const std::unique_ptr<Engine> engine = GetParam().make(options());
  Heard parent, child, other;
  const RequestId id = test::expect_value(engine->submit(test::listen(request(prompt()), parent)));
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(engine->step());
  }
  Request different = request({});
  different.sampling.seed = 99;
  ASSERT_TRUE(engine->fork(id, test::listen(std::move(different), other)));
  ASSERT_TRUE(engine->fork(id, test::listen(request({}, kNew - 6), child)));
  ASSERT_TRUE(engine->run());
  expect_same(parent, expected, "parent");
  parent.tokens.erase(parent.tokens.begin(), parent.tokens.begin() + 6);
  parent.logits.erase(parent.logits.begin(), parent.logits.begin() + 6);
  expect_same(child, parent, "child");
  EXPECT_NE(other.tokens, std::vector<TokenId>(expected.tokens.begin() + 6, expected.tokens.end()));
}

TEST_P(EngineBitIdentityTest, AfterPreemptionAndRecomputing) {
  const Heard expected = alone();
  for (const bool cache : {false, true}) {
    EngineOptions chosen = options();
    chosen.prefix_cache = cache;
    chosen.prompt_chunk = 50;
    const std::unique_ptr<Engine> engine = GetParam().make(chosen);
    Heard heard;
    const RequestId id = test::expect_value(engine->submit(test::listen(request(prompt()), heard)));
    for (const int steps : {1, 4, 9}) {  // inside the prompt, then twice in the text
      for (int i = 0; i < steps; ++i) {
        ASSERT_TRUE(engine->step());
      }
      ASSERT_TRUE(engine->preempt(id));
    }
    ASSERT_TRUE(engine->run());
    EXPECT_EQ(heard.stats.preemptions, 3u);
    expect_same(heard, expected, cache ? "recomputed from the prefix index" : "recomputed");
  }
}

TEST_P(EngineBitIdentityTest, InAPoolTooSmallForAll) {
  const Heard expected = alone();
  EngineOptions chosen = options();
  const std::size_t groups = GetParam().make(options())->options().kv_blocks.size();
  chosen.kv_blocks.assign(groups, 7);
  const std::unique_ptr<Engine> engine = GetParam().make(chosen);
  std::vector<Heard> heard(4);
  for (Heard& each : heard) {
    ASSERT_TRUE(engine->submit(test::listen(request(prompt()), each)));
  }
  ASSERT_TRUE(engine->run());
  for (const Heard& each : heard) expect_same(each, expected, "small pool");
}

INSTANTIATE_TEST_SUITE_P(Backends, EngineBitIdentityTest, testing::ValuesIn(subjects()),
                         [](const auto& each) { return each.param.name; });

TEST(EngineThreadCountTest, ChangesNoBit) {
  std::optional<Heard> expected;
  for (const int threads : {1, 2, 3}) {
    const std::unique_ptr<Engine> engine = cpu_subject(threads).make({});
    Heard heard;
    ASSERT_TRUE(engine->submit(test::listen(
        {.prompt = test::random_tokens(90, 5, 4096), .sampling = test::greedy(), .max_new_tokens = 20}, heard)));
    ASSERT_TRUE(engine->run());
    ASSERT_EQ(heard.tokens.size(), 20u);
    if (!expected) expected = heard;
    EXPECT_EQ(heard.tokens, expected->tokens) << threads << " threads";
    EXPECT_TRUE(same_bits(heard.logits, expected->logits)) << threads << " threads";
  }
}

}  // namespace
}  // namespace wisp::runtime
