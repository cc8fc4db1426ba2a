// MatMulOp: prepare the input rows (norm, int8), multiply tile by tile, finish each tile or row (bias, activation,
// gate, residual; head norm, RoPE, KV). Fused or not, an element goes through the same kernels in the same order.
#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "cpu/repack.h"
#include "cpu/step_context.h"

namespace wisp::cpu {

using graph::Combine;
using graph::MatMulOp;
using graph::Projection;

namespace {

// Below this many rows, preparing and finishing run on the calling thread.
constexpr std::uint32_t kLeastRowsOfAMatmul = 4;
// Input rows of a task are kept to what stays in a core's L2 (1 MiB and up on what this was measured on, half of it for
// weights).
constexpr std::size_t kInputBytesPerTask = std::size_t{512} << 10;
constexpr std::uint32_t kMostRowsPerTask = 256;
constexpr std::uint32_t kLeastRowsPerTask = 16;
// Panels of a task with many rows: enough that the input rows are fetched into L2 once for several panels.
constexpr std::uint32_t kPanelsPerTask = 4;
// Tasks per thread to aim at with few rows, so that a slow thread does not hold up the others.
constexpr std::uint32_t kTasksPerThread = 8;

bool is_float(PanelFormat format) {
  return format == PanelFormat::f32 || format == PanelFormat::f16 || format == PanelFormat::bf16;
}

std::size_t int8_row_bytes(std::size_t columns) { return columns / kBlockColumns * sizeof(ActivationBlock); }

std::uint32_t panels_of(const Matrix& matrix) { return div_up<std::uint32_t>(matrix.packed.rows, kPanelRows); }

// How the work is cut. Only speed depends on it.
struct Tiling {
  std::uint32_t rows_per_task, row_tasks;
  std::uint32_t panels_per_task;
};

Tiling tile(std::uint32_t rows, std::size_t columns, std::uint32_t panels, int threads) {
  Tiling tiling{};
  const std::size_t row_bytes = int8_row_bytes(std::max<std::size_t>(columns, 32));
  const auto fitting =
      static_cast<std::uint32_t>(std::min<std::size_t>(kInputBytesPerTask / row_bytes, kMostRowsPerTask));
  tiling.rows_per_task = std::min(rows, std::max(fitting / 8 * 8, kLeastRowsPerTask));
  tiling.row_tasks = div_up(rows, tiling.rows_per_task);
  const std::uint32_t wanted_tasks = static_cast<std::uint32_t>(threads) * kTasksPerThread;
  const std::uint32_t even = std::max(panels * tiling.row_tasks / wanted_tasks, 1u);
  tiling.panels_per_task = rows > 8 ? std::min(even, kPanelsPerTask) : even;
  return tiling;
}

class MatMulRun {
 public:
  MatMulRun(const MatMulOp& op, const StepContext& context)
      : op_(op), context_(context), rows_(context.rows_of(op.in)), columns_(context.width(op.in)) {}

  void run() {
    if (rows_ == 0) return;
    prepare_input();
    place_outputs();
    if (op_.combine == Combine::gated) {
      multiply_gated();
    } else {
      multiply_each();
    }
    if (op_.combine == Combine::qkv || finishes_by_row()) finish_rows();
  }

 private:
  const Matrix& matrix(const Projection& projection) const { return context_.weights.matrix(projection.weight); }
  float* normed_rows() const { return reinterpret_cast<float*>(context_.scratch.float_rows.data()); }
  ActivationBlock* int8_rows() const { return reinterpret_cast<ActivationBlock*>(context_.scratch.int8_rows.data()); }

