// A sequence that was saved goes on as if it had never stopped, in every engine that can take it.
#include "runtime/saved_sequence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "cpu/executor.h"
#include "graph/scalar_executor.h"
#include "tests/engine_harness.h"
#include "tests/executors.h"
#include "tests/random_model.h"

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
    Result<SavedSequence> read = read_saved(expect_value(write_saved(*state)));
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
  const auto read = std::make_shared<const SavedSequence>(expect_value(read_saved(expect_value(write_saved(*state)))));
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

// A prompt of which all is computed already: its last token is computed once more, for what comes behind it.
TEST_P(SavedSequences, OfWholePromptsComputeTheLastTokenOnly) {
  const std::unique_ptr<Engine> one = engine(cpu());
  for (const std::size_t length : {33u, 64u, 77u}) {
    const std::vector<TokenId> prompt(prompt_.begin(), prompt_.begin() + static_cast<std::ptrdiff_t>(length));
    Heard nothing;
    const auto state = saved_after(*one, prompt, 0, nothing);
    ASSERT_EQ(state->n_positions, length);
    const std::unique_ptr<Engine> after = engine(cpu(), {.row_budget = 9, .max_sequences = 1});
    Request request = sampled(prompt, 6);
    request.state = state;
    const Heard rest = run(*after, std::move(request));
    EXPECT_EQ(rest.stats.cached_tokens, length - 1);
    EXPECT_TRUE(same_bits(rest.logits, run(*engine(cpu()), sampled(prompt, 6)).logits)) << length;
  }
}

// Those whose logits are wanted are computed again, and what comes before them is not.
TEST_P(SavedSequences, GiveWhatComesBeforeTheLogitsThatAreWanted) {
  Heard first, scored, expected;
  const std::unique_ptr<Engine> one = engine(cpu());
  const auto state = saved_after(*one, prompt_, 4, first);
  const auto scoring = [&](Heard& heard) {
    Request request = test::listen_to_scores(sampled(state->tokens, 2), heard);
    request.logits_from = 70;
    return request;
  };
  Request request = scoring(scored);
  request.state = state;
  const std::unique_ptr<Engine> after = engine(cpu());
  ASSERT_TRUE(after->submit(std::move(request)));
  ASSERT_TRUE(after->run());
  const std::unique_ptr<Engine> plain = engine(cpu());
  ASSERT_TRUE(plain->submit(scoring(expected)));
  ASSERT_TRUE(plain->run());
  // Gemma's local layers have let go of what position 70 sees.
  EXPECT_EQ(scored.stats.cached_tokens, GetParam().architecture == "gemma3" ? 0u : 70u);
  EXPECT_TRUE(same_bits(scored.scores, expected.scores));
  EXPECT_TRUE(same_bits(scored.logits, expected.logits));
}

// ---- requests that have not run ----

// A fork of one that waits starts from the same state, and one of several that run beside each other does, too.
TEST_P(SavedSequences, AreTheirForksToo) {
  Heard first, busy, parent, early, late, copy;
  const std::unique_ptr<Engine> before = engine(cpu());
  const auto state = saved_after(*before, prompt_, 9, first);
  const std::vector<TokenId> expected = run(*engine(cpu()), sampled(state->tokens, 20)).tokens;

  const std::unique_ptr<Engine> after = engine(cpu(), {.max_sequences = 2});
  ASSERT_TRUE(after->submit(test::listen(sampled({1, 2, 3}, 8), busy)));
  Request request = test::listen(sampled(state->tokens, 20), parent);
  request.state = state;
  const RequestId id = expect_value(after->submit(std::move(request)));
  ASSERT_TRUE(after->fork(id, test::listen(sampled({}, 20), early)));
  Request preempted = test::listen(sampled({}, 20), copy);
  const RequestId other = expect_value(after->fork(id, std::move(preempted)));
  while (parent.tokens.size() < 5) ASSERT_TRUE(expect_value(after->step()));
  ASSERT_TRUE(after->fork(id, test::listen(sampled({}, 15), late)));
  while (copy.tokens.size() < 3) ASSERT_TRUE(expect_value(after->step()));
  ASSERT_TRUE(after->preempt(other));
  ASSERT_TRUE(after->run());
  for (const Heard* heard : {&parent, &early, &copy}) {
    EXPECT_EQ(heard->tokens, expected);
    EXPECT_GE(heard->stats.cached_tokens, state->n_positions);
  }
  EXPECT_EQ(late.tokens, (std::vector<TokenId>{expected.begin() + 5, expected.end()}));
}

