// The matrix kernels against the scalar arithmetic that each implements, on the software drivers. Random shapes and
// types; x is followed by NaN in the arena, so that a read past a row's end shows.
#include "gpu/kernels/matmul.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>

#include "base/checked.h"
#include "gpu/tuner/tuning_task.h"
#include "gpu/weights/plane_layout.h"
#include "gpu/weights/repack.h"
#include "graph/scalar_matmul.h"
#include "graph/scalar_ops.h"
#include "quant/random_blocks.h"
#include "tests/gpu_devices.h"
#include "tests/test_data.h"

namespace wisp::gpu {
namespace {

using gguf::TensorType;

constexpr std::array kTypes = {TensorType::f32,  TensorType::f16,  TensorType::bf16, TensorType::q4_0, TensorType::q4_1,
                               TensorType::q5_0, TensorType::q5_1, TensorType::q8_0, TensorType::q2_k, TensorType::q3_k,
                               TensorType::q4_k, TensorType::q5_k, TensorType::q6_k};

struct Matrix {
  graph::Weight weight;
  std::vector<std::byte> bytes;
};

Matrix random_matrix(TensorType type, std::uint32_t columns, std::uint32_t rows, std::uint64_t seed) {
  Matrix matrix;
  matrix.weight = {.name = "w", .type = type, .columns = columns, .rows = rows, .use = {}};
  const gguf::TensorTypeInfo& info = gguf::tensor_type_info(type);
  matrix.bytes.resize(std::size_t{columns} / info.block_elements * info.block_bytes * rows);
  quant::Random random(seed);
  quant::random_blocks(type, 1.0f / std::sqrt(static_cast<float>(columns)), random, matrix.bytes);
  return matrix;
}

void add_planes(const Matrix& matrix, std::vector<std::vector<std::byte>>& buffers) {
  const graph::Weight& weight = matrix.weight;
  const Result<PlaneBytes> bytes = plane_bytes(weight.type, weight.columns, weight.rows);
  ASSERT_TRUE(bytes);
  std::vector<std::uint32_t> quants(bytes->quants / 4), scales(bytes->scales / 4);
  ASSERT_TRUE(repack(weight.type, weight.columns, weight.rows, matrix.bytes, quants, scales));
  const auto add = [&](const std::vector<std::uint32_t>& words) {
    const auto raw = std::as_bytes(std::span(words));
    buffers.emplace_back(raw.begin(), raw.end());
  };
  add(quants);
  if (!is_float_type(weight.type)) add(scales);
}

struct Case {
  MatMulSpec spec;
  std::vector<Matrix> matrices;
  std::uint32_t rows = 1;  // of x
  std::string text;
};

std::vector<float> random_values(std::size_t n, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& value : values) value = normal(random);
  return values;
}

// Runs a case through one kernel and returns the largest relative error of its results.
double error_of(Device& device, const Case& one, bool many, MatVecShape shape, std::uint32_t seed) {
  std::mt19937 random(seed);
  const std::uint32_t columns = one.spec.columns;
  const std::vector<float> x = random_values(std::size_t{one.rows} * columns, random);
  const std::vector<float> norm = random_values(columns, random);
  test::GpuRun run;
  Result<Kernel> kernel = many ? matmul_kernel(one.spec, device.info()) : matvec_kernel(one.spec, shape, device.info());
  EXPECT_TRUE(kernel) << kernel.error().message;
  if (!kernel) return std::numeric_limits<double>::infinity();
  run.kernel = std::move(*kernel);
  run.step = {one.rows, one.rows};

  MatMulConstants constants;
  constants.eps = 1e-5f;
  const auto place = [&](const std::vector<float>& values) {
    const auto at = static_cast<std::uint32_t>(run.arena.size());
    run.arena.insert(run.arena.end(), values.begin(), values.end());
    run.arena.resize(align_up<std::size_t>(run.arena.size() + 32, 4), std::numeric_limits<float>::quiet_NaN());
    return at;
  };
  constants.x = place(x);
  constants.norm = place(norm);

  // The reference, and where its results go.
  std::vector<float> input = x;
  if (one.spec.norm) {
    for (std::uint32_t r = 0; r < one.rows; ++r) {
      const auto row = std::span(input).subspan(std::size_t{r} * columns, columns);
      graph::scalar::rms_norm(row, norm, constants.eps, row);
    }
  }
  const auto arithmetic = one.spec.int8 ? graph::Arithmetic::int8_activations : graph::Arithmetic::exact;
  graph::scalar::MatMulScratch scratch;
  std::vector<std::vector<float>> expected;
  std::vector<float> residual;
  for (std::size_t p = 0; p < one.matrices.size(); ++p) {
    const Matrix& matrix = one.matrices[p];
    const std::uint32_t n = matrix.weight.rows;
    std::vector<float> y(std::size_t{one.rows} * n);
    graph::scalar::matmul(matrix.weight, matrix.bytes, arithmetic, one.rows, input, y, scratch);
    const std::vector<float> bias = random_values(n, random);
    constants.bias[p] = place(bias);
    constants.rows[p] = n;
    constants.width[p] = n;
    constants.out[p] = place(y);
    residual = random_values(y.size(), random);
    constants.residual = place(residual);
    for (std::size_t i = 0; i < y.size(); ++i) {
      if (one.spec.matrices[p].bias) y[i] += bias[i % n];
      if (!one.spec.gated) y[i] = graph::scalar::activate(one.spec.activation, y[i]);
      if (one.spec.residual) y[i] += residual[i];
    }
    expected.push_back(std::move(y));
    add_planes(matrix, run.buffers);
  }
  if (one.spec.gated) {
    for (std::size_t i = 0; i < expected[0].size(); ++i) {
      expected[0][i] = graph::scalar::activate(one.spec.activation, expected[0][i]) * expected[1][i];
    }
    expected.pop_back();
  }
  run.op = OpConstants::of(constants);
  const Grid grid = many ? matmul_grid(one.spec, Extent::Of::rows) : matvec_grid(one.spec, shape, Extent::Of::rows);
  run.workgroups = {grid[0].count, div_up(one.rows, grid[1].per), 1};
  for (std::size_t p = 0; p < expected.size(); ++p) {
    std::ranges::fill(std::span(run.arena).subspan(constants.out[p], expected[p].size()),
                      std::numeric_limits<float>::quiet_NaN());
  }
  EXPECT_TRUE(test::run_on_gpu(device, run));
  double worst = 0.0;
  for (std::size_t p = 0; p < expected.size(); ++p) {
    const std::span<const float> actual = std::span(run.arena).subspan(constants.out[p], expected[p].size());
    worst = std::max(worst, relative_error(actual, expected[p]));
    // What lies behind stays as it was.
    EXPECT_TRUE(std::isnan(run.arena[constants.out[p] + expected[p].size()]));
  }
  return worst;
}

class GpuMatMul : public testing::TestWithParam<test::GpuDriver> {
 protected:
  void SetUp() override {
    device_ = test::gpu_device(GetParam());
    if (device_ == nullptr) GTEST_SKIP() << test::no_gpu(GetParam());
  }
  Device* device_ = nullptr;
};

// Summing in another order costs a few units in the last place; where a value is rounded to int8 at a tie, a unit of
// the rounding in one of the products.
constexpr double kTolerance = 3e-5;
constexpr double kInt8Tolerance = 2e-3;

TEST_P(GpuMatMul, EveryTypeAgreesWithTheScalarArithmetic) {
  std::uint32_t seed = 1;
  for (const TensorType type : kTypes) {
    if (!test::is_turn_of(GetParam(), seed)) {
      ++seed;
      continue;
    }
    ++seed;
    for (const bool int8 : {false, true}) {
      if (int8 && is_float_type(type)) continue;
      Case one;
      const std::uint32_t columns = type == TensorType::f32 ? 75 : 512;
      one.matrices = {random_matrix(type, columns, 37, seed)};
      one.spec = {.matrices = {{type, 37, false}}, .columns = columns, .int8 = int8};
      const double tolerance = int8 ? kInt8Tolerance : kTolerance;
      const std::string name = fmt::format("{} int8 {}", decoder_name(type), int8);
      for (const std::uint32_t rows : {1u, 3u}) {
        one.rows = rows;
        const MatVecShape shape = {rows == 1 ? 1u : 2u, 8};
        EXPECT_LE(error_of(*device_, one, false, shape, seed), tolerance) << name << " matvec, rows " << rows;
      }
      one.rows = 45;
      EXPECT_LE(error_of(*device_, one, true, {}, seed), tolerance) << name << " matmul";
    }
  }
}

TEST_P(GpuMatMul, WhatComesBeforeAndAfter) {
  std::uint32_t seed = 100;
  for (const bool int8 : {false, true}) {
    const double tolerance = int8 ? kInt8Tolerance : kTolerance;
    Case qkv;
    qkv.spec = {.matrices = {{TensorType::q4_k, 64, true}, {TensorType::q4_k, 19, false}, {TensorType::q6_k, 32, true}},
                .columns = 256,
                .norm = true,
                .int8 = int8};
    Case gated;
    gated.spec = {.matrices = {{TensorType::q4_0, 50, false}, {TensorType::q5_1, 50, true}},
                  .columns = 96,
                  .gated = true,
                  .activation = graph::Activation::gelu_tanh,
                  .int8 = int8};
    Case residual;
    residual.spec = {.matrices = {{TensorType::q8_0, 40, true}},
                     .columns = 2336,
                     .residual = true,
                     .activation = graph::Activation::silu,
                     .int8 = int8};
    for (Case* one : {&qkv, &gated, &residual}) {
      for (const MatrixUse& use : one->spec.matrices) {
        one->matrices.push_back(random_matrix(use.type, one->spec.columns, use.rows, ++seed));
      }
      one->rows = 7;
      for (const std::uint32_t rows : {1u, test::full_run() ? 8u : 2u}) {
        for (const MatVecShape& shape : matvec_shapes(one->spec, rows, device_->info())) {
          if (!test::is_turn_of(GetParam(), shape.slices / 8 + rows)) continue;
          EXPECT_LE(error_of(*device_, *one, false, shape, seed), tolerance)
              << "int8 " << int8 << ", rows " << rows << ", slices " << shape.slices << ", columns "
              << one->spec.columns;
        }
      }
      if (one->spec.norm) continue;
      one->rows = 33;
      EXPECT_LE(error_of(*device_, *one, true, {}, seed), tolerance) << "int8 " << int8 << " matmul";
    }
  }
}

TEST_P(GpuMatMul, WithoutPackedDotProducts) {
  Result<std::unique_ptr<Device>> device = test::make_gpu_device(GetParam(), {.adapter = {}, .no_packed_dot = true});
  ASSERT_TRUE(device) << device.error().message;
  Case one;
  one.matrices = {random_matrix(TensorType::q6_k, 256, 24, 7)};
  one.spec = {.matrices = {{TensorType::q6_k, 24, false}}, .columns = 256, .int8 = true};
  EXPECT_LE(error_of(**device, one, false, {1, 8}, 3), kInt8Tolerance);
  one.spec.int8 = false;
  one.rows = 9;
  EXPECT_LE(error_of(**device, one, true, {}, 3), kTolerance);
}

INSTANTIATE_TEST_SUITE_P(Software, GpuMatMul, testing::ValuesIn(test::gpu_drivers()), test::gpu_driver_name);

}  // namespace
}  // namespace wisp::gpu
