// Random texts, cut at random places, saved and gone on with by engines of other sizes: the same tokens, to the bit of
// their logits, as in one go.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "cpu/executor.h"
#include "runtime/saved_sequence.h"
#include "tests/engine_harness.h"
#include "tests/random_model.h"
#include "tests/test_data.h"

namespace wisp::runtime {
namespace {

using test::expect_value;
using test::Heard;
using test::same_bits;

class Story {
 public:
  explicit Story(std::uint32_t seed) : random_(seed), seed_(seed) {
    constexpr graph::KvType kTypes[] = {graph::KvType::f32, graph::KvType::f16, graph::KvType::q8_0};
    type_ = kTypes[seed % std::size(kTypes)];
    if (below(2) == 1) context_ = {.context = 0, .window = 20 + below(60), .sinks = below(2) * (1 + below(40))};
    test::RandomModelShape shape{.architecture = below(3) == 0 ? "gemma3" : "llama",
                                 .layers = 1 + below(2),
                                 .d_model = 32,
                                 .feed_forward = 32,
                                 .heads = 2,
                                 .kv_heads = 1 + below(2),
                                 .head_dim = 8 + 2 * below(16),
                                 .seed = seed};
    model_ = test::random_model(shape);
    prompt_ = test::random_tokens(1 + below(120), seed, shape.vocabulary);
    length_ = 30 + below(40);
  }

  void check() {
    Heard whole;
    const std::unique_ptr<Engine> one = engine();
    ASSERT_TRUE(one->submit(test::listen(asked(prompt_, length_), whole)));
    ASSERT_TRUE(one->run());
    ASSERT_EQ(whole.tokens.size(), length_);

    std::vector<TokenId> told = prompt_;
    std::vector<std::vector<float>> logits;
    std::shared_ptr<const SavedSequence> state;
    while (logits.size() < length_) {
      const std::uint32_t left = length_ - static_cast<std::uint32_t>(logits.size());
      Heard part;
      tell_a_part(part, told, 1 + below(std::min(left, 25u)), state);
      if (testing::Test::HasFatalFailure()) return;
      told.insert(told.end(), part.tokens.begin(), part.tokens.end());
      logits.insert(logits.end(), part.logits.begin(), part.logits.end());
    }
    const std::vector<TokenId> made(told.begin() + static_cast<std::ptrdiff_t>(prompt_.size()), told.end());
    EXPECT_EQ(made, whole.tokens);
    EXPECT_TRUE(same_bits(logits, whole.logits));
  }

 private:
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }

  std::unique_ptr<Engine> engine() {
    EngineOptions options{.context = context_, .kv_type = type_, .row_budget = 4 + below(100), .max_sequences = 2};
    options.prefix_cache = below(3) > 0;
    return expect_value(Engine::create(test::open_bytes(model_.bytes), options,
                                       expect_value(cpu::make_cpu_executor({.threads = 1, .isa = {}}))));
  }
  Request asked(std::vector<TokenId> prompt, std::uint32_t n) const {
    Request request{.prompt = std::move(prompt), .max_new_tokens = n, .ignore_end = true};
    request.sampling.seed = seed_;
    return request;
  }

  // The next `n` tokens behind `told` by an engine of its own, which goes on from `state` and leaves the next one.
  void tell_a_part(Heard& part, const std::vector<TokenId>& told, std::uint32_t n,
                   std::shared_ptr<const SavedSequence>& state) {
    const bool in_the_middle = below(2) == 1, forks = below(3) == 0;
    bool to_preempt = n > 1 && below(3) == 0;
    SavedSequence saved;
    Request request = test::listen(asked(told, in_the_middle ? n + 5 : n), part);
    request.state = state;
    request.keep_state = !in_the_middle;
    request.on_finish = [&saved](const FinishEvent& event) {
      if (event.state != nullptr) saved = *event.state;
    };
    const std::unique_ptr<Engine> teller = engine();
    RequestId id = expect_value(teller->submit(std::move(request)));
    if (forks) {  // the child in place of its parent
      Request child = test::listen(asked({}, in_the_middle ? n + 5 : n), part);
      child.keep_state = !in_the_middle;
      child.on_finish = [&saved](const FinishEvent& event) {
        if (event.state != nullptr) saved = *event.state;
      };
      const RequestId parent = std::exchange(id, expect_value(teller->fork(id, std::move(child))));
      ASSERT_TRUE(teller->cancel(parent));
    }
    while (part.tokens.size() < n) {
      ASSERT_TRUE(expect_value(teller->step()));
      if (to_preempt && part.tokens.size() == n / 2) {
        ASSERT_TRUE(teller->preempt(id));
        to_preempt = false;
      }
    }
    if (in_the_middle) saved = expect_value(teller->save(id));
    ASSERT_EQ(part.tokens.size(), n);
    ASSERT_EQ(saved.tokens.size(), told.size() + n);
    ASSERT_EQ(saved.n_positions + 1, saved.tokens.size());
    const std::vector<std::byte> bytes = expect_value(write_saved(saved));
    const SavedSequence read = expect_value(read_saved(bytes));
    ASSERT_EQ(read, saved);
    state = std::make_shared<const SavedSequence>(read);
  }

  std::mt19937 random_;
  std::uint32_t seed_;
  graph::KvType type_;
  model::ContextOptions context_;
  test::RandomModel model_;
  std::vector<TokenId> prompt_;
  std::uint32_t length_;
};

TEST(SavedSequencesAtRandom, GoOnAsIfTheyHadNeverStopped) {
  for (std::uint32_t seed = 1; seed <= (test::full_run() ? 300u : 15u); ++seed) {
    SCOPED_TRACE(seed);
    Story(seed).check();
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace wisp::runtime
