// The CPU executor with every kernel set that runs here: threads and repacking change no bit, and whole models agree
// with the scalar executor. (Fusion, chunks, buckets and company: tests/executor_invariants_test.cpp, for all
// executors.)
#include "cpu/executor.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "cpu/kernel_testing.h"
#include "graph/scalar_executor.h"
#include "tests/model_runner.h"
#include "tests/random_model.h"

namespace wisp::cpu {
namespace {

using gguf::TensorType;
using wisp::test::must, wisp::test::ModelRunner, wisp::test::RandomModel, wisp::test::RandomModelShape,
    wisp::test::RunnerOptions;

constexpr std::array kTypes = {TensorType::f32,  TensorType::f16,  TensorType::bf16, TensorType::q4_0, TensorType::q4_1,
                               TensorType::q5_0, TensorType::q5_1, TensorType::q8_0, TensorType::q2_k, TensorType::q3_k,
                               TensorType::q4_k, TensorType::q5_k, TensorType::q6_k};

bool is_float(TensorType type) {
  return type == TensorType::f32 || type == TensorType::f16 || type == TensorType::bf16;
}

// Widths that fill no panel where the type lets them: 40 and 72 outputs.
RandomModelShape llama(TensorType type) {
  RandomModelShape shape{.layers = 2, .type = type};
  if (gguf::tensor_type_info(type).block_elements == 256) {
    shape.d_model = shape.feed_forward = 256;
    shape.head_dim = 64;
  }
  return shape;
}

std::vector<std::int32_t> some_tokens(std::size_t n, const RandomModelShape& shape) {
  quant::Random random(n);
  std::vector<std::int32_t> tokens(n);
  for (std::int32_t& token : tokens) token = static_cast<std::int32_t>(random.below(shape.vocabulary));
  return tokens;
}

class CpuExecutor : public test::CpuKernels {
 protected:
  static std::unique_ptr<graph::Executor> executor(int threads = 2, bool repack = true) {
    CpuOptions options;
    options.isa = kernels().name;
    options.threads = threads;
    options.repack = repack;
    return must(make_cpu_executor(options));
  }
  static std::unique_ptr<graph::Executor> scalar() {
    return graph::make_scalar_executor(graph::Arithmetic::int8_activations);
  }
};
INSTANTIATE_TEST_SUITE_P(Sets, CpuExecutor, testing::ValuesIn(test::running_kernels()), test::kernels_name);

// Logits of all tokens, fed in steps of the given sizes, the last of which repeats.
std::vector<float> feed_in_steps(ModelRunner& runner, std::span<const std::int32_t> tokens,
                                 std::initializer_list<std::size_t> sizes) {
  std::vector<float> logits;
  auto size = sizes.begin();
  for (std::size_t at = 0; at < tokens.size();) {
    const std::size_t n = std::min(*size, tokens.size() - at);
    if (size + 1 != sizes.end()) ++size;
    const std::vector<float> more = runner.feed(tokens.subspan(at, n), static_cast<std::int32_t>(at));
    logits.insert(logits.end(), more.begin(), more.end());
    at += n;
  }
  return logits;
}

// The largest difference, relative to the largest logit; NaN where there is one.
float distance(std::span<const float> got, std::span<const float> want) {
  EXPECT_EQ(got.size(), want.size());
  float largest = 0, worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    largest = std::max(largest, std::abs(want[i]));
    const float difference = std::abs(got[i] - want[i]);
    if (!(difference <= worst)) worst = difference;
  }
  return worst / largest;
}

// Where exp and tanh alone differ, by units in the last place; but a value on the border between two integers may then
// be rounded to the other one, and that is 1/254 of its block's maximum.
float tolerance(TensorType type) { return is_float(type) ? 1e-5f : 1e-2f; }

TEST_P(CpuExecutor, ThreadsChangeNoBit) {
  std::vector<RandomModelShape> shapes = {llama(TensorType::f16), llama(TensorType::q4_k), llama(TensorType::q5_0)};
  for (const RandomModelShape& shape : wisp::test::shapes_of_every_architecture()) shapes.push_back(shape);
  for (const RandomModelShape& shape : shapes) {
    RandomModel model = random_model(shape);
    const std::vector<std::int32_t> tokens = some_tokens(60, shape);
    std::vector<float> one;
    for (const int threads : {1, 2, 3}) {
      ModelRunner runner(model.file, executor(threads), {.max_positions = 64});
      const std::vector<float> logits = feed_in_steps(runner, tokens, {40, 9, 4, 1});
      if (threads == 1) one = logits;
      EXPECT_TRUE(test::same_bits(logits, one)) << shape.architecture << " with " << threads << " threads";
    }
  }
}

// Past 1,024 positions several threads share a row's attention, and join its chunks.
TEST_P(CpuExecutor, ThreadsThatShareARowChangeNoBit) {
  const RandomModelShape shape{.layers = 1, .context = 1152};
  RandomModel model = random_model(shape);
  const std::vector<std::int32_t> tokens = some_tokens(1060, shape);
  std::vector<float> one;
  for (const int threads : {1, 2, 3}) {
    ModelRunner runner(model.file, executor(threads), {.context = {.context = 1152}, .max_positions = 1152});
    runner.feed(std::span(tokens).first(1055));
    std::vector<float> logits;
    for (std::size_t i = 1055; i < tokens.size(); ++i) {
      const std::vector<float> more = runner.feed(std::span(tokens).subspan(i, 1), static_cast<std::int32_t>(i));
      logits.insert(logits.end(), more.begin(), more.end());
    }
    if (threads == 1) one = logits;
    EXPECT_TRUE(test::same_bits(logits, one)) << threads << " threads";
  }
}

TEST_P(CpuExecutor, RepackingChangesNoBit) {
  for (const TensorType type : kTypes) {
    const RandomModelShape shape = llama(type);
    RandomModel model = random_model(shape);
    const std::vector<std::int32_t> tokens = some_tokens(24, shape);
    ModelRunner packed(model.file, executor(2, true), {.max_positions = 32});
    ModelRunner from_file(model.file, executor(2, false), {.max_positions = 32});
    EXPECT_TRUE(
        test::same_bits(feed_in_steps(from_file, tokens, {1, 2, 20, 1}), feed_in_steps(packed, tokens, {1, 2, 20, 1})))
        << gguf::tensor_type_info(type).name;
  }
}

TEST_P(CpuExecutor, AgreesWithTheScalarExecutor) {
  std::vector<RandomModelShape> shapes;
  for (const TensorType type : kTypes) shapes.push_back(llama(type));
  for (RandomModelShape shape : wisp::test::shapes_of_every_architecture()) {
    shapes.push_back(shape);
    shape.type = TensorType::q8_0;
    shapes.push_back(shape);
  }
  for (const RandomModelShape& shape : shapes) {
    RandomModel model = random_model(shape);
    const std::vector<std::int32_t> tokens = some_tokens(50, shape);
    ModelRunner got(model.file, executor(), {.max_positions = 64});
    ModelRunner want(model.file, scalar(), {.max_positions = 64});
    EXPECT_LE(distance(feed_in_steps(got, tokens, {45, 1}), feed_in_steps(want, tokens, {45, 1})),
              tolerance(shape.type))
        << shape.architecture << " " << gguf::tensor_type_info(shape.type).name;
  }
}

TEST_P(CpuExecutor, AgreesWithTheScalarExecutorInEveryKvType) {
  // A head of 40 dimensions leaves a group of 32 and a vector of 16 half full.
  RandomModelShape shape{.heads = 6, .kv_heads = 2, .head_dim = 40};
  RandomModel model = random_model(shape);
  const std::vector<std::int32_t> tokens = some_tokens(70, shape);
  std::vector<std::vector<float>> results;
  for (const graph::KvType kv : {graph::KvType::f32, graph::KvType::f16, graph::KvType::q8_0}) {
    ModelRunner got(model.file, executor(), {.kv = kv, .max_positions = 96});
    ModelRunner want(model.file, scalar(), {.kv = kv, .max_positions = 96});
    results.push_back(feed_in_steps(got, tokens, {50, 1}));
    // f16 and q8_0 round what differs by a unit in the last place to neighbours, now and then.
    const float allowed = kv == graph::KvType::f32 ? 1e-5f : kv == graph::KvType::f16 ? 2e-4f : 3e-3f;
    EXPECT_LE(distance(results.back(), feed_in_steps(want, tokens, {50, 1})), allowed) << static_cast<int>(kv);
  }
  EXPECT_NE(results[0], results[1]);
  EXPECT_NE(results[1], results[2]);
}

TEST_P(CpuExecutor, AgreesWithTheScalarExecutorInWindowsAndSinks) {
  for (RandomModelShape shape : wisp::test::shapes_of_every_architecture()) {
    shape.layers = std::min(shape.layers, 3u);
    RandomModel model = random_model(shape);
    const std::vector<std::int32_t> tokens = some_tokens(90, shape);
    std::vector<float> unbounded;
    for (const std::uint32_t window : {0u, 1u, 37u}) {
      for (const std::uint32_t sinks : {0u, 5u, 33u}) {
        if (window == 0 && sinks != 0) continue;
        SCOPED_TRACE(shape.architecture + ", window " + std::to_string(window) + ", sinks " + std::to_string(sinks));
        RunnerOptions options{.max_positions = 96};
        if (window != 0) options.context = {.window = window, .sinks = sinks};
        ModelRunner got(model.file, executor(), options);
        ModelRunner want(model.file, scalar(), options);
        const std::vector<float> logits = got.feed(tokens);
        EXPECT_LE(distance(logits, want.feed(tokens)), tolerance(shape.type));
        // However the text is cut.
        ModelRunner cut(model.file, executor(1), options);
        EXPECT_TRUE(test::same_bits(feed_in_steps(cut, tokens, {29, 50, 7, 1}), logits));
        if (window == 0) unbounded = logits;
        EXPECT_EQ(logits == unbounded, window == 0) << "the window does nothing";
      }
    }
  }
}

}  // namespace
}  // namespace wisp::cpu
