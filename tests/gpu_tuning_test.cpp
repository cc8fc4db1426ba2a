// The GPU backend that measures before it computes: the same logits, and what it found out serves the next start.
#include <gtest/gtest.h>

#include <chrono>
#include <ranges>
#include <set>

#include "base/log.h"
#include "gguf/byte_source.h"
#include "gguf/reader.h"
#include "gpu/executor.h"
#include "gpu/kernels/attention_ways.h"
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
  std::unique_ptr<graph::Executor> executor(gpu::TuneMode mode, const std::shared_ptr<gpu::Storage>& storage) {
    gpu::GpuOptions options;
    options.make_device = [this] {
      Result<std::unique_ptr<gpu::Device>> device = test::make_gpu_device(GetParam());
      if (device) device_ = device->get();
      return device;
    };
    options.tune = mode;
    options.int8 = int8_;
    options.storage = storage;
    return expect_value(gpu::make_gpu_executor(std::move(options)));
  }
  std::unique_ptr<Engine> engine(gpu::TuneMode mode, const std::shared_ptr<gpu::Storage>& storage) {
    return expect_value(Engine::create(test::open_bytes(model_.bytes), {.row_budget = rows_, .max_sequences = 1},
                                       executor(mode, storage)));
  }
  Start start(gpu::TuneMode mode, const std::shared_ptr<gpu::Storage>& storage) {
    const std::unique_ptr<Engine> engine = this->engine(mode, storage);
    Start result;
    Request request{.prompt = {}, .sampling = test::greedy(), .max_new_tokens = 6};
    for (TokenId id = 1; id <= prompt_; ++id) request.prompt.push_back(id);
    EXPECT_TRUE(engine->submit(test::listen(std::move(request), result.heard)));
    EXPECT_TRUE(engine->run());
    EXPECT_EQ(result.heard.reason, FinishReason::length) << result.heard.error.message;
    result.cost = engine->executor().start_cost();
    return result;
  }

  std::uint32_t rows_ = 2;  // of a step
  TokenId prompt_ = 7;      // tokens
  bool int8_ = true;
  gpu::Device* device_ = nullptr;  // the last one that was made
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

// A file that arrives slowly: what can be done without its weights is done when they are there, and has cost nobody
// time.
TEST_P(GpuTuned, IsReadyByTheTimeThatTheWeightsAre) {
  if (!test::gpu_device(GetParam())->info().features.timestamps) GTEST_SKIP() << "no timestamps";
  const std::size_t size = model_.bytes.size();
  auto stream = std::make_unique<gguf::StreamSource>(size, "slow");
  gguf::StreamSource& slow = *stream;
  const auto feed = [&](std::size_t from, std::size_t to) {
    EXPECT_TRUE(slow.feed(from, std::span(model_.bytes).subspan(from, to - from)));
  };
  const std::size_t held_back = size - 64;
  feed(0, held_back);
  const auto storage = std::make_shared<gpu::MemoryStorage>();
  std::unique_ptr<gguf::ByteSource> source = std::move(stream);
  const std::unique_ptr<Engine> engine =
      expect_value(Engine::begin(expect_value(gguf::read_file(source)), {.row_budget = rows_, .max_sequences = 1},
                                 executor(gpu::TuneMode::full, storage)));
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  while (storage->texts().size() < 2) {  // what was measured, and the kernels
    ASSERT_LT(std::chrono::steady_clock::now(), end) << "nothing happens while bytes are awaited";
    const Result<graph::LoadState> state = engine->load_more();
    ASSERT_TRUE(state) << state.error().message;
    ASSERT_NE(*state, graph::LoadState::done);
  }
  EXPECT_GT(engine->executor().start_cost().kernels, 0u);
  EXPECT_EQ(engine->executor().start_cost().tuning_ns, 0u);
  EXPECT_NE(storage->read("tuning").find("\nchoice\tq4_0 "), std::string::npos);
  feed(held_back, size);
  ASSERT_TRUE(engine->load());
  Heard heard;
  EXPECT_TRUE(
      engine->submit(test::listen({.prompt = {1, 2, 3}, .sampling = test::greedy(), .max_new_tokens = 3}, heard)));
  EXPECT_TRUE(engine->run());
  EXPECT_EQ(heard.tokens.size(), 3u) << heard.error.message;
  EXPECT_EQ(engine->executor().start_cost().tuning_ns, 0u);
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

// A prompt of many rows by every way of its products, as if the tuner had chosen it, against another such way.
TEST_P(GpuTuned, EveryWayOfManyRowsGivesTheSameModel) {
  rows_ = 16;
  prompt_ = 32;  // no rest that other ways would compute
  const auto storage = std::make_shared<gpu::MemoryStorage>();
  start(gpu::TuneMode::full, storage);
  const std::string tuned = storage->read("tuning");
  // Of the first token.
  const auto logits_by = [&](int edge, std::string_view way) {
    std::string edited;
    int taken = 0;
    for (const auto part : tuned | std::views::split('\n')) {
      std::string line(part.begin(), part.end());
      const std::size_t key = line.find('\t'), name = line.find('\t', key + 1), time = line.find('\t', name + 1);
      if (line.starts_with("choice\t") && line.find(", 64 rows\t") != std::string::npos) {
        const bool norm = line.find(" norm, 64 rows") != std::string::npos;
        // Gated products have no tiles of 64.
        const bool gated = line.find(" gated ") != std::string::npos;
        line = fmt::format("{}tiles of {} {}{}{}", line.substr(0, name + 1), gated ? 32 : edge, way,
                           norm ? ", norm before" : "", line.substr(time));
        ++taken;
      }
      edited += (edited.empty() ? "" : "\n") + line;
    }
    EXPECT_GT(taken, 0) << tuned;
    storage->texts().at("tuning") = edited;
    const Start other = start(gpu::TuneMode::fast, storage);
    EXPECT_EQ(other.cost.tuning_ns, 0u);
    return other.heard.logits.at(0);
  };
  const gpu::DeviceInfo& info = test::gpu_device(GetParam())->info();
  if (info.features.packed_dot) {
    const std::vector<float> integers = logits_by(32, "int8");
    EXPECT_LE(gpu::relative_error(logits_by(32, "int8, rounded before"), integers), 1e-6);
    EXPECT_LE(gpu::relative_error(logits_by(64, "int8, rounded before"), integers), 1e-6);
  }
  const std::vector<float> floats = logits_by(32, "float");
  EXPECT_LE(gpu::relative_error(logits_by(64, "float"), floats), 1e-5);
  if (!info.features.shader_f16) return;
  for (const int edge : {32, 64}) {
    const double error = gpu::relative_error(logits_by(edge, "f16"), floats);
    EXPECT_GT(error, 1e-5) << "tiles of " << edge << " were not taken";
    EXPECT_LE(error, 5e-3) << edge;
  }
}

// Whatever order its keys lie in and whether in plain steps: the same model. The prompt and the answer take the kernels
// of tiles, of rows and of plain steps. Rounding would hide how little the sums differ.
TEST_P(GpuTuned, EveryWayOfAttentionGivesTheSameModel) {
  int8_ = false;
  rows_ = 16;
  prompt_ = 37;
  const auto storage = std::make_shared<gpu::MemoryStorage>();
  const Start first = start(gpu::TuneMode::full, storage);
  const std::string tuned = storage->read("tuning");
  const std::size_t line = tuned.find("choice\tattention ");
  ASSERT_NE(line, std::string::npos) << tuned;
  const std::size_t name = tuned.find('\t', line + 7) + 1, time = tuned.find('\t', name);
  std::set<std::vector<float>> different;
  for (const gpu::AttentionWay& way : gpu::kAttentionWays) {
    storage->texts().at("tuning") = tuned.substr(0, name) + gpu::way_name(way) + tuned.substr(time);
    const Start other = start(gpu::TuneMode::fast, storage);
    EXPECT_EQ(other.cost.tuning_ns, 0u);
    std::vector<float> all;
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_LE(gpu::relative_error(other.heard.logits[i], first.heard.logits[i]), 1e-4) << gpu::way_name(way);
      all.insert(all.end(), other.heard.logits[i].begin(), other.heard.logits[i].end());
    }
    different.insert(std::move(all));
  }
  EXPECT_GE(different.size(), 2u) << "plain steps sum in another order";
}

