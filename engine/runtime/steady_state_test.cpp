// After warm-up a step asks for no memory.
#include <gtest/gtest.h>

#include <functional>

#include "cpu/executor.h"
#include "gguf/reader.h"
#include "tests/counting_new.h"
#include "tests/engine_harness.h"
#include "tests/test_data.h"

namespace wisp::runtime {
namespace {

// A device that takes everything and chooses token 1, and allocates nothing itself.
class InstantDevice final : public test::FakeExecutor, public graph::AsyncExecutor {
 public:
  explicit InstantDevice(const test::FakeModel& model)
      : FakeExecutor(model, std::make_shared<test::FakeControls>()), tokens_(8, 1) {}
  [[nodiscard]] graph::AsyncExecutor* async() override { return this; }
  Result<bool> poll() override { return true; }
  [[nodiscard]] bool can_wait() const override { return true; }
  Status wait() override { return {}; }
  [[nodiscard]] std::uint64_t losses() const override { return 0; }
  [[nodiscard]] std::uint32_t slots() const override { return 8; }
  [[nodiscard]] std::uint32_t max_steps_in_flight() const override { return 4; }
  [[nodiscard]] bool can_sample(const graph::DeviceSample&) const override { return true; }
  Result<graph::StepTicket> submit(const graph::Plan&, const graph::StepInputs&, std::span<const graph::DeviceSample>,
                                   std::span<const std::uint32_t>) override {
    return graph::StepTicket{0};
  }
  Result<std::optional<graph::StepOutput>> collect(graph::StepTicket) override {
    return graph::StepOutput{tokens_, {}};
  }

 private:
  std::vector<TokenId> tokens_;
};

// Eight sequences decode for `steps` steps after ten of warm-up, while blocks fill and windows move.
void expect_no_allocations(Engine& engine, int steps, const std::function<void(Request&, std::uint32_t)>& change = {}) {
  std::uint64_t tokens = 0;
  for (std::uint32_t i = 0; i < 8; ++i) {
    Request request{.prompt = test::random_tokens(40 + i, i),
                    .max_new_tokens = static_cast<std::uint32_t>(steps) + 20,
                    .ignore_end = true};
    request.sampling.seed = i;
    request.sampling.repeat_penalty = 1.1f;
    if (change) change(request, i);
    request.on_token = [&tokens](const TokenEvent&) { tokens += 1; };
    ASSERT_TRUE(engine.submit(std::move(request)));
  }
  for (int step = 0; step < 10; ++step) {
    ASSERT_TRUE(engine.step());
  }
  const std::uint64_t warm = test::allocations(), before = tokens;
  for (int step = 0; step < steps; ++step) {
    ASSERT_TRUE(engine.step());
  }
  EXPECT_EQ(test::allocations() - warm, 0u);
  EXPECT_EQ(tokens - before, 8u * static_cast<std::uint32_t>(steps));
}

TEST(EngineSteadyStateTest, DecodingAllocatesNothing) {
  if (!test::kCountsAllocations) GTEST_SKIP() << "sanitizers bring their own allocator";
  test::FakeEngine engine(test::mixed_fake(), 2048, {.max_sequences = 8});
  engine.controls->record = false;
  expect_no_allocations(*engine.engine, 200);
}

TEST(EngineSteadyStateTest, NoSamplerAllocates) {
  if (!test::kCountsAllocations) GTEST_SKIP() << "sanitizers bring their own allocator";
  test::FakeEngine engine(test::mixed_fake(), 2048, {.max_sequences = 8});
  engine.controls->record = false;
  expect_no_allocations(*engine.engine, 200, [](Request& request, std::uint32_t i) {
    sample::SamplingParams& params = request.sampling;
    params.dry_multiplier = 0.5f;
    params.dry_breakers = {{1, 2}, {3}};
    params.xtc_probability = 0.5f;
    params.typical_p = 0.9f;
    params.top_n_sigma = 2.0f;
    params.dynatemp_range = 0.5f;
    params.mirostat = i % 2 == 0;
    request.logprobs = sample::LogprobOptions{.top = 20, .mass = 0.9f, .after_sampling = i % 3 == 0};
  });
}

TEST(EngineSteadyStateTest, BeingAheadAllocatesNothing) {
  if (!test::kCountsAllocations) GTEST_SKIP() << "sanitizers bring their own allocator";
  const test::FakeModel model = test::mixed_fake();
  const std::unique_ptr<Engine> engine = test::expect_value(
      Engine::create(gguf::File{}, model.graph(), 2048, {.max_sequences = 8}, std::make_unique<InstantDevice>(model)));
  expect_no_allocations(*engine, 200);
  EXPECT_EQ(engine->counters().most_steps_in_flight, 4u);
}

TEST(EngineSteadyStateTest, DecodingTheShippedModelAllocatesNothing) {
  if (!test::kCountsAllocations) GTEST_SKIP() << "sanitizers bring their own allocator";
  const auto path = test::source_dir() / "models/wisp-stories.gguf";
  const std::unique_ptr<Engine> engine = test::expect_value(
      Engine::create(test::expect_value(gguf::open_model(path.string())), {.max_sequences = 8},
                     test::expect_value(cpu::make_cpu_executor({.threads = 2, .isa = "", .repack = true}))));
  expect_no_allocations(*engine, 16);
}

TEST(EngineSteadyStateTest, TheCounterCounts) {
  if (!test::kCountsAllocations) GTEST_SKIP() << "sanitizers bring their own allocator";
  const std::uint64_t before = test::allocations();
  ::operator delete(::operator new(10));
  EXPECT_EQ(test::allocations() - before, 1u);
}

}  // namespace
}  // namespace wisp::runtime
