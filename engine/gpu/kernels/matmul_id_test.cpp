// Products with experts against one scalar product a pair.
#include "gpu/kernels/matmul_id.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "gpu/tuner/tuning_task.h"
#include "gpu/weights/plane_layout.h"
#include "graph/scalar_matmul.h"
#include "graph/scalar_ops.h"
#include "tests/gpu_matmul.h"

namespace wisp::gpu {
namespace {

using gguf::TensorType;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
// Of the experts 0..4 only these are bound; pairs of others stay as they were.
constexpr std::uint32_t kExperts = 5, kFirst = 1, kBound = 3;

// Tolerances as in matmul_test.cpp.
void try_one(Device& device, const MatMulIdSpec& spec, bool pair_x, std::uint32_t seed) {
  constexpr std::uint32_t kRows = 3;
  const MatMulSpec& product = spec.product;
  const std::uint32_t pairs = kRows * spec.used, width = product.matrices[0].rows;
  std::mt19937 random(seed);
  test::GpuRun run;
  run.step = {kRows, 0};
  MatMulIdConstants constants{.pair_x = pair_x, .first_expert = kFirst, .experts = kBound};
  const auto place = [&](const std::vector<float>& values) {
    const auto at = static_cast<std::uint32_t>(run.arena.size());
    run.arena.insert(run.arena.end(), values.begin(), values.end());
    run.arena.resize(run.arena.size() + 32, kNan);
    return at;
  };
  const std::vector<float> x = test::random_values(std::size_t{pair_x ? pairs : kRows} * product.columns, random);
  constants.x = place(x);
  // Every expert comes up, and a number that is none.
  std::vector<std::uint32_t> chosen(pairs);
  for (std::uint32_t i = 0; i < pairs; ++i) chosen[i] = (i * 2 + seed) % kExperts;
  chosen[1] = ~0u;
  std::vector<float> words(pairs);
  std::ranges::transform(chosen, words.begin(), [](std::uint32_t id) { return std::bit_cast<float>(id); });
  constants.ids = place(words);

  const auto arithmetic = product.int8 ? graph::Arithmetic::int8_activations : graph::Arithmetic::exact;
  graph::scalar::MatMulScratch scratch;
  std::vector<std::vector<float>> values(product.matrices.size(), std::vector<float>(std::size_t{pairs} * width, kNan));
  for (std::uint32_t p = 0; p < product.matrices.size(); ++p) {
    const MatrixUse& use = product.matrices[p];
    const std::vector<float> bias = test::random_values(std::size_t{kExperts} * width, random);
    constants.bias[p] = place(bias);
    constants.rows[p] = constants.width[p] = width;
    for (std::uint32_t expert = kFirst; expert < kFirst + kBound; ++expert) {
      const test::GpuMatrix matrix = test::random_matrix(use.type, product.columns, width, seed * 16 + p * 8 + expert);
      test::add_planes(matrix, run.buffers, expert > kFirst);
      for (std::uint32_t pair = 0; pair < pairs; ++pair) {
        if (chosen[pair] != expert) continue;
        const std::size_t row = pair_x ? pair : pair / spec.used;
        const std::span<float> y = std::span(values[p]).subspan(std::size_t{pair} * width, width);
        graph::scalar::matmul(matrix.weight, matrix.bytes, arithmetic, 1,
                              std::span(x).subspan(row * product.columns, product.columns), y, scratch);
        for (std::uint32_t i = 0; i < width && use.bias; ++i) y[i] += bias[std::size_t{expert} * width + i];
      }
    }
  }
  constants.out[0] = place(std::vector<float>(std::size_t{pairs} * width, kNan));

  Result<Kernel> kernel = matmul_id_kernel(spec, device.info());
  ASSERT_TRUE(kernel) << kernel.error().message;
  run.kernel = std::move(*kernel);
  run.op = OpConstants::of(constants);
  const Grid grid = matmul_id_grid(spec, Extent::Of::rows);
  run.workgroups = {grid[0].count, kRows, grid[2].count};
  ASSERT_TRUE(test::run_on_gpu(device, run));
  std::vector<float> actual, expected;
  for (std::size_t i = 0; i < values[0].size(); ++i) {
    const std::uint32_t id = chosen[i / width];
    const float y = run.arena[constants.out[0] + i];
    if (id < kFirst || id >= kFirst + kBound) {
      ASSERT_TRUE(std::isnan(y)) << run.kernel.label << ": a pair of another part was computed";
      continue;
    }
    const float one = graph::scalar::activate(product.activation, values[0][i]);
    expected.push_back(product.gated ? one * values[1][i] : one);
    actual.push_back(y);
  }
  ASSERT_GT(expected.size(), width);
  EXPECT_TRUE(std::isnan(run.arena[constants.out[0] + values[0].size()]));
  EXPECT_LE(relative_error(actual, expected), product.int8 ? 2e-3 : 3e-5) << run.kernel.label;
}

class GpuMatMulId : public testing::TestWithParam<test::GpuDriver> {
 protected:
  void SetUp() override {
    device_ = test::gpu_device(GetParam());
    if (device_ == nullptr) GTEST_SKIP() << test::no_gpu(GetParam());
  }
  Device* device_ = nullptr;
};

TEST_P(GpuMatMulId, EveryType) {
  std::uint32_t seed = 0;
  for (const TensorType type : test::kGpuWeightTypes) {
    if (!test::is_turn_of(GetParam(), ++seed)) continue;
    const std::uint32_t columns = type == TensorType::f32 ? 75 : 256;
    const bool int8 = !is_float_type(type) && seed % 2 == 0;
    // 21 rows: every expert but the first would be off if experts did not start tiles.
    try_one(*device_,
            {.product = {.matrices = {{type, 21, seed % 3 == 0}}, .columns = columns, .int8 = int8}, .used = 2},
            seed % 2 == 1, seed);
  }
}

TEST_P(GpuMatMulId, Gated) {
  for (const bool int8 : {false, true}) {
    try_one(*device_,
            {.product = {.matrices = {{TensorType::q4_k, 24, true}, {TensorType::q6_k, 24, false}},
                         .columns = 768,
                         .gated = true,
                         .activation = graph::Activation::silu,
                         .int8 = int8},
             .used = 4,
             .slices = 16},
            false, 20 + int8);
  }
}

INSTANTIATE_TEST_SUITE_P(Software, GpuMatMulId, testing::ValuesIn(test::gpu_drivers()), test::gpu_driver_name);

}  // namespace
}  // namespace wisp::gpu
