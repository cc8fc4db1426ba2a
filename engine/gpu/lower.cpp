#include "gpu/lower.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "gpu/kernels/attention.h"
#include "gpu/kernels/matmul.h"
#include "gpu/kernels/matmul_ways.h"
#include "gpu/kernels/row_ops.h"
#include "gpu/kernels/sampling.h"
#include "gpu/step_buffer.h"
#include "gpu/weights/plane_layout.h"

namespace wisp::gpu {
namespace {

using graph::Combine;
using graph::MatMulOp;
using graph::Projection;
using graph::ValueId;
using graph::WeightId;

// Partial results of attention at a time; beyond, rows take turns.
constexpr std::uint64_t kPartialWords = (std::uint64_t{32} << 20) / 4;

class Lowering {
 public:
  Lowering(const graph::Plan& plan, const LowerContext& context)
      : plan_(plan), graph_(*plan.graph), context_(context), info_(context.device.info()) {
    values_at_ = align_up(static_cast<std::uint32_t>(context.weights.vectors().size()), 64u);
    scratch_at_ = values_at_ + plan.arena_bytes / 4;
    most_scratch_ = scratch_at_;
  }

  Result<Program> run() {
    for (op_ = 0; op_ < static_cast<int>(graph_.ops.size()); ++op_) {
      next_scratch_ = scratch_at_;  // nothing lives in scratch from one op to the next
      if (asking() && !std::holds_alternative<MatMulOp>(graph_.ops[static_cast<std::size_t>(op_)])) continue;
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
      return fail(Code::limit,
                  "activations for {} rows take {} bytes; {} binds {} at once: fewer rows a step would fit",
                  plan_.max_rows, bytes, info_.name, info_.limits.max_binding_bytes);
    }
    program_.arena_words = static_cast<std::uint32_t>(most_scratch_);
    return std::move(program_);
  }

 private:
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

