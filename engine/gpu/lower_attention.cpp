// Attention: which rows go in tiles, which in splits, and where their partial results lie.
#include <algorithm>

#include "gpu/lowering.h"
#include "gpu/step_buffer.h"

namespace wisp::gpu {
namespace {

// Partial results of attention at a time; beyond, rows take turns.
constexpr std::uint64_t kPartialWords = (std::uint64_t{32} << 20) / 4;

}  // namespace

namespace {

AttentionSpec spec_of(const graph::AttentionOp& op, const graph::Graph& graph, const KvPool& kv) {
  const graph::KvLayer& layer = graph.kv.layers[static_cast<std::size_t>(op.layer)];
  return {.kv_heads = layer.kv_heads,
          .queries = op.heads / layer.kv_heads,
          .head_dim = layer.head_dim,
          .kv_type = kv.type(),
          .keys = kv.key_order(),
          .softcap = op.softcap != 0.0f,
          .sinks = graph.kv.groups[static_cast<std::size_t>(layer.group)].sinks > 0};
}

std::optional<AttentionWay> chosen_way(const AttentionSpec& spec, const Choices& choices) {
  const auto chosen = choices.find(attention_key(spec));
  if (chosen == choices.end()) return std::nullopt;
  for (const AttentionWay& way : kAttentionWays) {
    if (way_name(way) == chosen->second) return way;
  }
  return std::nullopt;
}

}  // namespace

KeyOrder chosen_key_order(const graph::Plan& plan, const LowerContext& context) {
  int by_position = 0;  // layers for it, less those against it
  for (const graph::Op& op : plan.graph->ops) {
    const auto* attention = std::get_if<graph::AttentionOp>(&op);
    if (attention == nullptr || context.choices == nullptr || context.deterministic) continue;
    const auto way = chosen_way(spec_of(*attention, *plan.graph, context.kv), *context.choices);
    if (way) by_position += way->keys == KeyOrder::by_position ? 1 : -1;
  }
  return by_position > 0 ? KeyOrder::by_position : KeyOrder::by_word;
}

Status Lowering::lower(const graph::AttentionOp& op) {
  const graph::KvLayer& layer = graph_.kv.layers[static_cast<std::size_t>(op.layer)];
  const graph::KvGroup& group = graph_.kv.groups[static_cast<std::size_t>(layer.group)];
  AttentionSpec spec = spec_of(op, graph_, context_.kv);
  AttentionInput input{.q = at(op.q),
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
    input.sink_rope = context_.step.sink_table(layer.group, op.rope);
  }
  // A row's bits depend on which kernel it goes by.
  spec.listed = !context_.deterministic;
  if (asking()) {
    ask(spec);
    return {};
  }
  // The longest text that the pool can hold decides how many splits a row may have.
  const std::uint64_t positions = std::uint64_t{input.blocks} * graph::kKvBlock;
  if (path_of(spec) == AttentionPath::plain) return attend_plainly(spec, input, op, positions);
  if (spec.listed && plan_.max_rows >= kLeastTile) WISP_CHECK(attend_in_tiles(spec, input, op));
  AttentionConstants constants{.input = input};
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

void Lowering::ask(const AttentionSpec& spec) {
  // Sinks are seldom, and their second query weighs on all ways alike.
  if (spec.sinks) return;
  const auto request = [spec, &info = info_](double importance) { return attention_request(spec, importance, info); };
  const graph::KvLayer layer{0, spec.kv_heads, spec.head_dim};
  const std::uint64_t bytes = 2 * 4 * (kTuningPositions / graph::kKvBlock) * kv_block_words(spec.kv_type, layer);
  context_.questions->try_emplace(attention_key(spec), request, 1, 0).first->second.bytes += bytes;
}

// The tuner is asked about single rows. For many the plain path costs scratch that the others do not.
AttentionPath Lowering::path_of(const AttentionSpec& spec) const {
  if (context_.attention == AttentionPath::plain) return AttentionPath::plain;
  if (context_.choices == nullptr || context_.deterministic || plan_.max_rows >= kLeastTile)
    return AttentionPath::flash;
  return chosen_way(spec, *context_.choices).value_or(AttentionWay{}).path;
}

Status Lowering::attend_plainly(const AttentionSpec& spec, const AttentionInput& input, const graph::AttentionOp& op,
                                std::uint64_t positions) {
  const std::vector<Binding> kv = {context_.kv.keys(op.layer), context_.kv.values(op.layer)};
  const std::uint64_t row_words = op.heads * positions;
  const auto most = static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(kPartialWords / std::max<std::uint64_t>(row_words, 1), 1, plan_.max_rows));
  AttentionPlainConstants constants{.input = input,
                                    .scores = scratch(most * row_words),
                                    .stride = static_cast<std::uint32_t>(positions),
                                    .out = at(op.out),
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

Status Lowering::attend_in_tiles(const AttentionSpec& spec, const AttentionInput& input, const graph::AttentionOp& op) {
  const std::uint32_t partials = scratch(attention_tile_partials(spec));
  const AttentionTileConstants constants{.input = input, .out = at(op.out), .partials = partials};
  WISP_CHECK(add(attention_tile_kernel(spec, info_), attention_tile_grid(spec), constants,
                 {context_.kv.keys(op.layer), context_.kv.values(op.layer)}, Extent::Of::tiles, 1));
  return add(attention_tile_join_kernel(spec, info_), attention_tile_join_grid(spec),
             AttentionJoinConstants{.partials = partials, .out = at(op.out)}, {}, Extent::Of::tile_splits, 2);
}

}  // namespace wisp::gpu
