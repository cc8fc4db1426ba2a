#include "tests/gpu_matmul.h"

#include <cmath>
#include <limits>
#include <random>
#include <utility>

#include "base/checked.h"
#include "gpu/tuner/tuning_task.h"
#include "gpu/weights/plane_layout.h"
#include "gpu/weights/repack.h"
#include "graph/scalar_matmul.h"
#include "graph/scalar_ops.h"
#include "quant/random_blocks.h"

namespace wisp::test {

using gpu::is_float_type;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

GpuMatrix random_matrix(gguf::TensorType type, std::uint32_t columns, std::uint32_t rows, std::uint64_t seed) {
  GpuMatrix matrix;
  matrix.weight = {.name = "w", .type = type, .columns = columns, .rows = rows, .use = {}};
  const gguf::TensorTypeInfo& info = gguf::tensor_type_info(type);
  matrix.bytes.resize(std::size_t{columns} / info.block_elements * info.block_bytes * rows);
  quant::Random random(seed);
  quant::random_blocks(type, 1.0f / std::sqrt(static_cast<float>(columns)), random, matrix.bytes);
  return matrix;
}

void add_planes(const GpuMatrix& matrix, std::vector<std::vector<std::byte>>& buffers, bool onto_last) {
  const graph::Weight& weight = matrix.weight;
  const Result<gpu::PlaneBytes> bytes = gpu::plane_bytes(weight.type, weight.columns, weight.rows);
  ASSERT_TRUE(bytes);
  std::vector<std::uint32_t> quants(bytes->quants / 4), scales(bytes->scales / 4);
  ASSERT_TRUE(gpu::repack(weight.type, weight.columns, weight.rows, matrix.bytes, quants, scales));
  const std::size_t planes = is_float_type(weight.type) ? 1 : 2;
  if (!onto_last) buffers.resize(buffers.size() + planes);
  for (std::size_t i = 0; i < planes; ++i) {
    const auto raw = std::as_bytes(std::span(i == 0 ? quants : scales));
    std::vector<std::byte>& buffer = buffers[buffers.size() - planes + i];
    buffer.insert(buffer.end(), raw.begin(), raw.end());
  }
}

std::vector<float> random_values(std::size_t n, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& value : values) value = normal(random);
  return values;
}

MatMulCase random_case(gpu::MatMulSpec spec, std::uint32_t rows, std::uint32_t seed) {
  MatMulCase one{.spec = std::move(spec), .matrices = {}, .rows = rows};
  for (const gpu::MatrixUse& use : one.spec.matrices) {
    one.matrices.push_back(random_matrix(use.type, one.spec.columns, use.rows, seed++));
  }
  return one;
}

MatMulTrial::MatMulTrial(const MatMulCase& one, std::uint32_t seed) : rows(one.rows), columns(one.spec.columns) {
  std::mt19937 random(seed);
  std::vector<float> x = random_values(std::size_t{rows} * columns, random);
  for (float& value : x) value *= one.scale;
  const std::vector<float> norm = random_values(columns, random);
  run.step = {rows, rows};
  constants.eps = 1e-5f;
  constants.x = place(x);
  constants.norm = place(norm);

  std::vector<float> input = x;
  if (one.spec.norm) {
    for (std::uint32_t r = 0; r < rows; ++r) {
      const auto row = std::span(input).subspan(std::size_t{r} * columns, columns);
      graph::scalar::rms_norm(row, norm, constants.eps, row);
    }
  }
  const auto arithmetic = one.spec.int8 ? graph::Arithmetic::int8_activations : graph::Arithmetic::exact;
  graph::scalar::MatMulScratch scratch;
  std::vector<float> residual;
  for (std::size_t p = 0; p < one.matrices.size(); ++p) {
    const GpuMatrix& matrix = one.matrices[p];
    const std::uint32_t n = matrix.weight.rows;
    std::vector<float> y(std::size_t{rows} * n);
    graph::scalar::matmul(matrix.weight, matrix.bytes, arithmetic, rows, input, y, scratch);
    const std::vector<float> bias = random_values(n, random);
    constants.bias[p] = place(bias);
    constants.rows[p] = n;
    constants.width[p] = n;
    constants.out[p] = place(y.size());
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
}

std::uint32_t MatMulTrial::place(std::size_t words) {
  const auto at = static_cast<std::uint32_t>(run.arena.size());
  run.arena.resize(align_up<std::size_t>(run.arena.size() + words + 32, 4), kNan);
  return at;
}

std::uint32_t MatMulTrial::place(const std::vector<float>& values) {
  const std::uint32_t at = place(values.size());
  std::ranges::copy(values, run.arena.begin() + at);
  return at;
}

testing::AssertionResult MatMulTrial::dispatch(gpu::Device& device, const Result<gpu::Kernel>& kernel,
                                               const gpu::Grid& grid) {
  if (!kernel) return testing::AssertionFailure() << kernel.error().message;
  run.kernel = *kernel;
  run.op = gpu::OpConstants::of(constants);
  for (std::size_t i = 0; i < grid.size(); ++i) {
    run.workgroups[i] = grid[i].of == gpu::Extent::Of::constant ? grid[i].count : div_up(rows, grid[i].per);
  }
  return run_on_gpu(device, run);
}

testing::AssertionResult MatMulTrial::round(gpu::Device& device, bool halves) {
  const Result<gpu::Kernel> kernel = gpu::round_kernel(columns, halves, device.info());
  if (!kernel) return testing::AssertionFailure() << kernel.error().message;
  const std::uint32_t out = place(gpu::rounded_words(rows, columns, halves));
  run.kernel = *kernel;
  run.op = gpu::OpConstants::of(gpu::RoundConstants{.x = constants.x, .out = out});
  run.workgroups = {1, rows, 1};
  auto weights = std::exchange(run.buffers, {});
  const testing::AssertionResult ran = run_on_gpu(device, run);
  run.buffers = std::move(weights);
  constants.x = out;
  return ran;
}

double MatMulTrial::error() const {
  double worst = 0.0;
  for (std::size_t p = 0; p < expected.size(); ++p) {
    const std::span<const float> actual = std::span(run.arena).subspan(constants.out[p], expected[p].size());
    worst = std::max(worst, gpu::relative_error(actual, expected[p]));
    EXPECT_TRUE(std::isnan(run.arena[constants.out[p] + expected[p].size()]));
  }
  return worst;
}

}  // namespace wisp::test
