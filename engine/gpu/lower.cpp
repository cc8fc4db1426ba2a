#include "gpu/lower.h"

#include <algorithm>

#include "gpu/kernels/sampling.h"
#include "gpu/lowering.h"
#include "gpu/weights/plane_layout.h"

namespace wisp::gpu {

// ---- the walk ----

Result<Program> Lowering::run() {
  for (op_ = 0; op_ < static_cast<int>(graph_.ops.size()); ++op_) {
    next_scratch_ = scratch_at_;  // nothing lives in scratch from one op to the next
    const graph::Op& next = graph_.ops[static_cast<std::size_t>(op_)];
    if (asking() && !std::holds_alternative<MatMulOp>(next) && !std::holds_alternative<graph::AttentionOp>(next)) {
      continue;
    }
    if (const graph::AddOp* sum = sum_behind_norm()) {
      const auto& norm = std::get<graph::NormOp>(graph_.ops[static_cast<std::size_t>(op_)]);
      WISP_CHECK(add_norm(norm.norm, at(norm.in), at(sum->out), width(norm.in), rows_of(norm.in),
                          at(sum->a == norm.out ? sum->b : sum->a)));
      ++op_;
      continue;
    }
    WISP_CHECK(std::visit([&](const auto& op) { return lower(op); }, graph_.ops[static_cast<std::size_t>(op_)]));
  }
  if (asking()) return Program();
  program_.choosing = program_.dispatches.size();
  WISP_CHECK(choose_tokens());
  const std::uint64_t bytes = most_scratch_ * 4;
  if (bytes > info_.limits.max_binding_bytes || most_scratch_ > ~0u) {
    return fail(Code::limit, "activations for {} rows take {} bytes; {} binds {} at once: fewer rows a step would fit",
                plan_.max_rows, bytes, info_.name, info_.limits.max_binding_bytes);
  }
  program_.arena_words = static_cast<std::uint32_t>(most_scratch_);
  return std::move(program_);
}

// The addition that follows this op, where this is a norm that nothing else reads (behind the sublayers of Gemma), so
// that both are one dispatch.
const graph::AddOp* Lowering::sum_behind_norm() const {
  const auto here = static_cast<std::size_t>(op_);
  const auto* norm = std::get_if<graph::NormOp>(&graph_.ops[here]);
  if (norm == nullptr || here + 1 == graph_.ops.size()) return nullptr;
  const auto* sum = std::get_if<graph::AddOp>(&graph_.ops[here + 1]);
  if (sum == nullptr || (sum->a == norm->out) == (sum->b == norm->out)) return nullptr;
  for (std::size_t i = here + 2; i < graph_.ops.size(); ++i) {
    if (std::ranges::count(graph::op_inputs(graph_.ops[i]), norm->out) > 0) return nullptr;
  }
  // The plan may have given the sum bytes of what the norm reads: all of them in the same order, or none.
  const std::uint64_t size = std::uint64_t{width(norm->in)} * most_rows(rows_of(norm->in));
  const std::uint64_t in = at(norm->in), out = at(sum->out);
  return in == out || in + size <= out || out + size <= in ? sum : nullptr;
}

// ---- plain ops ----
Status Lowering::lower(const graph::EmbedOp& op) {
  const graph::Weight& table = weight(op.table);
  for (const MatrixPart& part : context_.weights.parts(op.table)) {
    std::vector<Binding> bindings = {part.quants};
    if (!is_float_type(table.type)) bindings.push_back(part.scales);
    bindings.push_back(context_.sampled);
    WISP_CHECK(add(embed_kernel(table.type, table.columns, info_), embed_grid(),
                   EmbedConstants{at(op.out), part.first_row, part.rows}, bindings));
  }
  return {};
}

Status Lowering::lower(const graph::ScaleOp& op) {
  return add_elementwise(Elementwise::scale,
                         {.a = at(op.in), .out = at(op.out), .width = width(op.in), .factor = op.factor},
                         rows_of(op.in));
}

Status Lowering::lower(const graph::AddBiasOp& op) {
  return add_elementwise(Elementwise::add_bias,
                         {.a = at(op.in), .b = vector(op.bias), .out = at(op.out), .width = width(op.in)},
                         rows_of(op.in));
}

Status Lowering::lower(const graph::AddOp& op) {
  return add_elementwise(Elementwise::add, {.a = at(op.a), .b = at(op.b), .out = at(op.out), .width = width(op.a)},
                         rows_of(op.a));
}

Status Lowering::lower(const graph::MulOp& op) {
  return add_elementwise(Elementwise::mul, {.a = at(op.a), .b = at(op.b), .out = at(op.out), .width = width(op.a)},
                         rows_of(op.a));
}

Status Lowering::lower(const graph::ActivationOp& op) {
  if (op.function == graph::Activation::none) {
    return add_elementwise(Elementwise::scale,
                           {.a = at(op.in), .out = at(op.out), .width = width(op.in), .factor = 1.0f}, rows_of(op.in));
  }
  return add_elementwise(op.function == graph::Activation::silu ? Elementwise::silu : Elementwise::gelu_tanh,
                         {.a = at(op.in), .out = at(op.out), .width = width(op.in)}, rows_of(op.in));
}

Status Lowering::lower(const graph::SoftcapOp& op) {
  return add_elementwise(Elementwise::softcap,
                         {.a = at(op.in), .out = at(op.out), .width = width(op.in), .factor = op.cap}, rows_of(op.in));
}

Status Lowering::lower(const graph::SelectRowsOp& op) {
  return add_elementwise(Elementwise::select_rows, {.a = at(op.in), .out = at(op.out), .width = width(op.in)},
                         Extent::Of::logit_rows);
}

Status Lowering::add_norm(const graph::NormSpec& norm, std::uint32_t in, std::uint32_t out, std::uint32_t columns,
                          Extent::Of of, std::optional<std::uint32_t> residual) {
  const NormConstants constants{.x = in,
                                .out = out,
                                .weight = vector(norm.weight),
                                .residual = residual.value_or(0),
                                .eps = norm.eps,
                                .row_set = row_set(of)};
  return add(norm_kernel(columns, norm.group, residual.has_value(), info_), norm_grid(columns, norm.group, of),
             constants, {});
}

Status Lowering::lower(const graph::NormOp& op) {
  return add_norm(op.norm, at(op.in), at(op.out), width(op.in), rows_of(op.in));
}

// ---- heads: RoPE and the KV store ----
void Lowering::set_rope(HeadSpec& spec, int rope) const {
  if (rope < 0) return;
  const graph::RopeSpec& turned = graph_.ropes[static_cast<std::size_t>(rope)];
  spec.pairs = static_cast<std::uint32_t>(turned.inverse_frequency.size());
  spec.pairing = turned.pairing;
}

Status Lowering::lower(const graph::RopeOp& op) {
  HeadSpec spec{.heads = width(op.in) / op.head_dim, .head_dim = op.head_dim, .q_rope = true};
  set_rope(spec, op.rope);
  return add(head_kernel(spec, info_), head_grid(spec),
             HeadConstants{.q = at(op.in), .q_out = at(op.out), .rope = static_cast<std::uint32_t>(op.rope)}, {});
}

HeadConstants Lowering::kv_constants(int layer) const {
  const int group = graph_.kv.layers[static_cast<std::size_t>(layer)].group;
  return {.group = static_cast<std::uint32_t>(group), .blocks = context_.kv.blocks()[static_cast<std::size_t>(group)]};
}

Status Lowering::lower(const graph::KvWriteOp& op) {
  const graph::KvLayer& layer = graph_.kv.layers[static_cast<std::size_t>(op.layer)];
  const HeadSpec spec{.kv_heads = layer.kv_heads, .head_dim = layer.head_dim, .kv_type = context_.kv.type()};
  HeadConstants constants = kv_constants(op.layer);
  constants.k = at(op.k);
  constants.v = at(op.v);
  return add(head_kernel(spec, info_), head_grid(spec), constants,
             {context_.kv.keys(op.layer), context_.kv.values(op.layer)});
}

// ---- behind the last op ----
Status Lowering::choose_tokens() {
  if (graph_.output != graph::Output::logits) return {};
  next_scratch_ = scratch_at_;
  const std::uint32_t vocabulary = graph_.vocabulary;
  const std::uint32_t parts = div_up(vocabulary, kArgmaxPart);
  const std::uint32_t partials = scratch(std::uint64_t{2} * std::min(plan_.max_logit_rows, kSlots) * parts);
  const SampleConstants constants{at(graph_.logits), partials, vocabulary, parts};
  const std::vector<Binding> tokens = {context_.sampled, context_.results};
  using Of = Extent::Of;
  WISP_CHECK(add(adjust_kernel(info_), adjust_grid(), constants, {context_.sampled}, Of::adjusted, 1));
  WISP_CHECK(add(mask_kernel(info_), mask_grid(vocabulary), constants, {}, Of::masked, 1));
  WISP_CHECK(add(argmax_parts_kernel(info_), argmax_parts_grid(vocabulary), constants, {}));
  WISP_CHECK(add(argmax_join_kernel(info_), sample_grid(), constants, tokens));
  WISP_CHECK(add(draw_top_kernel(info_), sample_grid(), constants, tokens, Of::top_draws, 1));
  return add(draw_all_kernel(info_), sample_grid(), constants, tokens, Of::all_draws, 1);
}

Result<Program> lower(const graph::Plan& plan, LowerContext context) {
  context.questions = nullptr;
  return Lowering(plan, context).run();
}

Status ask(const graph::Plan& plan, LowerContext context, Questions& questions) {
  context.questions = &questions;
  const Result<Program> nothing = Lowering(plan, context).run();
  if (!nothing) return std::unexpected(nothing.error());
  return {};
}

}  // namespace wisp::gpu