TEST_P(SavedSequences, AreKeptWhereNothingHasRun) {
  Heard first, waiting, longer, stopped;
  const std::unique_ptr<Engine> before = engine(cpu());
  const auto state = saved_after(*before, prompt_, 9, first);
  const auto from_state = [&](Heard& heard) {
    Request request = test::listen(sampled(state->tokens, 12), heard);
    request.state = state;
    return request;
  };
  // Other settings make no difference: an engine that cannot use it hands it on.
  for (const EngineOptions& options : {EngineOptions{}, EngineOptions{.context = {.context = 0, .window = 50}}}) {
    const std::unique_ptr<Engine> after = options.context.window
                                              ? expect_value(Engine::create(test::open_bytes(model_.bytes), options,
                                                                            expect_value(cpu::make_cpu_executor({}))))
                                              : engine(cpu(), {});
    const RequestId id = expect_value(after->submit(from_state(waiting)));
    EXPECT_EQ(expect_value(after->save(id)), *state);
    Request more = from_state(longer);
    more.prompt.push_back(7);
    SavedSequence with_more = expect_value(after->save(expect_value(after->submit(std::move(more)))));
    EXPECT_EQ(with_more.tokens.back(), 7);
    with_more.tokens.pop_back();
    EXPECT_EQ(with_more, *state);
    // As it is cancelled, too.
    Request request = from_state(stopped);
    request.keep_state = true;
    std::shared_ptr<const SavedSequence> kept;
    request.on_finish = [&](const FinishEvent& event) { kept = event.state; };
    ASSERT_TRUE(after->cancel(expect_value(after->submit(std::move(request)))));
    ASSERT_NE(kept, nullptr);
    EXPECT_EQ(*kept, *state);
  }
  // One that was preempted has its tokens, and what it came with.
  const std::unique_ptr<Engine> after = engine(cpu());
  const RequestId id = expect_value(after->submit(from_state(stopped)));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(expect_value(after->step()));
  ASSERT_TRUE(after->preempt(id));
  const auto preempted = std::make_shared<const SavedSequence>(expect_value(after->save(id)));
  EXPECT_EQ(preempted->tokens.size(), state->tokens.size() + 5);
  EXPECT_EQ(preempted->groups, state->groups);
  Request rest = sampled(preempted->tokens, 7);
  rest.state = preempted;
  const std::vector<TokenId> whole = run(*engine(cpu()), sampled(state->tokens, 12)).tokens;
  EXPECT_EQ(run(*engine(cpu()), std::move(rest)).tokens, (std::vector<TokenId>{whole.begin() + 5, whole.end()}));
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

// A window that has let go of what the last token of the prompt sees: all is computed again.
TEST(SavedWindow, ThatIsTooShortByATokenCostsTimeOnly) {
  const test::RandomModel model = test::random_model({});
  const auto make = [&] {
    EngineOptions options;
    options.context = {.context = 0, .window = 40, .sinks = 4};
    return expect_value(
        Engine::create(test::open_bytes(model.bytes), options, expect_value(cpu::make_cpu_executor({}))));
  };
  // 103 positions: the next token sees from 64 on, a new block; the last of these from 63.
  const std::vector<TokenId> prompt = test::random_tokens(103, 3, 40);
  std::shared_ptr<SavedSequence> state;
  Request first{.prompt = prompt, .max_new_tokens = 0, .keep_state = true};
  first.on_finish = [&](const FinishEvent& event) { state = std::make_shared<SavedSequence>(*event.state); };
  const std::unique_ptr<Engine> before = make();
  ASSERT_TRUE(before->submit(std::move(first)));
  ASSERT_TRUE(before->run());
  SavedSequence::Group& group = state->groups.at(0);
  ASSERT_EQ(group.indices, (std::vector<std::uint32_t>{0, 1, 2, 3}));
  const auto at = static_cast<std::ptrdiff_t>(group.block_bytes);
  group.indices.erase(group.indices.begin() + 1);
  group.bytes.erase(group.bytes.begin() + at, group.bytes.begin() + 2 * at);
  for (const std::size_t more : {0u, 1u}) {
    Heard whole, rest;
    Request request{.prompt = prompt, .max_new_tokens = 5, .ignore_end = true};
    request.sampling = test::greedy();
    if (more == 1) request.prompt.push_back(1);
    Request restored = request;
    restored.state = state;
    const std::unique_ptr<Engine> plain = make(), after = make();
    ASSERT_TRUE(plain->submit(test::listen(std::move(request), whole)));
    ASSERT_TRUE(after->submit(test::listen(std::move(restored), rest)));
    ASSERT_TRUE(plain->run());
    ASSERT_TRUE(after->run());
    EXPECT_EQ(rest.stats.cached_tokens, more == 0 ? 0u : 103u);
    EXPECT_TRUE(same_bits(rest.logits, whole.logits));
  }
}

}  // namespace
}  // namespace wisp::runtime
