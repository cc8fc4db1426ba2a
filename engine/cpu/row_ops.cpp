// The ops that treat each row, or each element, alone.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/step_context.h"

namespace wisp::cpu {

namespace {

// Below this many rows a row-wise op runs on the calling thread: a row of a few thousand floats takes about a
// microsecond, a barrier several.
constexpr std::uint32_t kLeastRowsOfAnOp = 8;
// Elements to a task for element-wise ops, 64 KiB.
constexpr std::size_t kPiece = 16384;

// body(offset, count) over pieces of n contiguous elements.
template <class Body>
void for_pieces(const StepContext& context, std::size_t n, const Body& body) {
  if (n <= 4 * kPiece) {
    body(std::size_t{0}, n);
    return;
  }
  context.pool.parallel_for(static_cast<std::int64_t>((n + kPiece - 1) / kPiece), [&](std::int64_t task, int) {
    const std::size_t offset = static_cast<std::size_t>(task) * kPiece;
    body(offset, std::min(kPiece, n - offset));
  });
}

std::size_t elements(const StepContext& context, graph::ValueId id) {
  return static_cast<std::size_t>(context.rows_of(id)) * context.width(id);
}

}  // namespace

Function function_of(graph::Activation activation) {
  switch (activation) {
    case graph::Activation::none: return Function::none;
    case graph::Activation::silu: return Function::silu;
    case graph::Activation::gelu_tanh: return Function::gelu_tanh;
  }
  return Function::none;
}

void norm_row(const StepContext& context, const graph::NormSpec& norm, const float* in, std::size_t width, float* out) {
  const float* weight = context.weights.vector(norm.weight);
  for (std::size_t at = 0; at < width; at += norm.group)
    context.kernels.rms_norm(in + at, weight, norm.eps, norm.group, out + at);
}

void rope_row(const StepContext& context, int rope, std::uint32_t row, std::uint32_t head_dim, float* x,
              std::size_t width) {
  const graph::RopeSpec& spec = context.graph().ropes[static_cast<std::size_t>(rope)];
  context.kernels.rope(x, static_cast<std::uint32_t>(width / head_dim), head_dim,
                       static_cast<std::uint32_t>(spec.inverse_frequency.size()),
                       spec.pairing == graph::RopePairing::adjacent, context.rope_row(rope, row));
}

void write_kv_row(const StepContext& context, int layer, std::uint32_t row, const float* k, const float* v) {
  const int group = context.graph().kv.layers[static_cast<std::size_t>(layer)].group;
  const auto position = static_cast<std::uint32_t>(context.step.positions[row]);
  const std::size_t table = static_cast<std::size_t>(group) * context.step.n_sequences +
                            static_cast<std::size_t>(context.step.sequences[row]);
  const std::int32_t block = context.step.tables[table][position / kKvPositions];
  context.kernels.kv_write({context.kv.layer(layer),
                            context.kv.pool(group) + static_cast<std::size_t>(block) * context.kv.block_bytes(group),
                            position % kKvPositions, k, v});
}

Status run_op(const graph::EmbedOp& op, const StepContext& context) {
  const std::size_t width = context.width(op.out);
  float* out = context.value(op.out);
  Status failed;
  for (std::uint32_t row = 0; row < context.rows && failed; ++row)
    failed = context.weights.table_row(op.table, context.step.tokens[row], {out + row * width, width});
  return failed;
}

Status run_op(const graph::ScaleOp& op, const StepContext& context) {
  const float* in = context.value(op.in);
  float* out = context.value(op.out);
  for_pieces(context, elements(context, op.in),
             [&](std::size_t at, std::size_t n) { context.kernels.scale(in + at, op.factor, n, out + at); });
  return {};
}

Status run_op(const graph::NormOp& op, const StepContext& context) {
  const std::size_t width = context.width(op.in);
  context.for_rows(context.rows_of(op.in), kLeastRowsOfAnOp, [&](std::uint32_t row, int) {
    norm_row(context, op.norm, context.value(op.in) + row * width, width, context.value(op.out) + row * width);
  });
  return {};
}

Status run_op(const graph::AddBiasOp& op, const StepContext& context) {
  const std::size_t width = context.width(op.in);
  const float* bias = context.weights.vector(op.bias);
  context.for_rows(context.rows_of(op.in), kLeastRowsOfAnOp, [&](std::uint32_t row, int) {
    context.kernels.add(context.value(op.in) + row * width, bias, width, context.value(op.out) + row * width);
  });
  return {};
}

Status run_op(const graph::AddOp& op, const StepContext& context) {
  const float* a = context.value(op.a);
  const float* b = context.value(op.b);
  float* out = context.value(op.out);
  for_pieces(context, elements(context, op.a),
             [&](std::size_t at, std::size_t n) { context.kernels.add(a + at, b + at, n, out + at); });
  return {};
}

Status run_op(const graph::MulOp& op, const StepContext& context) {
  const float* a = context.value(op.a);
  const float* b = context.value(op.b);
  float* out = context.value(op.out);
  for_pieces(context, elements(context, op.a),
             [&](std::size_t at, std::size_t n) { context.kernels.multiply(a + at, b + at, n, out + at); });
  return {};
}

Status run_op(const graph::ActivationOp& op, const StepContext& context) {
  const float* in = context.value(op.in);
  float* out = context.value(op.out);
  for_pieces(context, elements(context, op.in), [&](std::size_t at, std::size_t n) {
    context.kernels.activate(function_of(op.function), in + at, n, out + at);
  });
  return {};
}

Status run_op(const graph::SoftcapOp& op, const StepContext& context) {
  const float* in = context.value(op.in);
  float* out = context.value(op.out);
  for_pieces(context, elements(context, op.in),
             [&](std::size_t at, std::size_t n) { context.kernels.softcap(in + at, op.cap, n, out + at); });
  return {};
}

Status run_op(const graph::RopeOp& op, const StepContext& context) {
  const std::size_t width = context.width(op.in);
  context.for_rows(context.rows_of(op.in), kLeastRowsOfAnOp, [&](std::uint32_t row, int) {
    float* out = context.value(op.out) + row * width;
    std::memcpy(out, context.value(op.in) + row * width, width * sizeof(float));
    rope_row(context, op.rope, row, op.head_dim, out, width);
  });
  return {};
}

Status run_op(const graph::KvWriteOp& op, const StepContext& context) {
  const std::size_t width = context.width(op.k);
  context.for_rows(context.rows, kLeastRowsOfAnOp, [&](std::uint32_t row, int) {
    write_kv_row(context, op.layer, row, context.value(op.k) + row * width, context.value(op.v) + row * width);
  });
  return {};
}

Status run_op(const graph::SelectRowsOp& op, const StepContext& context) {
  const std::size_t width = context.width(op.in);
  for (std::uint32_t i = 0; i < context.logit_rows; ++i) {
    const auto row = static_cast<std::size_t>(context.step.logit_rows[i]);
    std::memcpy(context.value(op.out) + i * width, context.value(op.in) + row * width, width * sizeof(float));
  }
  return {};
}

}  // namespace wisp::cpu
