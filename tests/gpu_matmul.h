// Matrix products for tests of the matrix kernels: random weights in planes, random x, and what the scalar arithmetic
// makes of them.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "gpu/kernels/matmul_tile.h"
#include "gpu/kernels/round_rows.h"
#include "graph/graph.h"
#include "tests/gpu_devices.h"

namespace wisp::test {

// Every type that has a decoder.
inline constexpr std::array kGpuWeightTypes = {gguf::TensorType::f32,  gguf::TensorType::f16,  gguf::TensorType::bf16,
                                               gguf::TensorType::q4_0, gguf::TensorType::q4_1, gguf::TensorType::q5_0,
                                               gguf::TensorType::q5_1, gguf::TensorType::q8_0, gguf::TensorType::q2_k,
                                               gguf::TensorType::q3_k, gguf::TensorType::q4_k, gguf::TensorType::q5_k,
                                               gguf::TensorType::q6_k};

struct GpuMatrix {
  graph::Weight weight;
  std::vector<std::byte> bytes;  // as a file has them
};
GpuMatrix random_matrix(gguf::TensorType type, std::uint32_t columns, std::uint32_t rows, std::uint64_t seed);
// Appends the matrix's planes, each to a buffer of its own; `onto_last`: to the buffers that are there, as one more of
// a stack of matrices.
void add_planes(const GpuMatrix& matrix, std::vector<std::vector<std::byte>>& buffers, bool onto_last = false);
std::vector<float> random_values(std::size_t n, std::mt19937& random);

struct MatMulCase {
  gpu::MatMulSpec spec;
  std::vector<GpuMatrix> matrices;
  std::uint32_t rows = 1;  // of x
  float scale = 1.0f;      // of its values
};
// Fills in the matrices that the specification asks for.
MatMulCase random_case(gpu::MatMulSpec spec, std::uint32_t rows, std::uint32_t seed);

// A case on its way through kernels. In the arena x, norm, bias, residual and results, each followed by NaN, so that a
// read past a row's end shows.
struct MatMulTrial {
  MatMulTrial(const MatMulCase& one, std::uint32_t seed);

  // Room for `words` more, set to NaN.
  std::uint32_t place(std::size_t words);
  // Runs a kernel with the trial's constants and weights.
  testing::AssertionResult dispatch(gpu::Device& device, const Result<gpu::Kernel>& kernel, const gpu::Grid& grid);
  // Has x rounded (gpu/kernels/round_rows.h) for the kernel that comes next.
  testing::AssertionResult round(gpu::Device& device, bool halves);
  // The largest relative error of its results; checks that what lies behind each is as it was.
  [[nodiscard]] double error() const;

  gpu::MatMulConstants constants;
  GpuRun run;
  std::uint32_t rows, columns;  // of x
  std::vector<std::vector<float>> expected;

 private:
  std::uint32_t place(const std::vector<float>& values);
};

}  // namespace wisp::test
