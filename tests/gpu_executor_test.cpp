// The GPU backend as a whole against the scalar executor: random models of every architecture and kind of weights,
// every KV type, windows and sinks, cut limits; and how many dispatches a layer takes.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "gpu/executor.h"
#include "gpu/tuner/tuning_task.h"
#include "tests/gpu_devices.h"
#include "tests/model_runner.h"
#include "tests/random_model.h"
#include "tests/test_data.h"

namespace wisp {
namespace {

using gguf::TensorType;

struct Trial {
  test::RandomModelShape shape;
  test::RunnerOptions runner = {};
  gpu::NativeOptions native = {};
  bool int8 = true;
  bool deterministic = false;
  gpu::AttentionPath attention = gpu::AttentionPath::flash;
};

class GpuExecutor : public testing::TestWithParam<test::GpuDriver> {
 protected:
  void SetUp() override {
    if (test::gpu_device(GetParam()) == nullptr) GTEST_SKIP() << test::no_gpu(GetParam());
  }

  std::unique_ptr<graph::Executor> make(const Trial& setup) {
    gpu::GpuOptions options;
    options.make_device = [driver = GetParam(), native = setup.native] {
      return test::make_gpu_device(driver, native);
    };
    options.int8 = setup.int8;
    options.deterministic = setup.deterministic;
    options.attention = setup.attention;
    return test::must(gpu::make_gpu_executor(std::move(options)));
  }

  static std::vector<std::int32_t> some_tokens(std::size_t n, std::uint32_t vocabulary) {
    std::vector<std::int32_t> tokens;
    for (std::size_t i = 0; i < n; ++i) tokens.push_back(static_cast<std::int32_t>((i * 37 + 11) % vocabulary));
    return tokens;
  }

  // Prefill in two unequal pieces, then a few single rows; logits of every row.
  template <class Make>
  static std::vector<float> run(const Trial& setup, test::RandomModel& model, const Make& make_executor) {
    test::ModelRunner runner(model.file, make_executor(), setup.runner);
    const std::vector<std::int32_t> tokens = some_tokens(60, setup.shape.vocabulary);
    std::vector<float> all;
    std::size_t at = 0;
    for (const std::size_t piece : {41u, 6u, 10u, 1u, 1u, 1u}) {
      const std::vector<float> more = runner.feed(std::span(tokens).subspan(at, piece), static_cast<std::int32_t>(at));
      all.insert(all.end(), more.begin(), more.end());
      at += piece;
    }
    return all;
  }

