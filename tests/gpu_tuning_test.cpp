// The GPU backend that measures before it computes: the same logits, and what it found out serves the next start.
#include <gtest/gtest.h>

#include "gpu/executor.h"
#include "tests/engine_harness.h"
#include "tests/gpu_devices.h"
#include "tests/random_model.h"
#include "tests/test_data.h"

namespace wisp::runtime {
namespace {

using test::expect_value;
using test::Heard;

class GpuTuned : public testing::TestWithParam<test::GpuDriver> {
 protected:
  void SetUp() override {
    if (test::gpu_device(GetParam()) == nullptr) GTEST_SKIP() << test::no_gpu(GetParam());
    if (!test::is_turn_of(GetParam(), 1)) GTEST_SKIP() << "in full runs only";
  }

  struct Start {
    Heard heard;
    graph::StartCost cost;
  };
  Start start(gpu::TuneMode mode, const std::shared_ptr<gpu::Storage>& storage) {
    gpu::GpuOptions options;
    options.make_device = [] { return test::make_gpu_device(GetParam()); };
    options.tune = mode;
    options.storage = storage;
    const std::unique_ptr<Engine> engine =
        expect_value(Engine::create(test::open_bytes(model_.bytes), {.row_budget = 2, .max_sequences = 1},
                                    expect_value(gpu::make_gpu_executor(std::move(options)))));
    Start result;
    Request request{.prompt = {1, 2, 3, 4, 5, 6, 7}, .sampling = test::greedy(), .max_new_tokens = 6};
    EXPECT_TRUE(engine->submit(test::listen(std::move(request), result.heard)));
    EXPECT_TRUE(engine->run());
    EXPECT_EQ(result.heard.reason, FinishReason::length) << result.heard.error.message;
    result.cost = engine->executor().start_cost();
    return result;
  }

  test::RandomModel model_ = test::random_model({.layers = 1, .type = gguf::TensorType::q4_0});
};

TEST_P(GpuTuned, WhatWasFoundServesTheNextStart) {
  const auto storage = std::make_shared<gpu::MemoryStorage>();
  const Start untuned = start(gpu::TuneMode::off, nullptr);
  EXPECT_EQ(untuned.cost.tuning_ns, 0u);

  const Start first = start(gpu::TuneMode::full, storage);
  EXPECT_GT(first.cost.tuning_ns, 0u);
  EXPECT_EQ(first.cost.known_kernels, 0u);
  ASSERT_EQ(storage->texts().size(), 2u);
  const std::string tuned = storage->read("tuning");
  EXPECT_NE(tuned.find("\nchoice\tq4_0 "), std::string::npos) << tuned;

  // On a software adapter `fast` measures nothing, but what is remembered counts.
  const Start second = start(gpu::TuneMode::fast, storage);
  EXPECT_EQ(second.cost.tuning_ns, 0u);
  EXPECT_EQ(second.cost.known_kernels, first.cost.kernels);
  EXPECT_EQ(second.cost.kernels, first.cost.kernels);
  EXPECT_EQ(storage->read("tuning"), tuned);
  EXPECT_EQ(second.heard.tokens, first.heard.tokens);

  // Whatever way won: a value rounded to int8 or not.
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_LE(gpu::relative_error(first.heard.logits[i], untuned.heard.logits[i]), 3e-2) << i;
  }
}

// The way that would be taken is known to be wrong, and what the storage holds otherwise is nonsense.
TEST_P(GpuTuned, DisabledWaysAndDamagedMemoriesDoNoHarm) {
  const auto storage = std::make_shared<gpu::MemoryStorage>();
  const Start first = start(gpu::TuneMode::full, storage);
  std::string& tuned = storage->texts().at("tuning");
  std::string edited;
  for (std::size_t at = 0, end = 0; at < tuned.size(); at = end + 1) {
    end = tuned.find('\n', at);
    const std::string line = tuned.substr(at, end - at);
    edited += line + "\n";
    const std::size_t key = line.find('\t'), way = line.find('\t', key + 1), time = line.find('\t', way + 1);
    if (line.starts_with("choice\t")) {
      edited += "disabled" + line.substr(key, time - key) + "\tits numbers were off\n";
    }
  }
  tuned = edited;
  const Start other = start(gpu::TuneMode::fast, storage);
  EXPECT_LE(gpu::relative_error(other.heard.logits[0], first.heard.logits[0]), 3e-2);

  for (auto& [name, text] : storage->texts()) text.insert(0, "damaged\n");
  const Start damaged = start(gpu::TuneMode::fast, storage);
  EXPECT_EQ(damaged.cost.known_kernels, 0u);
  EXPECT_LE(gpu::relative_error(damaged.heard.logits[0], first.heard.logits[0]), 3e-2);
}

INSTANTIATE_TEST_SUITE_P(Software, GpuTuned, testing::ValuesIn(test::gpu_drivers()), test::gpu_driver_name);

}  // namespace
}  // namespace wisp::runtime
