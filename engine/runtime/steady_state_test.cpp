// After warm-up a step asks for no memory.
#include <gtest/gtest.h>

#include "cpu/executor.h"
#include "gguf/reader.h"
#include "tests/counting_new.h"
#include "tests/engine_harness.h"
#include "tests/test_data.h"

namespace wisp::runtime {
namespace {

// Eight sequences decode for `steps` steps after ten of warm-up, while blocks fill and windows move.
void expect_no_allocations(Engine& engine, int steps) {
  std::uint64_t tokens = 0;
  for (std::uint32_t i = 0; i < 8; ++i) {
    Request request{.prompt = test::random_tokens(40 + i, i),
                    .max_new_tokens = static_cast<std::uint32_t>(steps) + 20,
                    .ignore_end = true};
    request.sampling.seed = i;
    request.sampling.repeat_penalty = 1.1f;
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
