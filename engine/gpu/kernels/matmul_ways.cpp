#include "gpu/kernels/matmul_ways.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <ranges>

#include "base/checked.h"
#include "gpu/kernels/round_rows.h"
#include "gpu/kernels/row_ops.h"
#include "gpu/weights/plane_layout.h"
#include "gpu/weights/repack.h"
#include "graph/scalar_matmul.h"
#include "graph/scalar_ops.h"
#include "quant/random_blocks.h"

namespace wisp::gpu {
namespace {

// Products that are compared with the scalar answer.
constexpr std::size_t kProbes = 512;
constexpr float kEps = 1e-5f;
// Floats are summed in another order.
constexpr float kTolerance = 1e-3f;

std::string_view activation_name(graph::Activation activation) {
  switch (activation) {
    case graph::Activation::silu: return " silu";
    case graph::Activation::gelu_tanh: return " gelu";
    case graph::Activation::none: break;
  }
  return "";
}

MatMulSpec spec_for(const MatMulQuestion& question, const MatMulWay& way) {
  MatMulSpec spec = question.spec;
  spec.int8 = way.int8;
  spec.norm = spec.norm && !way.norm_apart();
  return spec;
}

// Builds the task's content and candidates: one matrix after another, then x, norm and results in the arena.
class TaskMaker {
 public:
  TaskMaker(const MatMulQuestion& question, const DeviceInfo& info) : question_(question), info_(info) {
    for (MatrixUse& matrix : question_.spec.matrices) matrix.rows = rows_of(matrix);
  }

  Result<TuningTask> make(bool with_content) {
    const MatMulSpec& spec = question_.spec;
    task_.tolerance = kTolerance;
    task_.step = {question_.rows, question_.rows};
    const std::uint32_t values = question_.rows * spec.columns;
    constants_.eps = kEps;
    constants_.x = take(values);
    constants_.norm = take(spec.columns);
    normed_ = take(spec.norm ? values : 0);
    rounded_ = take(static_cast<std::uint32_t>(std::max(rounded_words(question_.rows, spec.columns, false),
                                                        rounded_words(question_.rows, spec.columns, true))));
    for (std::size_t p = 0; p < spec.matrices.size(); ++p) {
      constants_.rows[p] = constants_.width[p] = spec.matrices[p].rows;
      constants_.bias[p] = take(spec.matrices[p].rows);
      if (p == 0) constants_.residual = take(question_.rows * spec.matrices[p].rows);
    }
    task_.output = words_;
    for (std::size_t p = 0; p < spec.matrices.size(); ++p) {
      constants_.out[p] = spec.gated && p > 0 ? constants_.out[0] : take(question_.rows * spec.matrices[p].rows);
    }
    task_.output_words = words_ - task_.output;
    if (with_content) WISP_CHECK(fill());
    for (const MatMulWay& way : matmul_ways(question_, info_)) WISP_CHECK(add(way));
    return std::move(task_);
  }

 private:
  // So many that they take at most their share of kTuningBytes.
  [[nodiscard]] std::uint32_t rows_of(const MatrixUse& matrix) const {
    const Result<PlaneBytes> tile = plane_bytes(matrix.type, question_.spec.columns, kTileRows);
    const std::uint64_t bytes = tile ? tile->quants + tile->scales : kTuningBytes;
    const std::uint64_t tiles = std::max<std::uint64_t>(kTuningBytes / question_.spec.matrices.size() / bytes, 1);
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(matrix.rows, tiles * kTileRows));
  }

  std::uint32_t take(std::uint32_t words) {
    const std::uint32_t at = words_;
    words_ += align_up(words, 4u);
    return at;
  }

