// After warm-up a step asks for no memory.
#include <gtest/gtest.h>

#include "tests/counting_new.h"
#include "tests/engine_harness.h"

namespace wisp::runtime {
namespace {

TEST(EngineSteadyStateTest, DecodingAllocatesNothing) {
  if (!test::kCountsAllocations) GTEST_SKIP() << "sanitizers bring their own allocator";
  test::FakeEngine engine(test::mixed_fake(), 2048, {.max_sequences = 8});
  engine.controls->record = false;
  std::uint64_t tokens = 0;
  for (std::uint32_t i = 0; i < 8; ++i) {
    Request request{.prompt = test::random_tokens(40 + i, i), .max_new_tokens = 400};
    request.sampling.seed = i;
    request.sampling.repeat_penalty = 1.1f;
    request.on_token = [&tokens](const TokenEvent&) { tokens += 1; };
    ASSERT_TRUE(engine->submit(std::move(request)));
  }
  for (int step = 0; step < 10; ++step) ASSERT_TRUE(engine->step());
  const std::uint64_t warm = test::allocations(), before = tokens;
  for (int step = 0; step < 200; ++step) ASSERT_TRUE(engine->step());  // windows move and blocks fill meanwhile
  EXPECT_EQ(test::allocations() - warm, 0u);
  EXPECT_EQ(tokens - before, 8u * 200u);
}

TEST(EngineSteadyStateTest, TheCounterCounts) {
  if (!test::kCountsAllocations) GTEST_SKIP() << "sanitizers bring their own allocator";
  const std::uint64_t before = test::allocations();
  ::operator delete(::operator new(10));
  EXPECT_EQ(test::allocations() - before, 1u);
}

}  // namespace
}  // namespace wisp::runtime