  // Norm and rounding, row by row.
  void prepare_input() {
    bool any_int8 = false;
    for (const Projection& projection : op_.projections) any_int8 |= !is_float(matrix(projection).packed.format);
    input_ = op_.norm ? normed_rows() : context_.value(op_.in);
    if (!op_.norm && !any_int8) return;
    const float* in = context_.value(op_.in);
    context_.for_rows(rows_, kLeastRowsOfAMatmul, [&](std::uint32_t row, int) {
      const float* source = in + row * columns_;
      if (op_.norm) {
        float* out = normed_rows() + row * columns_;
        norm_row(context_, *op_.norm, source, columns_, out);
        source = out;
      }
      if (any_int8) context_.kernels.quantize_row(source, columns_, int8_rows() + row * (columns_ / kBlockColumns));
    });
  }

  // Where each projection's product goes: its value, or scratch for k and v on their way to the KV store.
  void place_outputs() {
    float* scratch = reinterpret_cast<float*>(context_.scratch.projected.data());
    for (std::size_t i = 0; i < op_.projections.size(); ++i) {
      const Projection& projection = op_.projections[i];
      if (projection.out != graph::kNoValue) {
        out_[i] = context_.value(projection.out);
      } else if (op_.combine == Combine::qkv) {
        out_[i] = scratch;
        scratch += static_cast<std::size_t>(rows_) * matrix(projection).packed.rows;
      }
    }
  }

  // Multiplies `count` rows from `first_row` with panels [first, last) of a matrix.
  void multiply(const Matrix& matrix, std::uint32_t first, std::uint32_t last, std::uint32_t first_row,
                std::uint32_t count, float* out, std::size_t out_stride, std::uint8_t* scratch) const {
    MatMulArgs args{matrix.packed,
                    first,
                    last,
                    count,
                    int8_rows() + first_row * (columns_ / kBlockColumns),
                    input_ + first_row * columns_,
                    out,
                    out_stride,
                    scratch};
    if (matrix.packed.quants != nullptr) {
      context_.kernels.matmul(args);
      return;
    }
    // Not repacked at load: pack one panel at a time behind the expansion scratch.
    std::uint8_t* quants = scratch + align_up<std::size_t>(columns_ * kScratchBytesPerColumn, 64);
    std::uint8_t* scales = quants + matrix.packed.quant_stride;
    for (std::uint32_t p = first; p < last; ++p) {
      const std::uint32_t left = std::min<std::uint32_t>(matrix.packed.rows - p * kPanelRows, kPanelRows);
      repack_panel(matrix.packed.format, matrix.blocks + static_cast<std::size_t>(p) * kPanelRows * matrix.row_bytes,
                   matrix.row_bytes, static_cast<int>(left), matrix.packed.columns, quants, scales);
      args.matrix.quants = quants;
      args.matrix.scales = scales;
      args.matrix.rows = left;
      args.first_panel = 0;
      args.last_panel = 1;
      args.out = out + static_cast<std::size_t>(p - first) * kPanelRows;
      context_.kernels.matmul(args);
    }
  }

  // What can follow at once on a tile: bias, activation, residual.
  void finish_tile(const Projection& projection, float* tile, std::size_t stride, std::uint32_t first_output,
                   std::uint32_t outputs, std::uint32_t first_row, std::uint32_t count) const {
    const bool by_row = finishes_by_row();
    const float* bias = projection.bias == graph::kNoWeight ? nullptr : context_.weights.vector(projection.bias);
    for (std::uint32_t r = 0; r < count; ++r) {
      float* at = tile + r * stride;
      if (bias != nullptr) context_.kernels.add(at, bias + first_output, outputs, at);
      if (by_row) continue;
      if (op_.combine == Combine::separate && op_.activation != graph::Activation::none)
        context_.kernels.activate(function_of(op_.activation), at, outputs, at);
      if (op_.residual != graph::kNoValue) {
        const float* residual = context_.value(op_.residual) + (first_row + r) * stride + first_output;
        context_.kernels.add(at, residual, outputs, at);
      }
    }
  }

