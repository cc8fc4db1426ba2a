// A sequence that was saved goes on as if it had never stopped, in every engine that can take it, and no file can do
// harm.
#include "runtime/saved_sequence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>

#include "base/hash64.h"
#include "cpu/executor.h"
#include "graph/scalar_executor.h"
#include "tests/engine_harness.h"
#include "tests/executors.h"
#include "tests/random_model.h"
#include "tests/test_data.h"

namespace wisp::runtime {
namespace {

using test::expect_value;
using test::Heard;
using test::same_bits;

constexpr std::uint32_t kNew = 30;

struct Kind {
  std::string name;
  graph::KvType type = graph::KvType::f16;
  model::ContextOptions context = {};
  std::string architecture = "llama";
};
void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

class SavedSequences : public testing::TestWithParam<Kind> {
 protected:
  std::unique_ptr<Engine> engine(const std::string& backend, EngineOptions options = {}) const {
    options.context = GetParam().context;
    options.kv_type = GetParam().type;
    for (const test::ExecutorKind& kind : test::executor_kinds()) {
      if (kind.name != backend) continue;
      return expect_value(Engine::create(test::open_bytes(model_.bytes), options, kind.make()));
    }
    ADD_FAILURE() << "no backend " << backend;
    return nullptr;
  }
  static std::string cpu() { return test::executor_kinds().back().name; }

  static Request sampled(std::vector<TokenId> prompt, std::uint32_t n) {
    Request request{.prompt = std::move(prompt), .max_new_tokens = n, .ignore_end = true};
    request.sampling.seed = 5;
    return request;
  }
  static Heard run(Engine& engine, Request request) {
    Heard heard;
    EXPECT_TRUE(engine.submit(test::listen(std::move(request), heard)));
    EXPECT_TRUE(engine.run());
    EXPECT_EQ(heard.reason, FinishReason::length) << heard.error.message;
    return heard;
  }
  // The prompt and `n` new tokens, saved as it ends, through bytes.
  std::shared_ptr<const SavedSequence> saved_after(Engine& engine, std::vector<TokenId> prompt, std::uint32_t n,
                                                   Heard& heard) const {
    Request request = test::listen(sampled(std::move(prompt), n), heard);
    request.keep_state = true;
    std::shared_ptr<const SavedSequence> state;
    request.on_finish = [&, tell = std::move(request.on_finish)](const FinishEvent& event) {
      tell(event);
      state = event.state;
    };
    EXPECT_TRUE(engine.submit(std::move(request)));
    EXPECT_TRUE(engine.run());
    if (state == nullptr) {
      ADD_FAILURE() << "nothing was saved";
      return nullptr;
    }
    Result<SavedSequence> read = read_saved(write_saved(*state));
    EXPECT_TRUE(read) << read.error().message;
    return std::make_shared<const SavedSequence>(std::move(*read));
  }