  // The addition that follows this op, where this is a norm that nothing else reads (behind the sublayers of Gemma), so
  // that both are one dispatch.
  const graph::AddOp* sum_behind_norm() const {
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

  // ---- plain ops ----
  Status lower(const graph::EmbedOp& op) {
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
  Status lower(const graph::ScaleOp& op) {
    return add_elementwise(Elementwise::scale,
                           {.a = at(op.in), .out = at(op.out), .width = width(op.in), .factor = op.factor},
                           rows_of(op.in));
  }
  Status lower(const graph::AddBiasOp& op) {
    return add_elementwise(Elementwise::add_bias,
                           {.a = at(op.in), .b = vector(op.bias), .out = at(op.out), .width = width(op.in)},
                           rows_of(op.in));
  }
  Status lower(const graph::AddOp& op) {
    return add_elementwise(Elementwise::add, {.a = at(op.a), .b = at(op.b), .out = at(op.out), .width = width(op.a)},
                           rows_of(op.a));
  }
  Status lower(const graph::MulOp& op) {
    return add_elementwise(Elementwise::mul, {.a = at(op.a), .b = at(op.b), .out = at(op.out), .width = width(op.a)},
                           rows_of(op.a));
  }
  Status lower(const graph::ActivationOp& op) {
    if (op.function == graph::Activation::none) {
      return add_elementwise(Elementwise::scale,
                             {.a = at(op.in), .out = at(op.out), .width = width(op.in), .factor = 1.0f},
                             rows_of(op.in));
    }
    return add_elementwise(op.function == graph::Activation::silu ? Elementwise::silu : Elementwise::gelu_tanh,
                           {.a = at(op.in), .out = at(op.out), .width = width(op.in)}, rows_of(op.in));
  }
  Status lower(const graph::SoftcapOp& op) {
    return add_elementwise(Elementwise::softcap,
                           {.a = at(op.in), .out = at(op.out), .width = width(op.in), .factor = op.cap},
                           rows_of(op.in));
  }
  Status lower(const graph::SelectRowsOp& op) {
    return add_elementwise(Elementwise::select_rows, {.a = at(op.in), .out = at(op.out), .width = width(op.in)},
                           Extent::Of::logit_rows);
  }
  Status add_norm(const graph::NormSpec& norm, std::uint32_t in, std::uint32_t out, std::uint32_t columns,
                  Extent::Of of, std::optional<std::uint32_t> residual = {}) {
    const NormConstants constants{.x = in,
                                  .out = out,
                                  .weight = vector(norm.weight),
                                  .residual = residual.value_or(0),
                                  .eps = norm.eps,
                                  .row_set = row_set(of)};
    return add(norm_kernel(columns, norm.group, residual.has_value(), info_), norm_grid(columns, norm.group, of),
               constants, {});
  }
  Status lower(const graph::NormOp& op) {
    return add_norm(op.norm, at(op.in), at(op.out), width(op.in), rows_of(op.in));
  }

  // ---- heads: RoPE and the KV store ----
  void set_rope(HeadSpec& spec, int rope) const {
    if (rope < 0) return;
    const graph::RopeSpec& turned = graph_.ropes[static_cast<std::size_t>(rope)];
    spec.pairs = static_cast<std::uint32_t>(turned.inverse_frequency.size());
    spec.pairing = turned.pairing;
  }
  Status lower(const graph::RopeOp& op) {
    HeadSpec spec{.heads = width(op.in) / op.head_dim, .head_dim = op.head_dim, .q_rope = true};
    set_rope(spec, op.rope);
    return add(head_kernel(spec, info_), head_grid(spec),
               HeadConstants{.q = at(op.in), .q_out = at(op.out), .rope = static_cast<std::uint32_t>(op.rope)}, {});
  }
  HeadConstants kv_constants(int layer) const {
    const int group = graph_.kv.layers[static_cast<std::size_t>(layer)].group;
    return {.group = static_cast<std::uint32_t>(group),
            .blocks = context_.kv.blocks()[static_cast<std::size_t>(group)]};
  }
  Status lower(const graph::KvWriteOp& op) {
    const graph::KvLayer& layer = graph_.kv.layers[static_cast<std::size_t>(op.layer)];
    const HeadSpec spec{.kv_heads = layer.kv_heads, .head_dim = layer.head_dim, .kv_type = context_.kv.type()};
    HeadConstants constants = kv_constants(op.layer);
    constants.k = at(op.k);
    constants.v = at(op.v);
    return add(head_kernel(spec, info_), head_grid(spec), constants,
               {context_.kv.keys(op.layer), context_.kv.values(op.layer)});
  }

  // ---- attention ----
  Status lower(const graph::AttentionOp& op) {
    const graph::KvLayer& layer = graph_.kv.layers[static_cast<std::size_t>(op.layer)];
    const graph::KvGroup& group = graph_.kv.groups[static_cast<std::size_t>(layer.group)];
    AttentionSpec spec{.kv_heads = layer.kv_heads,
                       .queries = op.heads / layer.kv_heads,
                       .head_dim = layer.head_dim,
                       .kv_type = context_.kv.type(),
                       .softcap = op.softcap != 0.0f,
                       .sinks = group.sinks > 0};
    AttentionConstants constants{.q = at(op.q),
                                 .group = static_cast<std::uint32_t>(layer.group),
                                 .blocks = context_.kv.blocks()[static_cast<std::size_t>(layer.group)],
                                 .scale = op.scale,
                                 .softcap = op.softcap,
                                 .window = group.window.value_or(0),
                                 .sinks = group.sinks};
    if (spec.sinks && op.rope >= 0) {
      const graph::RopeSpec& turned = graph_.ropes[static_cast<std::size_t>(op.rope)];
      spec.pairs = static_cast<std::uint32_t>(turned.inverse_frequency.size());
      spec.pairing = turned.pairing;
      constants.sink_rope = context_.step.sink_table(layer.group, op.rope);
    }
    // The longest text that the pool can hold decides how many splits a row may have.
    const std::uint64_t positions = std::uint64_t{constants.blocks} * graph::kKvBlock;
    if (context_.attention == AttentionPath::plain) return attend_plainly(spec, constants, op, positions);
    // A row's bits depend on which kernel it goes by.
    spec.listed = !context_.deterministic;
    if (spec.listed && plan_.max_rows >= kLeastTile) WISP_CHECK(attend_in_tiles(spec, constants, op));
    constants.splits = static_cast<std::uint32_t>(div_up<std::uint64_t>(positions, kSplit));
    const std::uint64_t row_words = std::uint64_t{op.heads} * constants.splits * (layer.head_dim + 2);
    const auto rows = static_cast<std::uint32_t>(
        std::clamp<std::uint64_t>(kPartialWords / std::max<std::uint64_t>(row_words, 1), 1, plan_.max_rows));
    constants.partials = scratch(rows * row_words);
    const Extent::Of rows_taken = spec.listed ? Extent::Of::lone_rows : Extent::Of::rows;
    for (std::uint32_t first = 0; first < plan_.max_rows; first += rows) {
      const auto turn = [&](Grid grid) {
        grid[1].first = first;
        grid[1].most = rows;
        return grid;
      };
      constants.first_row = first;
      WISP_CHECK(add(attention_kernel(spec, info_), turn(attention_grid(spec)), constants,
                     {context_.kv.keys(op.layer), context_.kv.values(op.layer)}, rows_taken, first + 1));
      WISP_CHECK(add(attention_join_kernel(spec, info_), turn(attention_join_grid(spec)),
                     AttentionJoinConstants{constants.partials, constants.splits, at(op.out), first}, {}, rows_taken,
                     first + 1));
    }
    return {};
  }
  Status attend_plainly(const AttentionSpec& spec, const AttentionConstants& rows, const graph::AttentionOp& op,
                        std::uint64_t positions) {
    const std::vector<Binding> kv = {context_.kv.keys(op.layer), context_.kv.values(op.layer)};
    const std::uint64_t row_words = op.heads * positions;
    const auto most = static_cast<std::uint32_t>(
        std::clamp<std::uint64_t>(kPartialWords / std::max<std::uint64_t>(row_words, 1), 1, plan_.max_rows));
    AttentionPlainConstants constants{.q = rows.q,
                                      .scores = scratch(most * row_words),
                                      .stride = static_cast<std::uint32_t>(positions),
                                      .out = at(op.out),
                                      .group = rows.group,
                                      .blocks = rows.blocks,
                                      .scale = rows.scale,
                                      .softcap = rows.softcap,
                                      .window = rows.window,
                                      .sinks = rows.sinks,
                                      .sink_rope = rows.sink_rope,
                                      .first_row = 0};
    for (std::uint32_t first = 0; first < plan_.max_rows; first += most) {
      constants.first_row = first;
      for (const PlainPart part : {PlainPart::scores, PlainPart::softmax, PlainPart::values}) {
        Grid grid = attention_plain_grid(spec, part);
        grid[1].first = first;
        grid[1].most = most;
        WISP_CHECK(add(attention_plain_kernel(spec, part, info_), grid, constants,
                       part == PlainPart::softmax ? std::vector<Binding>() : kv, Extent::Of::rows, first + 1));
      }
    }
    return {};
  }
  Status attend_in_tiles(const AttentionSpec& spec, const AttentionConstants& rows, const graph::AttentionOp& op) {
    const std::uint32_t partials = scratch(attention_tile_partials(spec));
    const AttentionTileConstants constants{.q = rows.q,
                                           .out = at(op.out),
                                           .group = rows.group,
                                           .blocks = rows.blocks,
                                           .scale = rows.scale,
                                           .softcap = rows.softcap,
                                           .window = rows.window,
                                           .sinks = rows.sinks,
                                           .sink_rope = rows.sink_rope,
                                           .partials = partials};
    WISP_CHECK(add(attention_tile_kernel(spec, info_), attention_tile_grid(spec), constants,
                   {context_.kv.keys(op.layer), context_.kv.values(op.layer)}, Extent::Of::tiles, 1));
    return add(attention_tile_join_kernel(spec, info_), attention_tile_join_grid(spec),
               AttentionJoinConstants{.partials = partials, .out = at(op.out)}, {}, Extent::Of::tile_splits, 2);
  }

  // ---- matmul ----

  // One matrix of a matmul and where its product goes.
  struct Product {
    WeightId weight;
    WeightId bias;
    std::uint32_t out;  // [rows, weight.rows]
  };

  bool int8_for(std::span<const Product> products) const {
    if (!context_.int8 || !info_.features.packed_dot) return false;
    return std::ranges::all_of(products, [&](const Product& one) { return !is_float_type(weight(one.weight).type); });
  }

  struct Before {
    std::uint32_t x;  // [rows, columns]
    std::uint32_t columns;
    Extent::Of of;
    const graph::NormSpec* norm = nullptr;     // nullptr: none
    std::optional<std::uint32_t> normed = {};  // where x behind its norm is, once something wanted it
  };

  // A run of parts that share a dispatch.
  struct Piece {
    const Product* product;
    const MatrixPart* part;
  };

  Status multiply(Before& before, std::span<const Piece> pieces, bool gated, bool int8, graph::Activation activation,
                  std::uint32_t residual, bool has_residual) {
    MatMulSpec spec{.matrices = {},
                    .columns = weight(pieces.front().product->weight).columns,
                    .gated = gated,
                    .residual = has_residual,
                    .activation = activation};
    MatMulConstants constants{.x = before.x, .residual = residual, .row_set = row_set(before.of)};
    std::vector<Binding> bindings;
    for (std::size_t p = 0; p < pieces.size(); ++p) {
      const Product& product = *pieces[p].product;
      const MatrixPart& part = *pieces[p].part;
      const graph::Weight& matrix = weight(product.weight);
      spec.matrices.push_back({matrix.type, part.rows, product.bias != graph::kNoWeight});
      bindings.push_back(part.quants);
      if (!is_float_type(matrix.type)) bindings.push_back(part.scales);
      constants.out[p] = product.out + part.first_row;
      constants.width[p] = matrix.rows;
      constants.rows[p] = part.rows;
      constants.bias[p] = vector(product.bias) + part.first_row;
    }
    if (has_residual) constants.residual += pieces.front().part->first_row;

    spec.norm = before.norm != nullptr;
    const auto go = [&](const MatMulWay& way, std::uint32_t least) -> Status {
      MatMulSpec one = spec;
      MatMulConstants here = constants;
      one.int8 = way.int8;
      if (spec.norm && (way.norm_before || way.tiled)) {
        one.norm = false;
        WISP_TRY(here.x, normed(before));
      } else if (spec.norm) {
        here.norm = vector(before.norm->weight);
        here.eps = before.norm->eps;
      }
      const std::uint32_t last = least == 1 && varies(before.of) ? 1 : ~0u;
      if (way.tiled) {
        return add(matmul_kernel(one, info_), matmul_grid(one, before.of), here, bindings, before.of, least, last);
      }
      return add(matvec_kernel(one, way.shape, info_), matvec_grid(one, way.shape, before.of), here, bindings,
                 before.of, least, last);
    };
    std::uint64_t bytes = 0;
    for (const Binding& binding : bindings) bytes += binding.bytes;
    if (asking()) {
      if (varies(before.of)) ask(spec, int8, 1, bytes);
      ask(spec, int8, most_rows(before.of), bytes);
      return {};
    }
    program_.questions.resize(graph_.ops.size());
    std::string& asked = program_.questions[static_cast<std::size_t>(op_)];
    if (asked.empty()) asked = question_key({spec, row_class(most_rows(before.of)), int8});
    // A step is about as large as its plan, so one kernel does; of the rows with logits there may be one or many.
    if (varies(before.of)) WISP_CHECK(go(way_of(spec, int8, 1), 1));
    return go(way_of(spec, int8, most_rows(before.of)), varies(before.of) ? 2 : 1);
  }

  bool varies(Extent::Of of) const { return of == Extent::Of::logit_rows && most_rows(of) > 1; }

  // x behind its norm, as a dispatch of its own before the first product that wants it so.
  Result<std::uint32_t> normed(Before& before) {
    if (!before.normed) {
      const std::uint32_t columns = before.columns;
      before.normed = scratch(std::uint64_t{most_rows(before.of)} * columns);
      WISP_CHECK(add_norm(*before.norm, before.x, *before.normed, columns, before.of));
    }
    return *before.normed;
  }

  // ---- which way ----
  bool asking() const { return context_.questions != nullptr; }
  void ask(const MatMulSpec& spec, bool int8, std::uint32_t rows, std::uint64_t bytes) {
    const MatMulQuestion question{spec, row_class(rows), int8};
    context_.questions->try_emplace(question_key(question), question, 0).first->second.bytes += bytes;
  }
  MatMulWay way_of(const MatMulSpec& spec, bool int8, std::uint32_t rows) const {
    const MatMulQuestion question{spec, row_class(rows), int8};
    if (context_.choices != nullptr && !context_.deterministic) {
      const auto chosen = context_.choices->find(question_key(question));
      if (chosen != context_.choices->end()) return chosen->second;
    }
    if (!context_.deterministic || rows == 1) return matmul_ways(question, info_).front();
    MatMulSpec one = spec;
    one.int8 = int8;
    const std::uint32_t shared = std::bit_ceil(std::min(rows, matvec_rows(info_)));
    const std::vector<MatVecShape> shapes = matvec_shapes(one, shared, info_);
    return {.shape = shapes.empty() ? MatVecShape{shared, 4} : shapes.front(), .int8 = int8};
  }

  // Every product, in as few dispatches as bindings allow.
  Status multiply_each(Before& before, std::span<const Product> products, graph::Activation activation,
                       std::uint32_t residual, bool has_residual) {
    std::vector<Piece> pieces;
    const auto flush = [&]() -> Status {
      if (pieces.empty()) return {};
      std::vector<Product> used;
      for (const Piece& piece : pieces) used.push_back(*piece.product);
      const Status status = multiply(before, pieces, false, int8_for(used), activation, residual, has_residual);
      pieces.clear();
      return status;
    };
    for (const Product& product : products) {
      for (const MatrixPart& part : context_.weights.parts(product.weight)) {
        pieces.push_back({&product, &part});
        if (pieces.size() == kMostMatrices || has_residual) WISP_CHECK(flush());
      }
    }
    return flush();
  }

  Status multiply_gated(Before& before, std::span<const Product> products, graph::Activation activation,
                        std::uint32_t out, std::uint32_t columns) {
    const auto& gate = context_.weights.parts(products[0].weight);
    const auto& up = context_.weights.parts(products[1].weight);
    const bool both =
        gate.size() == up.size() && std::ranges::equal(gate, up, {}, &MatrixPart::rows, &MatrixPart::rows);
    if (both) {
      for (std::size_t i = 0; i < gate.size(); ++i) {
        const std::array pieces = {Piece{&products[0], &gate[i]}, Piece{&products[1], &up[i]}};
        WISP_CHECK(multiply(before, pieces, true, int8_for(products), activation, 0, false));
      }
      return {};
    }
    // Cut in different places: each alone, joined afterwards.
    WISP_CHECK(multiply_each(before, products.first(1), activation, 0, false));
    WISP_CHECK(multiply_each(before, products.last(1), graph::Activation::none, 0, false));
    if (asking()) return {};
    return add_elementwise(Elementwise::mul, {.a = products[0].out, .b = products[1].out, .out = out, .width = columns},
                           before.of);
  }

  Status lower(const MatMulOp& op) {
    const Extent::Of of = rows_of(op.in);
    const std::uint32_t columns = width(op.in);
    Before before{.x = at(op.in), .columns = columns, .of = of, .norm = op.norm ? &*op.norm : nullptr};
    // Norms of groups are not the products': they go before.
    if (op.norm && op.norm->group != columns) {
      if (!asking()) {
        WISP_TRY(before.x, normed(before));
      }
      before.norm = nullptr;
    }

    std::vector<Product> products;
    for (const Projection& projection : op.projections) {
      const bool own = projection.out != graph::kNoValue;
      products.push_back({projection.weight, projection.bias, own ? at(projection.out) : 0});
    }
    if (op.combine == Combine::gated) {
      const std::uint32_t rows = weight(op.projections[0].weight).rows;
      const auto& gate = context_.weights.parts(products[0].weight);
      const auto& up = context_.weights.parts(products[1].weight);
      const bool both =
          gate.size() == up.size() && std::ranges::equal(gate, up, {}, &MatrixPart::rows, &MatrixPart::rows);
      for (Product& product : products) {
        product.out = both ? at(op.out) : scratch(std::uint64_t{most_rows(of)} * rows);
      }
      return multiply_gated(before, products, op.activation, at(op.out), width(op.out));
    }
    for (std::size_t i = 0; i < products.size(); ++i) {
      if (op.projections[i].out != graph::kNoValue) continue;
      products[i].out = scratch(std::uint64_t{most_rows(of)} * weight(op.projections[i].weight).rows);
    }
    const bool has_residual = op.residual != graph::kNoValue;
    WISP_CHECK(multiply_each(before, products, op.activation, has_residual ? at(op.residual) : 0, has_residual));
    if (asking()) return {};
    return op.combine == Combine::qkv ? finish_qkv(op, products) : finish_heads(op, products);
  }

  // Query, key and value behind their projections, in one dispatch.
  Status finish_qkv(const MatMulOp& op, std::span<const Product> products) {
    const Projection& q = op.projections[0];
    const Projection& k = op.projections[1];
    const graph::KvLayer& layer = graph_.kv.layers[static_cast<std::size_t>(op.kv_layer)];
    HeadSpec spec{.heads = weight(q.weight).rows / layer.head_dim,
                  .kv_heads = layer.kv_heads,
                  .head_dim = layer.head_dim,
                  .q_norm = q.head_norm.has_value(),
                  .k_norm = k.head_norm.has_value(),
                  .q_rope = q.rope >= 0,
                  .k_rope = k.rope >= 0,
                  .kv_type = context_.kv.type()};
    set_rope(spec, std::max(q.rope, k.rope));
    HeadConstants constants = kv_constants(op.kv_layer);
    constants.q = products[0].out;
    constants.k = products[1].out;
    constants.v = products[2].out;
    constants.q_out = products[0].out;
    set_norm(q, constants.q_norm, constants.q_eps);
    set_norm(k, constants.k_norm, constants.k_eps);
    constants.rope = static_cast<std::uint32_t>(std::max({q.rope, k.rope, 0}));
    return add(head_kernel(spec, info_), head_grid(spec), constants,
               {context_.kv.keys(op.kv_layer), context_.kv.values(op.kv_layer)});
  }

  void set_norm(const Projection& projection, std::uint32_t& at_word, float& eps) const {
    if (!projection.head_norm) return;
    at_word = vector(projection.head_norm->weight);
    eps = projection.head_norm->eps;
  }

  // Head norm and RoPE of projections that keep their values, in place.
  Status finish_heads(const MatMulOp& op, std::span<const Product> products) {
    for (std::size_t i = 0; i < products.size(); ++i) {
      const Projection& projection = op.projections[i];
      if (!projection.head_norm && projection.rope < 0) continue;
      HeadSpec spec{.heads = weight(projection.weight).rows / projection.head_dim,
                    .head_dim = projection.head_dim,
                    .q_norm = projection.head_norm.has_value(),
                    .q_rope = projection.rope >= 0};
      set_rope(spec, projection.rope);
      HeadConstants constants{.q = products[i].out,
                              .q_out = products[i].out,
                              .rope = static_cast<std::uint32_t>(std::max(projection.rope, 0))};
      set_norm(projection, constants.q_norm, constants.q_eps);
      WISP_CHECK(add(head_kernel(spec, info_), head_grid(spec), constants, {}));
    }
    return {};
  }

  // ---- behind the last op ----
  Status choose_tokens() {
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

  const graph::Plan& plan_;
  const graph::Graph& graph_;
  const LowerContext& context_;
  const DeviceInfo& info_;
  Program program_;
  int op_ = 0;
  std::uint64_t values_at_ = 0, scratch_at_ = 0, next_scratch_ = 0, most_scratch_ = 0;  // words
};

}  // namespace

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