  // Blocks of 32 whose largest magnitude is 127 units, so that int8 holds every one of them; the units are powers of
  // two.
  void fill_x(quant::Random& random, std::span<float> x) const {
    for (std::size_t begin = 0; begin < x.size(); begin += kBlockColumns) {
      const std::span<float> block = x.subspan(begin, std::min<std::size_t>(kBlockColumns, x.size() - begin));
      const float unit = std::ldexp(1.0f, -7 + static_cast<int>(random.below(3)));
      for (float& value : block) value = unit * (static_cast<float>(random.below(255)) - 127.0f);
      block[random.below(block.size())] = 127.0f * unit;
    }
  }

  Status fill() {
    const MatMulSpec& spec = question_.spec;
    quant::Random random(1);
    task_.arena.resize(words_, std::numeric_limits<float>::quiet_NaN());
    const auto values = [&](std::uint32_t at, std::size_t n) { return std::span(task_.arena).subspan(at, n); };
    for (std::uint32_t row = 0; row < question_.rows; ++row) {
      fill_x(random, values(constants_.x + row * spec.columns, spec.columns));
    }
    // One power of two a block: what is normed can be rounded without loss, too.
    const std::span<float> norm = values(constants_.norm, spec.columns);
    for (std::size_t i = 0; i < norm.size(); ++i) {
      norm[i] = i % kBlockColumns == 0 ? std::ldexp(1.0f, static_cast<int>(random.below(3))) : norm[i - 1];
    }
    for (std::size_t p = 0; p < spec.matrices.size(); ++p) {
      for (float& bias : values(constants_.bias[p], spec.matrices[p].rows)) bias = random.uniform();
    }
    for (float& one : values(constants_.residual, std::size_t{question_.rows} * spec.matrices[0].rows)) {
      one = random.uniform();
    }
    weights_.resize(spec.matrices.size());
    for (std::size_t p = 0; p < weights_.size(); ++p) WISP_CHECK(fill_weights(p, random));
    return probe(random);
  }

  Status fill_weights(std::size_t p, quant::Random& random) {
    const MatrixUse& matrix = question_.spec.matrices[p];
    const gguf::TensorTypeInfo& type = gguf::tensor_type_info(matrix.type);
    row_bytes_.push_back(std::size_t{question_.spec.columns} / type.block_elements * type.block_bytes);
    std::vector<std::byte>& bytes = weights_[p];
    bytes.resize(row_bytes_[p] * matrix.rows);
    quant::random_blocks(matrix.type, 1.0f / std::sqrt(static_cast<float>(question_.spec.columns)), random, bytes);
    WISP_TRY(const PlaneBytes planes, plane_bytes(matrix.type, question_.spec.columns, matrix.rows));
    std::vector<std::uint32_t> quants(static_cast<std::size_t>(planes.quants / 4));
    std::vector<std::uint32_t> scales(static_cast<std::size_t>(planes.scales / 4));
    WISP_CHECK(repack(matrix.type, question_.spec.columns, matrix.rows, bytes, quants, scales));
    const auto keep = [&](std::span<const std::uint32_t> words) {
      const auto raw = std::as_bytes(words);
      task_.buffers.emplace_back(raw.begin(), raw.end());
    };
    keep(quants);
    if (!is_float_type(matrix.type)) keep(scales);
    return {};
  }

  // A row of W times a row of x, and what comes before and after.
  float product(std::size_t p, std::uint32_t row, std::uint32_t column) {
    const MatMulSpec& spec = question_.spec;
    const std::span<const float> arena = task_.arena;
    const std::span<const float> x = arena.subspan(constants_.x + std::size_t{row} * spec.columns, spec.columns);
    x_.assign(x.begin(), x.end());
    if (spec.norm) graph::scalar::rms_norm(x_, arena.subspan(constants_.norm, spec.columns), kEps, x_);
    const graph::Weight weight{
        .name = {}, .type = spec.matrices[p].type, .columns = spec.columns, .rows = 1, .use = {.matrix = true}};
    float y = 0.0f;
    graph::scalar::matmul(weight, std::span(weights_[p]).subspan(row_bytes_[p] * column, row_bytes_[p]),
                          graph::Arithmetic::exact, 1, x_, {&y, 1}, scratch_);
    return spec.matrices[p].bias ? y + arena[constants_.bias[p] + column] : y;
  }

