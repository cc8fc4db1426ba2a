// Matrix products with what comes before and after them, in as few dispatches as bindings allow, each the tuner's way.
#include <algorithm>
#include <bit>

#include "gpu/lowering.h"
#include "gpu/weights/plane_layout.h"

namespace wisp::gpu {

bool Lowering::int8_for(std::span<const Product> products) const {
  if (!context_.rounding || !info_.features.packed_dot) return false;
  return std::ranges::all_of(products, [&](const Product& one) { return !is_float_type(weight(one.weight).type); });
}

Status Lowering::multiply(Before& before, std::span<const Piece> pieces, bool gated, bool int8,
                          graph::Activation activation, std::uint32_t residual, bool has_residual) {
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
    if (spec.norm && way.norm_apart()) {
      one.norm = false;
      WISP_TRY(here.x, normed(before));
    } else if (spec.norm) {
      here.norm = vector(before.norm->weight);
      here.eps = before.norm->eps;
    }
    if (way.rounded()) {
      WISP_TRY(here.x, rounded(before, way.halves()));
    }
    const std::uint32_t last = least == 1 && varies(before.of) ? 1 : ~0u;
    return add(matmul_kernel(one, way, info_), matmul_grid(one, way, before.of), here, bindings, before.of, least,
               last);
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
  if (asked.empty()) asked = question_key(question(spec, int8, most_rows(before.of)));
  // A step is about as large as its plan, so one kernel does; of the rows with logits there may be one or many.
  if (varies(before.of)) WISP_CHECK(go(way_of(spec, int8, 1), 1));
  return go(way_of(spec, int8, most_rows(before.of)), varies(before.of) ? 2 : 1);
}

bool Lowering::varies(Extent::Of of) const { return of == Extent::Of::logit_rows && most_rows(of) > 1; }

// x behind its norm, as a dispatch of its own before the first product that wants it so.
Result<std::uint32_t> Lowering::normed(Before& before) {
  if (!before.normed) {
    const std::uint32_t columns = before.columns;
    before.normed = scratch(std::uint64_t{most_rows(before.of)} * columns);
    WISP_CHECK(add_norm(*before.norm, before.x, *before.normed, columns, before.of));
  }
  return *before.normed;
}

// What came before, rounded, likewise.
Result<std::uint32_t> Lowering::rounded(Before& before, bool halves) {
  std::optional<std::uint32_t>& known = before.rounded[halves ? 1 : 0];
  if (!known) {
    std::uint32_t x = before.x;
    if (before.norm != nullptr) {
      WISP_TRY(x, normed(before));
    }
    known = scratch(rounded_words(most_rows(before.of), before.columns, halves));
    const RoundConstants constants{.x = x, .out = *known, .row_set = row_set(before.of)};
    WISP_CHECK(add(round_kernel(before.columns, halves, info_), round_grid(before.of), constants, {}, before.of));
  }
  return *known;
}

// ---- which way ----
bool Lowering::asking() const { return context_.questions != nullptr; }

MatMulQuestion Lowering::question(const MatMulSpec& spec, bool int8, std::uint32_t rows) const {
  return {spec, row_class(rows), int8, context_.rounding && info_.features.shader_f16 && fits_halves(spec)};
}

void Lowering::ask(const MatMulSpec& spec, bool int8, std::uint32_t rows, std::uint64_t bytes) {
  const MatMulQuestion asked = question(spec, int8, rows);
  const auto request = [asked, &info = info_](double importance) { return tuning_request(asked, importance, info); };
  context_.questions->try_emplace(question_key(asked), request, asked.rows, 0).first->second.bytes += bytes;
}

MatMulWay Lowering::way_of(const MatMulSpec& spec, bool int8, std::uint32_t rows) const {
  const MatMulQuestion asked = question(spec, int8, rows);
  if (context_.choices != nullptr && !context_.deterministic) {
    const auto chosen = context_.choices->find(question_key(asked));
    if (chosen != context_.choices->end()) {
      for (const MatMulWay& way : matmul_ways(asked, info_)) {
        if (way_name(way) == chosen->second) return way;
      }
    }
  }
  if (!context_.deterministic || rows == 1) return matmul_ways(asked, info_).front();
  MatMulSpec one = spec;
  one.int8 = int8;
  const std::uint32_t shared = std::bit_ceil(std::min(rows, matvec_rows(info_)));
  const std::vector<MatVecShape> shapes = matvec_shapes(one, shared, info_);
  return {.shape = shapes.empty() ? MatVecShape{shared, 4} : shapes.front(), .int8 = int8};
}

// Every product, in as few dispatches as bindings allow.
Status Lowering::multiply_each(Before& before, std::span<const Product> products, graph::Activation activation,
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

Status Lowering::multiply_gated(Before& before, std::span<const Product> products, graph::Activation activation,
                                std::uint32_t out, std::uint32_t columns) {
  const auto& gate = context_.weights.parts(products[0].weight);
  const auto& up = context_.weights.parts(products[1].weight);
  const bool both = gate.size() == up.size() && std::ranges::equal(gate, up, {}, &MatrixPart::rows, &MatrixPart::rows);
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

Status Lowering::lower(const MatMulOp& op) {
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
Status Lowering::finish_qkv(const MatMulOp& op, std::span<const Product> products) {
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
                .kv_type = context_.kv.type(),
                .keys = context_.kv.key_order()};
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

void Lowering::set_norm(const Projection& projection, std::uint32_t& at_word, float& eps) const {
  if (!projection.head_norm) return;
  at_word = vector(projection.head_norm->weight);
  eps = projection.head_norm->eps;
}

// Head norm and RoPE of projections that keep their values, in place.
Status Lowering::finish_heads(const MatMulOp& op, std::span<const Product> products) {
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

}  // namespace wisp::gpu
