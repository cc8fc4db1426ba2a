// The matrix kernels against the scalar arithmetic that each implements, on the software drivers. Random shapes and
// types.
#include "gpu/kernels/matmul.h"

#include <gtest/gtest.h>

#include <limits>

#include "gpu/weights/plane_layout.h"
#include "tests/gpu_matmul.h"
#include "tests/test_data.h"

namespace wisp::gpu {
namespace {

using gguf::TensorType;
using test::MatMulCase;
using test::random_case;

double generic_error(Device& device, const MatMulCase& one, const MatVecShape& shape, std::uint32_t seed) {
  test::MatMulTrial trial(one, seed);
  set_shape(one.spec, trial.constants);
  const testing::AssertionResult ran = trial.dispatch(device, generic_matvec_kernel(one.spec, shape, device.info()),
                                                      matvec_grid(one.spec, shape, Extent::Of::rows));
  EXPECT_TRUE(ran);
  return ran ? trial.error() : std::numeric_limits<double>::infinity();
}
// The largest relative error of a case's results, rounded before where the shape wants it.
template <class Shape>
double error_of(Device& device, const MatMulCase& one, const Result<Kernel>& kernel, const Grid& grid,
                const Shape& shape, bool halves, std::uint32_t seed) {
  test::MatMulTrial trial(one, seed);
  testing::AssertionResult ran = testing::AssertionSuccess();
  if (shape.rounded) ran = trial.round(device, halves);
  if (ran) ran = trial.dispatch(device, kernel, grid);
  EXPECT_TRUE(ran);
  return ran ? trial.error() : std::numeric_limits<double>::infinity();
}
double matvec_error(Device& device, const MatMulCase& one, const MatVecShape& shape, std::uint32_t seed) {
  return error_of(device, one, matvec_kernel(one.spec, shape, device.info()),
                  matvec_grid(one.spec, shape, Extent::Of::rows), shape, false, seed);
}
double matmul_error(Device& device, const MatMulCase& one, std::uint32_t seed, const TileShape& shape = {}) {
  return error_of(device, one, matmul_kernel(one.spec, shape, device.info()),
                  matmul_grid(one.spec, shape, Extent::Of::rows), shape, shape.halves, seed);
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
// f16 keeps 11 bits of x and of W: at most 2^-11 of each product, and errors of many products cancel.
constexpr double kHalfTolerance = 5e-4;

TEST_P(GpuMatMul, EveryTypeAgreesWithTheScalarArithmetic) {
  std::uint32_t seed = 1;
  for (const TensorType type : test::kGpuWeightTypes) {
    if (!test::is_turn_of(GetParam(), seed)) {
      ++seed;
      continue;
    }
    ++seed;
    for (const bool int8 : {false, true}) {
      if (int8 && is_float_type(type)) continue;
      const std::uint32_t columns = type == TensorType::f32 ? 75 : 512;
      MatMulCase one = random_case({.matrices = {{type, 37, false}}, .columns = columns, .int8 = int8}, 1, seed);
      const double tolerance = int8 ? kInt8Tolerance : kTolerance;
      const std::string name = fmt::format("{} int8 {}", decoder_name(type), int8);
      for (const std::uint32_t rows : {1u, 3u}) {
        one.rows = rows;
        const MatVecShape shape = {rows == 1 ? 1u : 2u, 8};
        EXPECT_LE(matvec_error(*device_, one, shape, seed), tolerance) << name << " matvec, rows " << rows;
      }
      one.rows = 45;
      EXPECT_LE(matmul_error(*device_, one, seed), tolerance) << name << " matmul";
    }
  }
}

// Rows of very different sizes, some past what f16 holds: their units save them.
TEST_P(GpuMatMul, HalvesHoldRowsOfAnySize) {
  if (!device_->info().features.shader_f16) GTEST_SKIP() << "no f16";
  std::uint32_t seed = 70;
  for (const TensorType type : {TensorType::f16, TensorType::q5_k, TensorType::q8_0}) {
    const MatMulCase one = random_case({.matrices = {{type, 37, false}}, .columns = 512}, 33, ++seed);
    for (const float size : {1e6f, 1e-9f}) {
      MatMulCase scaled = one;
      scaled.scale = size;
      EXPECT_LE(matmul_error(*device_, scaled, seed, {.edge = 64, .rounded = true, .halves = true}), kHalfTolerance)
          << decoder_name(type) << " times " << size;
    }
  }
}

// More blocks than fit workgroup memory at once, and fewer rows than the workgroups have room for.
TEST_P(GpuMatMul, RowsThatWereRoundedBefore) {
  MatMulCase gated = random_case({.matrices = {{TensorType::q4_0, 50, false}, {TensorType::q5_1, 50, true}},
                                  .columns = 2336,
                                  .gated = true,
                                  .activation = graph::Activation::silu,
                                  .int8 = true},
                                 7, 20);
  MatMulCase three = random_case(
      {.matrices = {{TensorType::q4_k, 64, true}, {TensorType::q4_k, 19, false}, {TensorType::q6_k, 32, true}},
       .columns = 2560,
       .int8 = true},
      35, 21);  // rows that do not all lie side by side
  std::size_t number = 0;
  for (const MatMulCase* one : {&gated, &three}) {
    for (const MatVecShape& shape : {MatVecShape{2, 16}, MatVecShape{8, 8}, MatVecShape{4, 32}, MatVecShape{1, 4}}) {
      if (!test::is_turn_of(GetParam(), number++)) continue;
      MatVecShape rounded = shape;
      rounded.rounded = true;
      EXPECT_LE(matvec_error(*device_, *one, rounded, 20), kInt8Tolerance)
          << one->rows << " rows, by " << shape.rows << ", slices " << shape.slices;
    }
  }
  MatVecShape wrong = {.rounded = true};
  three.spec.norm = true;
  EXPECT_FALSE(matvec_kernel(three.spec, wrong, device_->info()));
  three.spec.norm = three.spec.int8 = false;
  EXPECT_FALSE(matvec_kernel(three.spec, wrong, device_->info()));
}

// Subgroups of 4 and of 8, fewer than the lanes that share a row and as many.
TEST_P(GpuMatMul, SumsBySubgroups) {
  if (!device_->info().features.subgroups) GTEST_SKIP() << "no subgroups";
  std::uint32_t seed = 50;
  for (const TensorType type : test::kGpuWeightTypes) {
    ++seed;
    if (!test::is_turn_of(GetParam(), seed)) continue;
    const bool int8 = !is_float_type(type) && seed % 2 == 0;
    const std::uint32_t columns = type == TensorType::f32 ? 75 : 512;
    const MatMulCase one = random_case({.matrices = {{type, 37, false}}, .columns = columns, .int8 = int8}, 3, seed);
    const MatVecShape shape = {seed % 3 == 0 ? 2u : 1u, seed % 4 == 0 ? 4u : 8u, true};
    EXPECT_LE(matvec_error(*device_, one, shape, seed), int8 ? kInt8Tolerance : kTolerance)
        << decoder_name(type) << " int8 " << int8 << ", rows " << shape.rows << ", slices " << shape.slices;
  }
}

// One text, several shapes: fewer blocks than fit workgroup memory, more, and rows that end inside a block.
TEST_P(GpuMatMul, OneTextForEveryShape) {
  constexpr MatVecShape kShape = {2, 8};
  std::string text;
  const auto try_one = [&](MatMulSpec spec, std::uint32_t seed) {
    const MatMulCase one = random_case(std::move(spec), 3, seed);
    const Result<Kernel> kernel = generic_matvec_kernel(one.spec, kShape, device_->info());
    ASSERT_TRUE(kernel) << kernel.error().message;
    if (!text.empty()) EXPECT_EQ(kernel->wgsl, text);
    text = kernel->wgsl;
    EXPECT_LE(generic_error(*device_, one, kShape, seed), one.spec.int8 ? kInt8Tolerance : kTolerance)
        << kernel->label << " of " << one.spec.columns << " columns";
  };
  for (const std::uint32_t n : {1u, 3u}) {
    try_one(
        {.matrices = {{TensorType::q4_0, 8 * n, true}, {TensorType::q8_0, 20 * n, false}, {TensorType::q4_0, 9, true}},
         .columns = 1056 * n,
         .norm = true,
         .int8 = true},
        n);
  }
  text.clear();
  for (const std::uint32_t n : {1u, 2u}) {
    try_one({.matrices = {{TensorType::f32, 21 * n, false}, {TensorType::f32, 21 * n, true}},
             .columns = 75 * n,
             .gated = true,
             .activation = graph::Activation::silu},
            n);
  }
  std::uint32_t seed = 10;
  for (const TensorType type : test::kGpuWeightTypes) {
    if (!test::is_turn_of(GetParam(), ++seed) || (seed % 3 != 0 && !test::full_run())) continue;
    text.clear();
    try_one({.matrices = {{type, 24, false}}, .columns = 256, .int8 = !is_float_type(type)}, seed);
  }
}

TEST_P(GpuMatMul, WhatComesBeforeAndAfter) {
  std::uint32_t seed = 100;
  std::size_t number = 0;
  for (const bool int8 : {false, true}) {
    const double tolerance = int8 ? kInt8Tolerance : kTolerance;
    MatMulCase qkv = random_case(
        {.matrices = {{TensorType::q4_k, 64, true}, {TensorType::q4_k, 19, false}, {TensorType::q6_k, 32, true}},
         .columns = 256,
         .norm = true,
         .int8 = int8},
        7, seed += 3);
    MatMulCase gated = random_case({.matrices = {{TensorType::q4_0, 50, false}, {TensorType::q5_1, 50, true}},
                                    .columns = 96,
                                    .gated = true,
                                    .activation = graph::Activation::gelu_tanh,
                                    .int8 = int8},
                                   7, seed += 3);
    MatMulCase residual = random_case({.matrices = {{TensorType::q8_0, 40, true}},
                                       .columns = 2336,
                                       .residual = true,
                                       .activation = graph::Activation::silu,
                                       .int8 = int8},
                                      7, seed += 3);
    for (MatMulCase* one : {&qkv, &gated, &residual}) {
      for (const std::uint32_t rows : {1u, test::full_run() ? 8u : 2u}) {
        for (const MatVecShape& shape : matvec_shapes(one->spec, rows, device_->info())) {
          // Each has every third, but for full runs: all shapes come up, not all with all that comes before and after.
          const std::size_t turn = number++;
          if (!test::is_turn_of(GetParam(), turn) || (turn % 3 != 0 && !test::full_run())) continue;
          EXPECT_LE(matvec_error(*device_, *one, shape, seed), tolerance)
              << "int8 " << int8 << ", rows " << rows << ", slices " << shape.slices << ", subgroups "
              << shape.subgroups << ", columns " << one->spec.columns;
        }
      }
      if (one->spec.norm) continue;
      one->rows = 70;
      for (const TileShape& shape : tile_shapes(one->spec, true, device_->info())) {
        if (!test::is_turn_of(GetParam(), number++)) continue;
        EXPECT_LE(matmul_error(*device_, *one, seed, shape), shape.halves ? kHalfTolerance : tolerance)
            << "int8 " << int8 << " edge " << shape.edge << (shape.rounded ? " rounded" : "")
            << (shape.halves ? " to f16" : "");
      }
    }
  }
}

TEST_P(GpuMatMul, WithoutPackedDotProducts) {
  Result<std::unique_ptr<Device>> device = test::make_gpu_device(GetParam(), {.adapter = {}, .no_packed_dot = true});
  ASSERT_TRUE(device) << device.error().message;
  MatMulCase one = random_case({.matrices = {{TensorType::q6_k, 24, false}}, .columns = 256, .int8 = true}, 1, 7);
  EXPECT_LE(matvec_error(**device, one, {1, 8}, 3), kInt8Tolerance);
  one.spec.int8 = false;
  one.rows = 9;
  EXPECT_LE(matmul_error(**device, one, 3), kTolerance);
}

INSTANTIATE_TEST_SUITE_P(Software, GpuMatMul, testing::ValuesIn(test::gpu_drivers()), test::gpu_driver_name);

}  // namespace
}  // namespace wisp::gpu
