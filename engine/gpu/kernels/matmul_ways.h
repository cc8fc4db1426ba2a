// The ways in which the device can compute a matrix product, and the question which of them is the fastest
// (gpu/tuner/). A question is a shape class: the same matrices, with the same work before and after, at about so many
// rows of x.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gpu/kernels/matmul.h"
#include "gpu/kernels/matmul_tile.h"
#include "gpu/tuner/tuning_task.h"

namespace wisp::gpu {

struct MatMulWay {
  bool tiled = false;        // the kernel for many rows; else matvec
  MatVecShape shape = {};    // of matvec
  TileShape tile = {};       // of the other
  bool int8 = false;         // x is rounded
  bool norm_before = false;  // the norm is a dispatch of its own

  // x is rounded by a dispatch of its own; that and tiles take it behind its norm.
  [[nodiscard]] bool rounded() const { return tiled ? tile.rounded : shape.rounded; }
  [[nodiscard]] bool halves() const { return tiled && tile.halves; }
  [[nodiscard]] bool norm_apart() const { return norm_before || tiled || shape.rounded; }
};
// "matvec rows 2 slices 8 int8": the candidate's name.
std::string way_name(const MatMulWay& way);

// The product's own kernel; the specification is without a norm where the way has it before.
Result<Kernel> matmul_kernel(const MatMulSpec& spec, const MatMulWay& way, const DeviceInfo& info);
Grid matmul_grid(const MatMulSpec& spec, const MatMulWay& way, Extent::Of rows);

// Rows are asked about by class: a plan of so many has between half and all of them.
inline constexpr std::uint32_t kManyRows = 64;
// 1, 2, 4, 8, or kManyRows.
std::uint32_t row_class(std::uint32_t rows);

struct MatMulQuestion {
  MatMulSpec spec;         // with its norm; int8 does not matter
  std::uint32_t rows = 1;  // a row class
  bool int8 = false;       // x may be rounded to int8,
  bool halves = false;     // and to f16
};
// What the tuner remembers it by: "q4_k 2048x8192 gated silu norm, 1 row".
std::string question_key(const MatMulQuestion& question);

// Every way worth trying on the device, the best guess first.
std::vector<MatMulWay> matmul_ways(const MatMulQuestion& question, const DeviceInfo& info);

// With random weights, and answers of exact scalar arithmetic to some of the products. x is such that rounding it to
// int8 loses nothing, so that one answer is right for every way. Matrices of more than kTuningBytes are cut to fewer
// rows: the work of a workgroup stays the same, and there are enough of them for any device.
inline constexpr std::uint64_t kTuningBytes = std::uint64_t{16} << 20;
TuningRequest tuning_request(MatMulQuestion question, double importance, const DeviceInfo& info);

}  // namespace wisp::gpu