  Status probe(quant::Random& random) {
    const MatMulSpec& spec = question_.spec;
    for (std::size_t i = 0; i < kProbes; ++i) {
      const std::size_t p = spec.gated ? 0 : random.below(spec.matrices.size());
      const auto row = static_cast<std::uint32_t>(random.below(question_.rows));
      const auto column = static_cast<std::uint32_t>(random.below(spec.matrices[p].rows));
      const std::uint32_t at = row * spec.matrices[p].rows + column;
      float y = graph::scalar::activate(spec.activation, product(p, row, column));
      if (spec.gated) y *= product(1, row, column);
      if (spec.residual) y += task_.arena[constants_.residual + at];
      task_.probes.push_back(constants_.out[p] - task_.output + at);
      task_.expected.push_back(y);
    }
    return {};
  }

  Status add(const MatMulWay& way) {
    TuningCandidate candidate{way_name(way), {}};
    const MatMulSpec spec = spec_for(question_, way);
    MatMulConstants constants = constants_;
    if (question_.spec.norm && !spec.norm) {
      WISP_TRY(Kernel norm, norm_kernel(spec.columns, spec.columns, false, info_));
      const NormConstants before{.x = constants.x, .out = normed_, .weight = constants.norm, .eps = kEps};
      candidate.dispatches.push_back({std::move(norm), {OpConstants::of(before)}, {}, {1, question_.rows, 1}});
      constants.x = normed_;
    }
    if (way.rounded()) {
      WISP_TRY(Kernel round, round_kernel(spec.columns, way.halves(), info_));
      const RoundConstants before{.x = constants.x, .out = rounded_};
      candidate.dispatches.push_back({std::move(round), {OpConstants::of(before)}, {}, {1, question_.rows, 1}});
      constants.x = rounded_;
    }
    WISP_TRY(Kernel kernel, matmul_kernel(spec, way, info_));
    const Grid grid = matmul_grid(spec, way, Extent::Of::rows);
    std::vector<std::size_t> buffers(kernel.bindings.size());
    for (std::size_t i = 0; i < buffers.size(); ++i) buffers[i] = i;
    candidate.dispatches.push_back({std::move(kernel),
                                    {OpConstants::of(constants)},
                                    std::move(buffers),
                                    {grid[0].count, div_up(question_.rows, grid[1].per), 1}});
    task_.candidates.push_back(std::move(candidate));
    return {};
  }

  MatMulQuestion question_;
  const DeviceInfo& info_;
  TuningTask task_;
  MatMulConstants constants_;
  std::uint32_t normed_ = 0, rounded_ = 0;
  std::uint32_t words_ = 0;
  std::vector<std::vector<std::byte>> weights_;  // as a file has them
  std::vector<std::size_t> row_bytes_;
  std::vector<float> x_;
  graph::scalar::MatMulScratch scratch_;
};

}  // namespace

Result<Kernel> matmul_kernel(const MatMulSpec& spec, const MatMulWay& way, const DeviceInfo& info) {
  return way.tiled ? matmul_kernel(spec, way.tile, info) : matvec_kernel(spec, way.shape, info);
}

Grid matmul_grid(const MatMulSpec& spec, const MatMulWay& way, Extent::Of rows) {
  return way.tiled ? matmul_grid(spec, way.tile, rows) : matvec_grid(spec, way.shape, rows);
}

std::string way_name(const MatMulWay& way) {
  std::string name = way.tiled ? fmt::format("tiles of {}", way.tile.edge)
                               : fmt::format("matvec rows {} slices {}", way.shape.rows, way.shape.slices);
  if (way.shape.subgroups) name += " subgroups";
  if (way.tile.units) name += ", matrix units";
  name += way.int8 ? " int8" : way.tile.halves ? " f16" : " float";
  if (way.rounded() && way.int8) name += ", rounded before";
  return way.norm_before ? name + ", norm before" : name;
}