// In the middle of a text the device's clock begins to run a thousand times as fast, so that everything seems to take a
// thousand times as long. Less could hide: a program as the device is halted for some ms by other programs, which may
// make one of the first kernels, whose lengths are the promise, seem a hundred times as long.
TEST_P(GpuTuned, ASlowdownIsMeasuredAgainBetweenSteps) {
  if (!test::gpu_device(GetParam())->info().features.timestamps) GTEST_SKIP() << "no timestamps";
  model_ = test::random_model({.layers = 1, .context = 1024, .type = gguf::TensorType::q4_0});
  static std::set<std::string, std::less<>> drifted;
  drifted.clear();
  set_log_sink([](LogLevel, std::string_view text) {
    if (text.find("takes longer than it did") != std::string_view::npos) drifted.emplace(text);
  });
  const std::unique_ptr<Engine> engine = this->engine(gpu::TuneMode::full, std::make_shared<gpu::MemoryStorage>());
  Heard heard;
  Request request{.prompt = {1, 2, 3}, .sampling = test::greedy(), .max_new_tokens = 900, .ignore_end = true};
  request = test::hear_tokens(std::move(request), heard);
  std::uint64_t tuned = 0;
  request.on_token = [&, hear = std::move(request.on_token)](const TokenEvent& event) {
    hear(event);
    // By now it is known how long kernels take.
    if (event.position != 400) return;
    tuned = engine->executor().start_cost().tuning_ns;
    drifted.clear();
    // Nobody else sees this device, and it is not const.
    const_cast<gpu::DeviceInfo&>(device_->info()).timestamp_nanoseconds *= 1000;
  };
  EXPECT_TRUE(engine->submit(std::move(request)));
  EXPECT_TRUE(engine->run());
  set_log_sink(nullptr);
  EXPECT_EQ(heard.reason, FinishReason::length) << heard.error.message;
  EXPECT_EQ(heard.tokens.size(), 900u);
  EXPECT_GT(tuned, 0u);
  EXPECT_GT(engine->executor().start_cost().tuning_ns, tuned);
  // Query, key and value; their output; gate and up; down; the head. A busy machine alone slows one or two.
  EXPECT_GE(drifted.size(), 4u);
}

INSTANTIATE_TEST_SUITE_P(Software, GpuTuned, testing::ValuesIn(test::gpu_drivers()), test::gpu_driver_name);

}  // namespace
}  // namespace wisp::runtime
