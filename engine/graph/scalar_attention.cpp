#include "graph/scalar_attention.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "graph/scalar_ops.h"
#include "graph/step_check.h"

namespace wisp::graph::scalar {
namespace {

constexpr std::int64_t kBlock = kKvBlock;

// One head of one row on its way through the blocks.
struct Head {
  const AttentionOp& op;
  const KvStore& kv;
  std::span<const std::int32_t> table;
  std::uint32_t kv_head;
  std::span<float> entry;
  std::span<float> sums;
  float maximum = -std::numeric_limits<float>::infinity();
  float denominator = 0.0f;

  // Takes in the visible positions [begin, end) of one block.
  void add_block(std::int64_t begin, std::int64_t end, std::span<const float> q) {
    const std::int32_t block = table[static_cast<std::size_t>(begin / kBlock)];
    std::array<float, kKvBlock> scores;
    float block_maximum = -std::numeric_limits<float>::infinity();
    for (std::int64_t p = begin; p < end; ++p) {
      kv.read(op.layer, KvPart::key, block, static_cast<std::uint32_t>(p % kBlock), kv_head, entry);
      float score = 0.0f;
      for (std::size_t i = 0; i < q.size(); ++i) score = std::fma(q[i], entry[i], score);
      if (op.softcap != 0.0f) score = softcap(score, op.softcap);
      scores[static_cast<std::size_t>(p - begin)] = score;
      block_maximum = std::max(block_maximum, score);
    }
    if (block_maximum > maximum) {
      const float shrink = denominator > 0.0f ? std::exp(maximum - block_maximum) : 0.0f;
      for (float& sum : sums) sum *= shrink;
      denominator *= shrink;
      maximum = block_maximum;
    }
    for (std::int64_t p = begin; p < end; ++p) {
      const float weight = std::exp(scores[static_cast<std::size_t>(p - begin)] - maximum);
      denominator += weight;
      kv.read(op.layer, KvPart::value, block, static_cast<std::uint32_t>(p % kBlock), kv_head, entry);
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] = std::fma(weight, entry[i], sums[i]);
    }
  }

  void add_range(std::int64_t begin, std::int64_t end, std::span<const float> q) {
    while (begin < end) {
      const std::int64_t block_end = std::min(end, (begin / kBlock + 1) * kBlock);
      add_block(begin, block_end, q);
      begin = block_end;
    }
  }
};

}  // namespace

void attend(const AttentionOp& op, const Graph& graph, const KvStore& kv, std::int32_t position,
            std::span<const std::int32_t> table, std::span<const float> q, std::span<float> out,
            AttentionScratch& scratch) {
  const KvLayer& layer = graph.kv.layers[static_cast<std::size_t>(op.layer)];
  const KvGroup& group = graph.kv.groups[static_cast<std::size_t>(layer.group)];
  const std::size_t head_dim = layer.head_dim;
  const VisibleWindow window = visible_window(group, position);
  const std::int64_t sinks = std::min<std::int64_t>(group.sinks, window.begin);
  // Positions between the sinks and the window: how much closer the sinks are moved.
  const std::int64_t gap = sinks == 0 ? 0 : window.begin - sinks;

  scratch.entry.resize(head_dim);
  for (std::uint32_t h = 0; h < op.heads; ++h) {
    const std::span<const float> head_q = q.subspan(h * head_dim, head_dim);
    scratch.q.assign(head_q.begin(), head_q.end());
    for (float& x : scratch.q) x *= op.scale;
    scratch.q_sink = scratch.q;
    if (gap != 0 && op.rope >= 0) {
      rope(graph.ropes[static_cast<std::size_t>(op.rope)], -gap, 1.0f, layer.head_dim, scratch.q_sink);
    }
    scratch.sums.assign(head_dim, 0.0f);
    Head head{op, kv, table, h / (op.heads / layer.kv_heads), scratch.entry, scratch.sums};
    if (gap != 0) head.add_range(0, sinks, scratch.q_sink);
    head.add_range(window.begin - (gap == 0 ? sinks : 0), window.end, scratch.q);
    for (std::size_t i = 0; i < head_dim; ++i) out[h * head_dim + i] = scratch.sums[i] / head.denominator;
  }
}

}  // namespace wisp::graph::scalar
