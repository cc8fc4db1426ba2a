#include "graph/scalar_weights.h"

#include <algorithm>
#include <utility>

#include "quant/block_format.h"

namespace wisp::graph::scalar {

Status WeightStore::begin(const Graph& graph, const gguf::File& file) {
  graph_ = &graph;
  file_ = &file;
  entries_ = std::vector<Entry>(graph.weights.size());
  for (std::size_t i = 0; i < graph.weights.size(); ++i) {
    const Weight& weight = graph.weights[i];
    gguf::ByteSource& source = *file.sources[static_cast<std::size_t>(file.tensors[weight.tensor].split)];
    const bool in_place =
        !weight.use.matrix && !source.view(first_byte(weight, file), row_bytes(weight) * weight.rows).empty();
    if (weight.use.matrix || (weight.use.table && !in_place)) {
      WISP_TRY(entries_[i].blocks, Buffer::allocate(weight.rows * row_bytes(weight), "weights"));
    }
    if (weight.use.vector) entries_[i].vector.resize(std::size_t{weight.columns} * weight.rows);
  }
  std::vector<WeightId> wanted = weights_where(graph, [](const Weight&) { return true; });
  std::erase_if(wanted, [&](WeightId id) {
    const Entry& entry = entries_[static_cast<std::size_t>(id)];
    return entry.blocks.size() == 0 && entry.vector.empty();
  });
  stream_ = WeightStream(graph, file, std::move(wanted));
  return {};
}

Result<LoadState> WeightStore::load_more() {
  return stream_.give([this](const WeightChunk& chunk) { return take(chunk); });
}

Status WeightStore::take(const WeightChunk& chunk) {
  const Weight& weight = graph_->weights[static_cast<std::size_t>(chunk.weight)];
  Entry& entry = entries_[static_cast<std::size_t>(chunk.weight)];
  if (entry.blocks.size() != 0) {
    std::ranges::copy(chunk.bytes, entry.blocks.data() + chunk.first_row * row_bytes(weight));
  }
  if (entry.vector.empty()) return {};
  const std::span<float> vector = entry.vector;
  return quant::decode(
      weight.type, chunk.bytes,
      vector.subspan(std::size_t{chunk.first_row} * weight.columns, std::size_t{chunk.rows} * weight.columns));
}

std::span<const std::byte> WeightStore::matrix(WeightId id) const {
  return entries_[static_cast<std::size_t>(id)].blocks.bytes();
}

std::span<const float> WeightStore::vector(WeightId id) const { return entries_[static_cast<std::size_t>(id)].vector; }

Status WeightStore::gather(const Weight& weight, WeightId id, std::uint32_t row, std::span<float> out) const {
  const auto bytes = static_cast<std::size_t>(row_bytes(weight));
  const Buffer& blocks = entries_[static_cast<std::size_t>(id)].blocks;
  if (blocks.size() != 0) return quant::decode(weight.type, blocks.bytes().subspan(row * bytes, bytes), out);
  gguf::ByteSource& source = *file_->sources[static_cast<std::size_t>(file_->tensors[weight.tensor].split)];
  return quant::decode(weight.type, source.view(first_byte(weight, *file_) + row * bytes, bytes), out);
}

std::uint64_t WeightStore::bytes() const {
  std::uint64_t total = 0;
  for (const Entry& entry : entries_) total += entry.blocks.size() + entry.vector.size() * sizeof(float);
  return total;
}

}  // namespace wisp::graph::scalar