  double error(const Trial& setup) {
    test::RandomModel model = test::random_model(setup.shape);
    const auto arithmetic = setup.int8 ? graph::Arithmetic::int8_activations : graph::Arithmetic::exact;
    const std::vector<float> expected = run(setup, model, [&] { return graph::make_scalar_executor(arithmetic); });
    const std::vector<float> actual = run(setup, model, [&] { return make(setup); });
    return gpu::relative_error(actual, expected);
  }
};

// Floats are summed in another order; a rounding to int8 that falls the other way weighs more.
constexpr double kFloat = 2e-5;
constexpr double kInt8 = 2e-2;

TEST_P(GpuExecutor, EveryArchitectureAgreesWithTheScalarExecutor) {
  std::size_t number = 0;
  for (test::RandomModelShape shape : test::shapes_of_every_architecture()) {
    if (!test::is_turn_of(GetParam(), number++)) continue;
    EXPECT_LE(error({.shape = shape}), kFloat) << shape.architecture;
    if (!test::full_run()) continue;
    EXPECT_LE(error({.shape = shape, .runner = {.no_fuse = {"all"}}}), kFloat) << shape.architecture << ", not fused";
    shape.type = TensorType::q4_1;
    EXPECT_LE(error({.shape = shape}), kInt8) << shape.architecture << " q4_1";
    EXPECT_LE(error({.shape = shape, .int8 = false}), kFloat) << shape.architecture << " q4_1, floats";
  }
}

TEST_P(GpuExecutor, WithoutFusion) {
  if (!test::is_turn_of(GetParam(), 1)) GTEST_SKIP() << "in full runs only";
  EXPECT_LE(error({.shape = {.architecture = "gemma2", .layers = 2}, .runner = {.no_fuse = {"all"}}}), kFloat);
}

TEST_P(GpuExecutor, EveryTypeOfKeysAndValues) {
  for (const graph::KvType type : {graph::KvType::f32, graph::KvType::f16, graph::KvType::q8_0}) {
    if (!test::is_turn_of(GetParam(), static_cast<std::size_t>(type))) continue;
    // A value that is rounded the other way by a last bit's difference.
    const double tolerance = type == graph::KvType::f32 ? kFloat : type == graph::KvType::f16 ? 1e-3 : 2e-2;
    EXPECT_LE(error({.shape = {.head_dim = 64}, .runner = {.kv = type}}), tolerance) << static_cast<int>(type);
  }
}

// A sequence goes on from what another one wrote, on copies of its blocks.
TEST_P(GpuExecutor, CopiedBlocksHoldTheSame) {
  const Trial setup{.shape = {}, .runner = {.kv = graph::KvType::q8_0, .max_positions = 64, .sequences = 2}};
  test::RandomModel model = test::random_model(setup.shape);
  const std::vector<std::int32_t> tokens = some_tokens(48, setup.shape.vocabulary);
  const auto fork = [&](std::unique_ptr<graph::Executor> executor) {
    test::ModelRunner runner(model.file, std::move(executor), setup.runner);
    runner.feed(std::span(tokens).first(40));
    runner.copy_sequence(0, 1);
    return runner.feed(std::span(tokens).subspan(40), 40, 1);
  };
  // Of keys and values that are rounded the other way by a last bit's difference.
  EXPECT_LE(gpu::relative_error(fork(make(setup)), fork(graph::make_scalar_executor(graph::Arithmetic::exact))), 2e-2);
}

TEST_P(GpuExecutor, WindowsAndSinks) {
  for (const std::uint32_t sinks : {0u, 3u}) {
    if (!test::is_turn_of(GetParam(), sinks)) continue;
    Trial setup{.shape = {.architecture = "qwen3", .heads = 6, .kv_heads = 3}};
    setup.runner.context = {.context = 128, .window = 20, .sinks = sinks};
    EXPECT_LE(error(setup), kFloat) << sinks << " sinks";
  }
}

TEST_P(GpuExecutor, PlainAttention) {
  if (!test::is_turn_of(GetParam(), 1)) GTEST_SKIP() << "in full runs only";
  EXPECT_LE(error({.shape = {.architecture = "gemma2", .layers = 2}, .attention = gpu::AttentionPath::plain}), kFloat);
}

TEST_P(GpuExecutor, QuantisedWeights) {
  const Trial setup{
      .shape = {.layers = 1, .d_model = 256, .feed_forward = 256, .head_dim = 64, .type = TensorType::q4_k}};
  EXPECT_LE(error(setup), kInt8);
  Trial floats = setup;
  floats.int8 = false;
  EXPECT_LE(error(floats), kFloat);
  Trial plain = setup;
  plain.native.no_packed_dot = plain.native.no_subgroups = plain.native.no_f16 = true;
  plain.int8 = false;
  EXPECT_LE(error(plain), kFloat) << "on a device that has only the defaults";
}

// Matrices that the device cannot bind at once lie in parts.
TEST_P(GpuExecutor, LimitsForcedDownToOneMebibyte) {
  Trial setup{.shape = {.layers = 1, .d_model = 256, .feed_forward = 1536, .vocabulary = 2100, .tied = true}};
  setup.native.max_binding_bytes = 1 << 20;
  setup.runner.max_positions = 64;
  EXPECT_LE(error(setup), kFloat);
}

TEST_P(GpuExecutor, DeterministicRowsDoNotDependOnTheirCompany) {
  if (!test::is_turn_of(GetParam(), 1)) GTEST_SKIP() << "in full runs only";
  Trial setup{.shape = {.layers = 1, .type = TensorType::q8_0}, .deterministic = true};
  test::RandomModel model = test::random_model(setup.shape);
  const std::vector<std::int32_t> tokens = some_tokens(30, setup.shape.vocabulary);
  const auto feed = [&](std::size_t chunk) {
    test::ModelRunner runner(model.file, make(setup), setup.runner);
    std::vector<float> all;
    for (std::size_t at = 0; at < tokens.size(); at += chunk) {
      const std::size_t n = std::min(chunk, tokens.size() - at);
      const std::vector<float> more = runner.feed(std::span(tokens).subspan(at, n), static_cast<std::int32_t>(at));
      all.insert(all.end(), more.begin(), more.end());
    }
    return all;
  };
  const std::vector<float> whole = feed(tokens.size());
  EXPECT_EQ(feed(7), whole);
  EXPECT_EQ(feed(1), whole);
}

TEST_P(GpuExecutor, ADecodeStepTakesFewDispatches) {
  if (!test::is_turn_of(GetParam(), 1)) GTEST_SKIP() << "in full runs only";
  const auto per_layer = [&](const std::string& architecture) {
    std::array<std::uint64_t, 2> taken = {};
    for (std::uint32_t i = 0; i < 2; ++i) {
      Trial setup{.shape = {.architecture = architecture, .layers = 1 + i}};
      test::RandomModel model = test::random_model(setup.shape);
      test::ModelRunner runner(model.file, make(setup), setup.runner);
      runner.feed(std::array{1});
      taken[i] = runner.executor().dispatches();
    }
    return taken[1] - taken[0];
  };
  EXPECT_LE(per_layer("llama"), 8u);
  for (const char* architecture : {"qwen3", "gemma2", "gemma3"})
    EXPECT_LE(per_layer(architecture), 10u) << architecture;
}

INSTANTIATE_TEST_SUITE_P(Software, GpuExecutor, testing::ValuesIn(test::gpu_drivers()), test::gpu_driver_name);

}  // namespace
}  // namespace wisp