  // Separate projections and qkv: tasks over all panels of all projections, and blocks of rows.
  void multiply_each() const {
    std::uint32_t panels = 0;
    for (const Projection& projection : op_.projections) panels += panels_of(matrix(projection));
    const Tiling tiling = tile(rows_, columns_, panels, context_.pool.threads());
    std::uint32_t groups[kMostProjections] = {};
    std::uint32_t all_groups = 0;
    for (std::size_t i = 0; i < op_.projections.size(); ++i) {
      groups[i] = div_up(panels_of(matrix(op_.projections[i])), tiling.panels_per_task);
      all_groups += groups[i];
    }
    context_.pool.parallel_for(std::int64_t{all_groups} * tiling.row_tasks, [&](std::int64_t task, int worker) {
      auto group = static_cast<std::uint32_t>(task % all_groups);
      const auto first_row = static_cast<std::uint32_t>(task / all_groups) * tiling.rows_per_task;
      const std::uint32_t count = std::min(tiling.rows_per_task, rows_ - first_row);
      std::size_t i = 0;
      for (; group >= groups[i]; ++i) group -= groups[i];
      const Projection& projection = op_.projections[i];
      const Matrix& weights = matrix(projection);
      const std::uint32_t first = group * tiling.panels_per_task;
      const std::uint32_t last = std::min(first + tiling.panels_per_task, panels_of(weights));
      const std::uint32_t first_output = first * kPanelRows;
      const std::size_t stride = weights.packed.rows;
      float* out = out_[i] + first_row * stride + first_output;
      multiply(weights, first, last, first_row, count, out, stride, context_.worker_scratch(worker));
      finish_tile(projection, out, stride, first_output,
                  std::min(last * kPanelRows, weights.packed.rows) - first_output, first_row, count);
    });
  }

  // out = activation(gate) * up: both halves of a tile in one task, the up half in scratch.
  void multiply_gated() const {
    const Projection& gate = op_.projections[0];
    const Projection& up = op_.projections[1];
    const Matrix& gate_weights = matrix(gate);
    const std::uint32_t panels = panels_of(gate_weights);
    const std::size_t stride = gate_weights.packed.rows;
    Tiling tiling = tile(rows_, columns_, panels, context_.pool.threads());
    tiling.panels_per_task = std::min(tiling.panels_per_task, kPanelsPerTask);
    const std::uint32_t groups = div_up(panels, tiling.panels_per_task);
    context_.pool.parallel_for(std::int64_t{groups} * tiling.row_tasks, [&](std::int64_t task, int worker) {
      const auto first = static_cast<std::uint32_t>(task % groups) * tiling.panels_per_task;
      const std::uint32_t last = std::min(first + tiling.panels_per_task, panels);
      const auto first_row = static_cast<std::uint32_t>(task / groups) * tiling.rows_per_task;
      const std::uint32_t count = std::min(tiling.rows_per_task, rows_ - first_row);
      const std::uint32_t first_output = first * kPanelRows;
      const std::uint32_t outputs = std::min<std::uint32_t>(last * kPanelRows, gate_weights.packed.rows) - first_output;
      std::uint8_t* scratch = context_.worker_scratch(worker);
      float* up_tile = reinterpret_cast<float*>(
          scratch + multiply_scratch_bytes(columns_, std::max(panel_bytes(matrix(gate)), panel_bytes(matrix(up)))));
      constexpr std::size_t kTileStride = kPanelsPerTask * kPanelRows;
      float* out = context_.value(op_.out) + first_row * stride + first_output;
      multiply(gate_weights, first, last, first_row, count, out, stride, scratch);
      finish_tile(gate, out, stride, first_output, outputs, first_row, count);
      multiply(matrix(up), first, last, first_row, count, up_tile, kTileStride, scratch);
      finish_tile(up, up_tile, kTileStride, first_output, outputs, first_row, count);
      for (std::uint32_t r = 0; r < count; ++r)
        context_.kernels.gate(function_of(op_.activation), out + r * stride, up_tile + r * kTileStride, outputs,
                              out + r * stride);
    });
  }

  // Head norm and RoPE need whole heads, so they wait for all tiles of a row.
  [[nodiscard]] bool finishes_by_row() const {
    return std::ranges::any_of(op_.projections, [](const Projection& p) { return p.head_norm || p.rope >= 0; });
  }