std::uint32_t row_class(std::uint32_t rows) { return rows > 8 ? kManyRows : std::bit_ceil(std::max(rows, 1u)); }

std::string question_key(const MatMulQuestion& question) {
  const MatMulSpec& spec = question.spec;
  std::string key;
  for (const MatrixUse& matrix : spec.matrices) {
    key += fmt::format("{}{} {}x{}{}", key.empty() ? "" : " + ", decoder_name(matrix.type), matrix.rows, spec.columns,
                       matrix.bias ? " bias" : "");
  }
  key +=
      fmt::format("{}{}{}{}{}", spec.gated ? " gated" : "", activation_name(spec.activation), spec.norm ? " norm" : "",
                  spec.residual ? " residual" : "", question.int8 || question.halves ? "" : " exact");
  return key + fmt::format(", {} row{}", question.rows, question.rows == 1 ? "" : "s");
}

std::vector<MatMulWay> matmul_ways(const MatMulQuestion& question, const DeviceInfo& info) {
  std::vector<MatMulWay> ways;
  const bool norm = question.spec.norm;
  const auto add_matvec = [&](bool int8, std::uint32_t rows, std::size_t most) {
    MatMulSpec spec = question.spec;
    spec.int8 = int8;
    std::vector<MatVecShape> shapes = matvec_shapes(spec, rows, info);
    if (shapes.empty()) shapes.push_back({rows, 4});
    if (most == 1) std::erase_if(shapes, [](const MatVecShape& shape) { return shape.subgroups; });
    std::size_t plain = 0;
    for (const MatVecShape& shape : shapes) {
      if (!shape.subgroups && plain++ >= most) continue;
      ways.push_back({.tiled = false, .shape = shape, .int8 = int8, .norm_before = false});
      if (shape.subgroups) break;  // they come last; the best guess of them
    }
  };
  // One row is rounded faster than it is written and read again.
  const auto add_rounded = [&](std::uint32_t rows) {
    MatMulSpec spec = question.spec;
    spec.int8 = true;
    spec.norm = false;
    std::size_t added = 0;
    for (MatVecShape shape : matvec_shapes(spec, rows, info)) {
      if (shape.subgroups || added++ == 2) break;
      shape.rounded = true;
      ways.push_back({.tiled = false, .shape = shape, .int8 = true, .norm_before = norm});
    }
  };
  const auto add_tiled = [&](std::size_t most) {
    for (const bool int8 : {true, false}) {
      if (int8 && !question.int8) continue;
      MatMulSpec spec = question.spec;
      spec.int8 = int8;
      for (const TileShape& tile : tile_shapes(spec, question.halves, info) | std::views::take(most)) {
        ways.push_back({.tiled = true, .tile = tile, .int8 = int8, .norm_before = norm});
      }
    }
  };
  if (question.rows > 8) {
    add_tiled(~std::size_t{0});
    return ways;
  }
  const std::uint32_t rows = std::min(question.rows, matvec_rows(info));
  if (question.int8) add_matvec(true, rows, 3);
  add_matvec(false, rows, question.int8 ? 1 : 3);
  if (norm) {
    MatMulWay apart = ways.front();
    apart.norm_before = true;
    ways.push_back(apart);
  }
  if (question.int8 && question.rows > 1) add_rounded(rows);
  if (question.rows > 2) {
    add_matvec(question.int8, rows / 2, 1);
    add_tiled(1);
  }
  return ways;
}

TuningRequest tuning_request(MatMulQuestion question, double importance, const DeviceInfo& info) {
  std::string key = question_key(question);
  return {std::move(key), importance, [question = std::move(question), &info](bool with_content) {
            return TaskMaker(question, info).make(with_content);
          }};
}

}  // namespace wisp::gpu
