// The engine over the GPU backend: tokens that are chosen on the device and go into steps that the host has not seen
// the input of, whatever the depth; and a device that is lost in the middle of it.
#include <gtest/gtest.h>

#include "gpu/executor.h"
#include "tests/engine_harness.h"
#include "tests/gpu_devices.h"
#include "tests/random_model.h"
#include "tests/test_data.h"

namespace wisp::runtime {
namespace {

using test::expect_value;
using test::greedy;
using test::hear_tokens;
using test::Heard;

constexpr std::uint32_t kVocabulary = 40;

class GpuRunsAhead : public testing::TestWithParam<test::GpuDriver> {
 protected:
  void SetUp() override {
    if (test::gpu_device(GetParam()) == nullptr) GTEST_SKIP() << test::no_gpu(GetParam());
  }

  std::unique_ptr<Engine> make(EngineOptions options = {}, bool deterministic = false) {
    gpu::GpuOptions gpu;
    gpu.deterministic = deterministic;
    gpu.make_device = [this]() -> Result<std::unique_ptr<gpu::Device>> {
      ++devices_;
      WISP_TRY(std::unique_ptr<gpu::Device> device, test::make_gpu_device(GetParam()));
      device_ = device.get();
      return device;
    };
    options.context.context = 128;
    options.row_budget = 8;
    options.max_sequences = 4;
    return expect_value(
        Engine::create(test::open_bytes(model_.bytes), options, expect_value(gpu::make_gpu_executor(std::move(gpu)))));
  }

  static Request request(std::uint32_t number, std::uint32_t new_tokens) {
    return {.prompt = test::random_tokens(5 + 9 * number, number + 1, kVocabulary),
            .sampling = greedy(),
            .max_new_tokens = new_tokens};
  }

  test::RandomModel model_ = test::random_model({.vocabulary = kVocabulary});
  gpu::Device* device_ = nullptr;  // the newest
  int devices_ = 0;
};

TEST_P(GpuRunsAhead, TokensAreTheSameAtEveryDepth) {
  std::vector<std::vector<TokenId>> expected;
  for (const std::uint32_t depth : {1u, 4u}) {
    const std::unique_ptr<Engine> engine = make({.steps_ahead = depth});
    std::vector<Heard> heard(3);
    for (std::uint32_t i = 0; i < 3; ++i) {
      Request one = request(i, 20 + i);
      if (i == 2) {
        // Its penalties look at tokens that the host has not read yet.
        one.sampling.temperature = 1.3f;
        one.sampling.repeat_penalty = 1.2f;
        one.sampling.frequency_penalty = 0.4f;
        one.sampling.penalty_last_n = 9;
        one.sampling.logit_bias = {{3, 1.5f}, {4, -100.0f}};
        one.sampling.seed = 3;
      }
      ASSERT_TRUE(engine->submit(hear_tokens(std::move(one), heard[i])));
    }
    ASSERT_TRUE(engine->run());
    EXPECT_EQ(engine->counters().most_steps_in_flight, depth);
    EXPECT_EQ(engine->counters().device_tokens, 20u + 21 + 22);
    if (expected.empty()) {
      for (const Heard& one : heard) expected.push_back(one.tokens);
    }
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(heard[i].tokens, expected[i]) << i << " at depth " << depth;
  }
}

TEST_P(GpuRunsAhead, StepsAreSubmittedWhoseTokensTheHostHasNotRead) {
  if (!test::is_turn_of(GetParam(), 1)) GTEST_SKIP() << "in full runs only";
  const std::unique_ptr<Engine> engine = make({.steps_ahead = 4});
  Heard heard;
  ASSERT_TRUE(engine->submit(hear_tokens(request(0, 12), heard)));
  std::uint32_t most = 0;
  bool more = true;
  while (more) {
    while (true) {
      Result<bool> begun = engine->begin_step();
      ASSERT_TRUE(begun) << begun.error().message;
      if (!*begun) break;
    }
    most = std::max(most, engine->steps_in_flight());
    more = expect_value(engine->step());
  }
  EXPECT_GE(most, 3u);  // the newest two were given tokens that nobody here knew
  EXPECT_EQ(heard.tokens.size(), 12u);
}

TEST_P(GpuRunsAhead, ALostDeviceIsReplacedAndTheTextGoesOn) {
  std::vector<TokenId> expected;
  for (const bool loses : {false, true}) {
    const std::unique_ptr<Engine> engine = make({.steps_ahead = 3}, true);
    Heard heard;
    Request one = hear_tokens(request(1, 24), heard);
    one.on_token = [&, hear = one.on_token](const TokenEvent& event) {
      hear(event);
      if (loses && heard.tokens.size() == 9) device_->destroy();
    };
    ASSERT_TRUE(engine->submit(std::move(one)));
    const int before = devices_;
    ASSERT_TRUE(engine->run());
    EXPECT_EQ(heard.reason, FinishReason::length) << heard.error.message;
    EXPECT_EQ(devices_, before + (loses ? 1 : 0));
    EXPECT_EQ(engine->counters().device_losses, loses ? 1u : 0u);
    if (!loses) expected = heard.tokens;
    EXPECT_EQ(heard.tokens, expected);
  }
  EXPECT_EQ(expected.size(), 24u);
}

TEST_P(GpuRunsAhead, ADeviceThatDoesNotComeBackIsAnError) {
  gpu::GpuOptions gpu;
  gpu.make_device = [this]() -> Result<std::unique_ptr<gpu::Device>> {
    if (++devices_ > 1) return fail(Code::device, "no device is left");
    WISP_TRY(std::unique_ptr<gpu::Device> device, test::make_gpu_device(GetParam()));
    device_ = device.get();
    return device;
  };
  const std::unique_ptr<Engine> engine =
      expect_value(Engine::create(test::open_bytes(model_.bytes), {.row_budget = 8, .max_sequences = 1},
                                  expect_value(gpu::make_gpu_executor(std::move(gpu)))));
  Heard heard;
  ASSERT_TRUE(engine->submit(hear_tokens(request(0, 8), heard)));
  device_->destroy();
  EXPECT_TRUE(engine->run());
  EXPECT_EQ(heard.reason, FinishReason::error);
  EXPECT_NE(heard.error.message.find("no device is left"), std::string::npos) << heard.error.message;
}

INSTANTIATE_TEST_SUITE_P(Software, GpuRunsAhead, testing::ValuesIn(test::gpu_drivers()), test::gpu_driver_name);

}  // namespace
}  // namespace wisp::runtime