  void finish_rows() const {
    context_.for_rows(rows_, kLeastRowsOfAMatmul, [&](std::uint32_t row, int) {
      float* at[kMostProjections] = {};
      for (std::size_t i = 0; i < op_.projections.size(); ++i) {
        const Projection& projection = op_.projections[i];
        const std::size_t width = matrix(projection).packed.rows;
        at[i] = out_[i] + row * width;
        if (projection.head_norm) norm_row(context_, *projection.head_norm, at[i], width, at[i]);
        if (projection.rope >= 0) rope_row(context_, projection.rope, row, projection.head_dim, at[i], width);
        if (op_.combine == Combine::separate && finishes_by_row()) {
          if (op_.activation != graph::Activation::none)
            context_.kernels.activate(function_of(op_.activation), at[i], width, at[i]);
          if (op_.residual != graph::kNoValue)
            context_.kernels.add(at[i], context_.value(op_.residual) + row * width, width, at[i]);
        }
      }
      if (op_.combine == Combine::qkv) write_kv_row(context_, op_.kv_layer, row, at[1], at[2]);
    });
  }

 public:
  static constexpr std::size_t kMostProjections = 4;

  // Expansion scratch, and a packed panel for matrices that stay in the file.
  static std::size_t panel_bytes(const Matrix& matrix) {
    return matrix.packed.quant_stride + matrix.packed.scale_stride;
  }
  static std::size_t multiply_scratch_bytes(std::size_t columns, std::size_t panel_bytes) {
    return align_up<std::size_t>(columns * kScratchBytesPerColumn, 64) + align_up<std::size_t>(panel_bytes, 64);
  }
  static std::size_t tile_bytes() {
    return std::size_t{kMostRowsPerTask} * kPanelsPerTask * kPanelRows * sizeof(float);
  }

 private:
  const MatMulOp& op_;
  const StepContext& context_;
  const std::uint32_t rows_;
  const std::size_t columns_;
  const float* input_ = nullptr;
  float* out_[kMostProjections] = {};
};

}  // namespace

Status run_op(const MatMulOp& op, const StepContext& context) {
  if (op.projections.size() > MatMulRun::kMostProjections) {
    return fail(Code::internal, "a fused matmul has {} projections", op.projections.size());
  }
  MatMulRun(op, context).run();
  return {};
}

void add_matmul_needs(const graph::Plan& plan, ScratchNeeds& needs) {
  const auto grow = [](std::uint64_t& need, std::uint64_t bytes) { need = std::max(need, bytes); };
  for (const graph::Op& any : plan.graph->ops) {
    const auto* op = std::get_if<MatMulOp>(&any);
    if (op == nullptr) continue;
    const graph::Value& in = plan.graph->values[static_cast<std::size_t>(op->in)];
    const std::uint64_t rows = in.rows == graph::RowSet::step ? plan.max_rows : plan.max_logit_rows;
    std::uint64_t projected = 0;
    for (const Projection& projection : op->projections) {
      const graph::Weight& weight = plan.graph->weights[static_cast<std::size_t>(projection.weight)];
      const std::optional<PanelFormat> format = panel_format(weight.type);
      if (!format) continue;  // refused when it is loaded
      if (!is_float(*format)) grow(needs.int8_rows, rows * int8_row_bytes(in.width));
      const auto panel = static_cast<std::size_t>(packed_bytes(weight.type, kPanelRows, weight.columns));
      grow(needs.worker, MatMulRun::multiply_scratch_bytes(in.width, panel) + MatMulRun::tile_bytes());
      if (projection.out == graph::kNoValue && op->combine == Combine::qkv)
        projected += rows * weight.rows * sizeof(float);
    }
    grow(needs.projected, projected);
    if (op->norm) grow(needs.float_rows, rows * in.width * sizeof(float));
  }
}

}  // namespace wisp::cpu