  test::RandomModel model_ = test::random_model({.architecture = GetParam().architecture, .head_dim = 18});
  std::vector<TokenId> prompt_ = test::random_tokens(77, 3, 40);
};

// Over ends of blocks and in the middle of one, in steps of other sizes than before.
TEST_P(SavedSequences, GoOnAsIfTheyHadNeverStopped) {
  const std::unique_ptr<Engine> whole = engine(cpu());
  const Heard expected = run(*whole, sampled(prompt_, kNew + 12));
  for (const std::uint32_t n : {1u, 12u, 20u}) {
    Heard first;
    const std::unique_ptr<Engine> before = engine(cpu(), {.row_budget = 16, .max_sequences = 1});
    const auto state = saved_after(*before, prompt_, n, first);
    ASSERT_EQ(state->tokens.size(), prompt_.size() + n);
    // The last token was not computed when the request ended.
    EXPECT_EQ(state->n_positions, state->tokens.size() - 1);

    const std::unique_ptr<Engine> after = engine(cpu(), {.row_budget = 7, .max_sequences = 2});
    Request request = sampled(state->tokens, kNew + 12 - n);
    request.state = state;
    const Heard rest = run(*after, std::move(request));
    EXPECT_EQ(rest.stats.cached_tokens, state->n_positions);
    std::vector<TokenId> tokens = first.tokens;
    tokens.insert(tokens.end(), rest.tokens.begin(), rest.tokens.end());
    EXPECT_EQ(tokens, expected.tokens) << n;
    std::vector<std::vector<float>> logits = first.logits;
    logits.insert(logits.end(), rest.logits.begin(), rest.logits.end());
    EXPECT_TRUE(same_bits(logits, expected.logits)) << n;
  }
}

TEST_P(SavedSequences, RememberWhatMirostatLearnt) {
  const auto learning = [&](Request request) {
    request.sampling.mirostat = true;
    request.sampling.mirostat_tau = 2.0f;
    request.sampling.mirostat_eta = 0.5f;
    return request;
  };
  const std::unique_ptr<Engine> one = engine(cpu());
  const Heard expected = run(*one, learning(sampled(prompt_, 40)));
  Heard first;
  Request request = test::listen(learning(sampled(prompt_, 20)), first);
  request.keep_state = true;
  std::shared_ptr<const SavedSequence> state;
  request.on_finish = [&](const FinishEvent& event) { state = event.state; };
  ASSERT_TRUE(one->submit(std::move(request)));
  ASSERT_TRUE(one->run());
  ASSERT_NE(state, nullptr);
  ASSERT_TRUE(state->sampler.mirostat_mu.has_value());
  const auto read = std::make_shared<const SavedSequence>(expect_value(read_saved(write_saved(*state))));
  EXPECT_EQ(read->sampler, state->sampler);
  Request rest = learning(sampled(read->tokens, 20));
  rest.state = read;
  EXPECT_EQ(run(*one, std::move(rest)).tokens,
            (std::vector<TokenId>{expected.tokens.begin() + 20, expected.tokens.end()}));
}

// The form on disk is every backend's: what the CPU saved the reference takes, and saves it again as the same bytes.
TEST_P(SavedSequences, MoveBetweenBackends) {
  Heard first, again;
  const std::unique_ptr<Engine> before = engine(cpu());
  const auto state = saved_after(*before, prompt_, 9, first);
  const std::unique_ptr<Engine> after = engine("scalar_exact");
  Request request = test::listen(sampled(state->tokens, 0), again);
  request.state = state;
  const RequestId id = expect_value(after->submit(std::move(request)));
  ASSERT_TRUE(expect_value(after->begin_step()));
  ASSERT_TRUE(after->end_step());  // one row, and it ends
  EXPECT_FALSE(after->save(id)) << "it has ended";
  EXPECT_EQ(again.stats.cached_tokens, state->n_positions);

  // Saved again from the middle, with the one position more that it computed.
  Heard longer;
  request = test::listen(sampled(state->tokens, 5), longer);
  request.state = state;
  const RequestId live = expect_value(after->submit(std::move(request)));
  ASSERT_TRUE(expect_value(after->step()));
  // What it sees is what the CPU saw.
  const std::vector<float> expected = run(*engine(cpu()), sampled(state->tokens, 1)).logits.at(0);
  double difference = 0.0, size = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(longer.logits.at(0)[i] - expected[i], 2.0);
    size += std::pow(expected[i], 2.0);
  }
  EXPECT_LE(std::sqrt(difference / size), 1e-3);
  const SavedSequence second = expect_value(after->save(live));
  EXPECT_EQ(second.n_positions, state->tokens.size());
  ASSERT_EQ(second.groups.size(), state->groups.size());
  for (std::size_t g = 0; g < second.groups.size(); ++g) {
    for (const std::uint32_t index : state->groups[g].indices) {
      const auto was = state->block(g, index), is = second.block(g, index);
      if (is.empty()) continue;  // has left the window
      if ((index + 1) * kv::kBlockPositions <= state->n_positions) {
        EXPECT_TRUE(std::ranges::equal(was, is)) << index;
      }
    }
  }
}

// Two requests of one state share it; others with the same tokens do not see it.
TEST_P(SavedSequences, AreNobodyElses) {
  Heard first;
  const std::unique_ptr<Engine> before = engine(cpu());
  auto state = std::make_shared<SavedSequence>(*saved_after(*before, prompt_, 4, first));
  // A liar's: other keys and values than the tokens have.
  for (SavedSequence::Group& group : state->groups) {
    for (std::size_t i = 0; i < group.bytes.size(); i += 7) group.bytes[i] ^= std::byte{1};
  }
  const std::unique_ptr<Engine> after = engine(cpu());
  Request lied = sampled(state->tokens, 3);
  lied.state = state;
  const Heard wrong = run(*after, std::move(lied));
  const Heard right = run(*after, sampled(state->tokens, 3));
  EXPECT_EQ(right.stats.cached_tokens, 0u);
  const Heard alone = run(*engine(cpu()), sampled(state->tokens, 3));
  EXPECT_TRUE(same_bits(right.logits, alone.logits));
  EXPECT_FALSE(same_bits(wrong.logits, alone.logits));
}

// Preempted, and taken from what was saved a second time.
TEST_P(SavedSequences, ArePreemptedLikeOthers) {
  Heard first, second;
  const std::unique_ptr<Engine> before = engine(cpu());
  const auto state = saved_after(*before, prompt_, 9, first);
  const std::unique_ptr<Engine> after = engine(cpu());
  Request request = test::listen(sampled(state->tokens, 12), second);
  request.state = state;
  const RequestId id = expect_value(after->submit(std::move(request)));
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(expect_value(after->step()));
  ASSERT_TRUE(after->preempt(id));
  ASSERT_TRUE(after->run());
  std::vector<TokenId> tokens = first.tokens;
  tokens.insert(tokens.end(), second.tokens.begin(), second.tokens.end());
  EXPECT_EQ(tokens, run(*engine(cpu()), sampled(prompt_, 21)).tokens);
}

// Other settings or a pool that is too small cost time, not the sequence.
TEST_P(SavedSequences, AreComputedAgainWhereTheyDoNotFit) {
  Heard first;
  const std::unique_ptr<Engine> before = engine(cpu());
  const auto state = saved_after(*before, prompt_, 9, first);
  auto other = std::make_shared<SavedSequence>(*state);
  other->settings ^= 1;
  const std::unique_ptr<Engine> after = engine(cpu());
  Request request = sampled(state->tokens, 6);
  request.state = other;
  const Heard rest = run(*after, std::move(request));
  EXPECT_EQ(rest.stats.cached_tokens, 0u);
  request = sampled(state->tokens, 6);
  request.state = state;
  EXPECT_EQ(run(*after, std::move(request)).tokens, rest.tokens);
}

std::vector<Kind> kinds() {
  return {{"f32", graph::KvType::f32},
          {"f16", graph::KvType::f16},
          {"q8_0", graph::KvType::q8_0},
          {"window", graph::KvType::f16, {.context = 0, .window = 40, .sinks = 4}},
          {"gemma3", graph::KvType::q8_0, {}, "gemma3"}};
}
INSTANTIATE_TEST_SUITE_P(Kinds, SavedSequences, testing::ValuesIn(kinds()),
                         [](const auto& param) { return param.param.name; });

// ---- files ----

SavedSequence small_one() {
  SavedSequence saved{.model = 1, .settings = 2, .tokens = test::random_tokens(70, 1), .n_positions = 69};
  SavedSequence::Group all{.block_bytes = 12, .indices = {0, 1, 2}};
  SavedSequence::Group window{.block_bytes = 8, .indices = {1, 2}};
  for (SavedSequence::Group* group : {&all, &window}) {
    for (std::size_t i = 0; i < group->block_bytes * group->indices.size(); ++i) {
      group->bytes.push_back(static_cast<std::byte>(i * 7));
    }
    saved.groups.push_back(*group);
  }
  return saved;
}

// With the checksum made right again, so that what is behind it is tested, too.
void seal(std::vector<std::byte>& bytes) {
  const std::uint64_t sum = hash64(std::span(bytes).first(bytes.size() - 8));
  std::memcpy(bytes.data() + bytes.size() - 8, &sum, 8);
}

TEST(SavedSequenceFile, RoundTrip) {
  const SavedSequence saved = small_one();
  const SavedSequence read = expect_value(read_saved(write_saved(saved)));
  EXPECT_EQ(read.model, saved.model);
  EXPECT_EQ(read.settings, saved.settings);
  EXPECT_EQ(read.tokens, saved.tokens);
  EXPECT_EQ(read.n_positions, saved.n_positions);
  EXPECT_EQ(read.hash(), saved.hash());
  EXPECT_FALSE(read.sampler.mirostat_mu.has_value());
  EXPECT_TRUE(std::ranges::equal(read.block(1, 2), saved.block(1, 2)));
  EXPECT_EQ(read.block(1, 2).size(), 8u);
  EXPECT_TRUE(read.block(1, 0).empty());
}

TEST(SavedSequenceFile, CutsAndFlipsAreRefused) {
  const std::vector<std::byte> good = write_saved(small_one());
  for (std::size_t n = 0; n < good.size(); ++n) {
    const Result<SavedSequence> read = read_saved(std::span(good).first(n));
    ASSERT_FALSE(read) << n;
    EXPECT_EQ(read.error().code, Code::invalid_file);
  }
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::vector<std::byte> bad = good;
    bad[i] ^= std::byte{0x10};
    EXPECT_FALSE(read_saved(bad)) << i;
  }
}

