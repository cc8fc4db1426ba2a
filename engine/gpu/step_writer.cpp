#include "gpu/step_writer.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/checked.h"
#include "gpu/kernels/attention.h"
#include "gpu/step_buffer.h"
#include "graph/step_check.h"

namespace wisp::gpu {
namespace {

constexpr std::size_t word(StepWord one) { return static_cast<std::size_t>(one); }

}  // namespace

void StepWriter::prepare(const graph::Graph& graph) {
  ropes_ = graph.ropes.size();
  sink_ropes_.clear();
  for (const graph::Op& op : graph.ops) {
    const auto* attention = std::get_if<graph::AttentionOp>(&op);
    if (attention == nullptr || attention->rope < 0) continue;
    const int group = graph.kv.layers[static_cast<std::size_t>(attention->layer)].group;
    if (graph.kv.groups[static_cast<std::size_t>(group)].sinks == 0) continue;
    const auto same = [&](const SinkRope& one) { return one.group == group && one.rope == attention->rope; };
    if (std::ranges::none_of(sink_ropes_, same)) sink_ropes_.push_back({group, attention->rope});
  }
}

std::uint32_t StepWriter::sink_table(int group, int rope) const {
  for (std::size_t i = 0; i < sink_ropes_.size(); ++i) {
    if (sink_ropes_[i].group == group && sink_ropes_[i].rope == rope) return static_cast<std::uint32_t>(ropes_ + i);
  }
  return 0;
}

// The array that follows belongs to this word of the header.
void StepWriter::begin(std::size_t header_word) { words_[header_word] = static_cast<std::uint32_t>(words_.size()); }

std::span<const std::uint32_t> StepWriter::write(const graph::Graph& graph, const graph::StepInputs& step,
                                                 std::span<const graph::DeviceSample> samples, SlotRing& slots) {
  words_.assign(word(StepWord::kWords), 0);
  std::int32_t last = 0;
  for (const std::int32_t position : step.positions) last = std::max(last, position);
  counts_ = {.rows = static_cast<std::uint32_t>(step.tokens.size()),
             .logit_rows = static_cast<std::uint32_t>(step.logit_rows.size()),
             .splits = static_cast<std::uint32_t>(last) / kSplit + 1};
  words_[word(StepWord::rows)] = counts_.rows;
  words_[word(StepWord::logit_rows)] = counts_.logit_rows;
  words_[word(StepWord::sequences)] = step.n_sequences;
  begin(word(StepWord::tokens));
  for (const std::int32_t token : step.tokens) {
    // A slot, by where its last token lies: before this step's own samples.
    put(token >= 0 ? token : -1 - static_cast<std::int32_t>(slots.last(static_cast<std::uint32_t>(-1 - token))));
  }
  begin(word(StepWord::positions));
  for (const std::int32_t position : step.positions) put(position);
  begin(word(StepWord::row_sequence));
  for (const std::int32_t sequence : step.sequences) put(sequence);
  begin(word(StepWord::logit_row));
  for (const std::int32_t row : step.logit_rows) put(row);
  put_tables(graph, step);
  put_tiles(step);
  put_ropes(graph, step);
  begin(word(StepWord::samples));
  samples_.write(samples, graph.vocabulary, slots, words_, counts_);
  return words_;
}

void StepWriter::put_tables(const graph::Graph& graph, const graph::StepInputs& step) {
  std::size_t stride = 1;
  for (const std::span<const std::int32_t> table : step.tables) stride = std::max(stride, table.size());
  words_[word(StepWord::table_stride)] = static_cast<std::uint32_t>(stride);
  begin(word(StepWord::tables));
  const std::size_t starts = words_.size();
  words_.resize(starts + graph.kv.groups.size());
  for (std::size_t g = 0; g < graph.kv.groups.size(); ++g) {
    words_[starts + g] = static_cast<std::uint32_t>(words_.size());
    for (std::uint32_t s = 0; s < step.n_sequences; ++s) {
      const std::span<const std::int32_t> table = step.tables[g * step.n_sequences + s];
      for (const std::int32_t block : table) put(block);
      words_.resize(words_.size() + stride - table.size(), ~0u);
    }
  }
}

void StepWriter::put_tiles(const graph::StepInputs& step) {
  lone_rows_.clear();
  begin(word(StepWord::tiles));
  const std::size_t rows = step.positions.size();
  std::uint32_t blocks = 0;  // of the longest text
  for (std::size_t first = 0, end = 0; first < rows; first = end) {
    for (end = first + 1; end < rows && end - first < kQueryTile; ++end) {
      if (step.sequences[end] != step.sequences[first] || step.positions[end] != step.positions[end - 1] + 1) break;
    }
    if (end - first >= kLeastTile) {
      words_.push_back(static_cast<std::uint32_t>(first));
      words_.push_back(static_cast<std::uint32_t>(end - first));
      ++counts_.tiles;
      blocks = std::max(blocks, static_cast<std::uint32_t>(step.positions[end - 1]) / graph::kKvBlock + 1);
    } else {
      for (std::size_t row = first; row < end; ++row) lone_rows_.push_back(static_cast<std::uint32_t>(row));
    }
  }
  words_[word(StepWord::query_tiles)] = counts_.tiles;
  if (counts_.tiles > 0) {
    counts_.tile_splits = std::clamp(kTileParts / counts_.tiles, 1u, div_up(blocks, kLeastTileBlocks));
  }
  words_[word(StepWord::tile_splits)] = counts_.tile_splits;
  begin(word(StepWord::lone));
  words_.insert(words_.end(), lone_rows_.begin(), lone_rows_.end());
  counts_.lone_rows = static_cast<std::uint32_t>(lone_rows_.size());
  words_[word(StepWord::lone_rows)] = counts_.lone_rows;
}

// Angles in double: a float's 24 bits would already be coarse at position 10,000.
void StepWriter::put_ropes(const graph::Graph& graph, const graph::StepInputs& step) {
  begin(word(StepWord::ropes));
  const std::size_t starts = words_.size();
  words_.resize(starts + ropes_ + sink_ropes_.size());
  const auto put_row = [&](const graph::RopeSpec& spec, double position, float magnitude) {
    for (const double frequency : spec.inverse_frequency) {
      words_.push_back(std::bit_cast<std::uint32_t>(static_cast<float>(std::cos(position * frequency)) * magnitude));
    }
    for (const double frequency : spec.inverse_frequency) {
      words_.push_back(std::bit_cast<std::uint32_t>(static_cast<float>(std::sin(position * frequency)) * magnitude));
    }
  };
  for (std::size_t i = 0; i < ropes_; ++i) {
    words_[starts + i] = static_cast<std::uint32_t>(words_.size());
    for (const std::int32_t position : step.positions) put_row(graph.ropes[i], position, graph.ropes[i].magnitude);
  }
  for (std::size_t i = 0; i < sink_ropes_.size(); ++i) {
    words_[starts + ropes_ + i] = static_cast<std::uint32_t>(words_.size());
    const graph::KvGroup& group = graph.kv.groups[static_cast<std::size_t>(sink_ropes_[i].group)];
    for (const std::int32_t position : step.positions) {
      const std::int64_t begin_visible = graph::visible_window(group, position).begin;
      const std::int64_t gap = begin_visible - std::min<std::int64_t>(group.sinks, begin_visible);
      put_row(graph.ropes[static_cast<std::size_t>(sink_ropes_[i].rope)], static_cast<double>(-gap), 1.0f);
    }
  }
}

}  // namespace wisp::gpu
