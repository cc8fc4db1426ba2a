// One pass over a plan that makes its program: the class behind lower() and ask() (lower.h). Its parts are lower.cpp
// (the walk, plain ops, heads, the choice of tokens), lower_attention.cpp and lower_matmul.cpp.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <vector>

#include "base/checked.h"
#include "gpu/kernels/attention_ways.h"
#include "gpu/kernels/matmul.h"
#include "gpu/kernels/matmul_ways.h"
#include "gpu/kernels/round_rows.h"
#include "gpu/kernels/row_ops.h"
#include "gpu/lower.h"

namespace wisp::gpu {

class Lowering {
 public:
  Lowering(const graph::Plan& plan, const LowerContext& context)
      : plan_(plan), graph_(*plan.graph), context_(context), info_(context.device.info()) {
    values_at_ = align_up(static_cast<std::uint32_t>(context.weights.vectors().size()), 64u);
    scratch_at_ = values_at_ + plan.arena_bytes / 4;
    most_scratch_ = scratch_at_;
  }

  Result<Program> run();

 private:
  using Combine = graph::Combine;
  using MatMulOp = graph::MatMulOp;
  using Projection = graph::Projection;
  using ValueId = graph::ValueId;
  using WeightId = graph::WeightId;

  // ---- places ----
  const graph::Value& value_of(ValueId id) const { return graph_.values[static_cast<std::size_t>(id)]; }
  std::uint32_t width(ValueId id) const { return value_of(id).width; }
  std::uint32_t at(ValueId id) const {
    return static_cast<std::uint32_t>(values_at_ + plan_.offsets[static_cast<std::size_t>(id)] / 4);
  }
  std::uint32_t vector(WeightId id) const { return id == graph::kNoWeight ? 0 : context_.weights.vector(id); }
  const graph::Weight& weight(WeightId id) const { return graph_.weights[static_cast<std::size_t>(id)]; }
  Extent::Of rows_of(ValueId id) const {
    return value_of(id).rows == graph::RowSet::step ? Extent::Of::rows : Extent::Of::logit_rows;
  }
  static std::uint32_t row_set(Extent::Of of) { return of == Extent::Of::logit_rows ? 1 : 0; }
  std::uint32_t most_rows(Extent::Of of) const {
    return of == Extent::Of::logit_rows ? plan_.max_logit_rows : plan_.max_rows;
  }
  std::uint32_t scratch(std::uint64_t words) {
    const std::uint64_t begin = next_scratch_;
    next_scratch_ = align_up<std::uint64_t>(begin + words, 64);
    most_scratch_ = std::max(most_scratch_, next_scratch_);
    return static_cast<std::uint32_t>(begin);
  }
  const graph::AddOp* sum_behind_norm() const;

  // ---- dispatches ----
  template <class Constants>
  Status add(Result<Kernel> kernel, const Grid& grid, const Constants& constants, const std::vector<Binding>& bindings,
             Extent::Of of = Extent::Of::constant, std::uint32_t least = 0, std::uint32_t most = ~0u) {
    if (!kernel) return std::unexpected(std::move(kernel).error());
    const Pipeline pipeline = context_.pipelines.get(*kernel);
    program_.dispatches.push_back({.op = op_,
                                   .pipeline = pipeline.id,
                                   .group = context_.pipelines.group(pipeline, bindings, kernel->label),
                                   .slot = static_cast<std::uint32_t>(program_.constants.size()),
                                   .grid = grid,
                                   .of = of,
                                   .least = least,
                                   .most = most});
    program_.constants.push_back(OpConstants::of(constants));
    return {};
  }

  Status add_elementwise(Elementwise function, ElementwiseConstants constants, Extent::Of of) {
    constants.row_set = row_set(of);
    return add(elementwise_kernel(function, info_), elementwise_grid(constants.width, of), constants, {});
  }

  // ---- plain ops and heads (lower.cpp) ----
  Status lower(const graph::EmbedOp& op);
  Status lower(const graph::ScaleOp& op);
  Status lower(const graph::AddBiasOp& op);
  Status lower(const graph::AddOp& op);
  Status lower(const graph::MulOp& op);
  Status lower(const graph::ActivationOp& op);
  Status lower(const graph::SoftcapOp& op);
  Status lower(const graph::SelectRowsOp& op);
  Status add_norm(const graph::NormSpec& norm, std::uint32_t in, std::uint32_t out, std::uint32_t columns,
                  Extent::Of of, std::optional<std::uint32_t> residual = {});
  Status lower(const graph::NormOp& op);
  void set_rope(HeadSpec& spec, int rope) const;
  Status lower(const graph::RopeOp& op);
  HeadConstants kv_constants(int layer) const;
  Status lower(const graph::KvWriteOp& op);

  // ---- attention (lower_attention.cpp) ----
  Status lower(const graph::AttentionOp& op);
  void ask(const AttentionSpec& spec);
  AttentionPath path_of(const AttentionSpec& spec) const;
  Status attend_plainly(const AttentionSpec& spec, const AttentionInput& input, const graph::AttentionOp& op,
                        std::uint64_t positions);
  Status attend_in_tiles(const AttentionSpec& spec, const AttentionInput& input, const graph::AttentionOp& op);

  // ---- matrices (lower_matmul.cpp) ----
  // One matrix of a matmul and where its product goes.
  struct Product {
    WeightId weight;
    WeightId bias;
    std::uint32_t out;  // [rows, weight.rows]
  };
  bool int8_for(std::span<const Product> products) const;
  struct Before {
    std::uint32_t x;  // [rows, columns]
    std::uint32_t columns;
    Extent::Of of;
    const graph::NormSpec* norm = nullptr;  // nullptr: none
    // Where x behind its norm is, once something wanted it; and then rounded, to int8 and to f16.
    std::optional<std::uint32_t> normed = {};
    std::array<std::optional<std::uint32_t>, 2> rounded = {};
  };
  // A run of parts that share a dispatch.
  struct Piece {
    const Product* product;
    const MatrixPart* part;
  };
  Status multiply(Before& before, std::span<const Piece> pieces, bool gated, bool int8, graph::Activation activation,
                  std::uint32_t residual, bool has_residual);
  bool varies(Extent::Of of) const;
  Result<std::uint32_t> normed(Before& before);
  Result<std::uint32_t> rounded(Before& before, bool halves);
  bool asking() const;
  MatMulQuestion question(const MatMulSpec& spec, bool int8, std::uint32_t rows) const;
  void ask(const MatMulSpec& spec, bool int8, std::uint32_t rows, std::uint64_t bytes);
  MatMulWay way_of(const MatMulSpec& spec, bool int8, std::uint32_t rows) const;
  Status multiply_each(Before& before, std::span<const Product> products, graph::Activation activation,
                       std::uint32_t residual, bool has_residual);
  Status multiply_gated(Before& before, std::span<const Product> products, graph::Activation activation,
                        std::uint32_t out, std::uint32_t columns);
  Status lower(const MatMulOp& op);
  Status finish_qkv(const MatMulOp& op, std::span<const Product> products);
  void set_norm(const Projection& projection, std::uint32_t& at_word, float& eps) const;
  Status finish_heads(const MatMulOp& op, std::span<const Product> products);

  // ---- behind the last op (lower.cpp) ----
  Status choose_tokens();

  const graph::Plan& plan_;
  const graph::Graph& graph_;
  const LowerContext& context_;
  const DeviceInfo& info_;
  Program program_;
  int op_ = 0;
  std::uint64_t values_at_ = 0, scratch_at_ = 0, next_scratch_ = 0, most_scratch_ = 0;  // words
};

}  // namespace wisp::gpu