// Whatever a file says whose checksum is right: nothing is read past its end, and nothing large is asked for.
TEST(SavedSequenceFile, HostileContentIsHarmless) {
  std::mt19937 random(1);
  const std::vector<std::byte> good = write_saved(small_one());
  int accepted = 0;
  for (int i = 0; i < (test::full_run() ? 20'000 : 2'000); ++i) {
    std::vector<std::byte> bad = good;
    for (int flips = static_cast<int>(random() % 4); flips >= 0; --flips) {
      bad[random() % (bad.size() - 8)] = static_cast<std::byte>(random() % 3 == 0 ? 0xFF : random());
    }
    if (random() % 4 == 0) bad.resize(bad.size() - random() % 40);
    seal(bad);
    const Result<SavedSequence> read = read_saved(bad);
    if (!read) continue;
    ++accepted;
    for (std::size_t g = 0; g < read->groups.size(); ++g) {
      for (std::uint32_t b = 0; b < 4; ++b) static_cast<void>(hash64(read->block(g, b)));
    }
  }
  EXPECT_GT(accepted, 0);
}

// What only an engine can judge.
TEST(SavedSequenceFile, AnEngineChecksTheRest) {
  const test::RandomModel model = test::random_model({});
  const test::RandomModel other = test::random_model({.seed = 2});
  const auto make = [](const test::RandomModel& of) {
    return expect_value(Engine::create(test::open_bytes(of.bytes), {}, expect_value(cpu::make_cpu_executor({}))));
  };
  const std::unique_ptr<Engine> engine = make(model);
  Heard heard;
  const RequestId id = expect_value(engine->submit(
      test::listen({.prompt = test::random_tokens(50, 1, 40), .max_new_tokens = 5, .ignore_end = true}, heard)));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(expect_value(engine->step()));
  const SavedSequence good = expect_value(engine->save(id));
  const auto refused = [&](Engine& by, const SavedSequence& saved, Code code, std::string_view said) {
    Request request{.prompt = good.tokens, .max_new_tokens = 1};
    request.state = std::make_shared<const SavedSequence>(saved);
    const Result<RequestId> answer = by.submit(std::move(request));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, code);
    EXPECT_NE(answer.error().message.find(said), std::string::npos) << answer.error().message;
  };
  refused(*make(other), good, Code::invalid_argument, "another model");
  SavedSequence bad = good;
  bad.tokens[3] ^= 1;
  refused(*engine, bad, Code::invalid_argument, "does not begin");
  bad = good;
  bad.groups.clear();
  refused(*engine, bad, Code::invalid_file, "0 groups");
  bad = good;
  bad.groups[0].block_bytes /= 2;
  refused(*engine, bad, Code::invalid_file, "bytes for group 0");
  bad = good;
  bad.groups[0].indices.erase(bad.groups[0].indices.begin());
  bad.groups[0].bytes.resize(bad.groups[0].bytes.size() - bad.groups[0].block_bytes);
  refused(*engine, bad, Code::invalid_file, "lacks block 0");
}

}  // namespace
}  // namespace wisp::runtime
