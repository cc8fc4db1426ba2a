#include "graph/scalar_weights.h"

#include <algorithm>
#include <utility>

#include "quant/block_format.h"

namespace wisp::graph::scalar {

Status WeightStore::load(const Graph& graph, const gguf::File& file, const LoadProgress& progress) {
  file_ = &file;
  entries_ = std::vector<Entry>(graph.weights.size());
  for (std::size_t i = 0; i < graph.weights.size(); ++i) {
    const Weight& weight = graph.weights[i];
    gguf::ByteSource& source = *file.sources[static_cast<std::size_t>(file.tensors[weight.tensor].split)];
    const std::uint64_t offset = first_byte(weight, file);
    const bool in_place = !weight.use.matrix && !source.view(offset, row_bytes(weight)).empty();
    if (weight.use.matrix || (weight.use.table && !in_place)) {
      WISP_TRY(entries_[i].blocks, Buffer::allocate(weight.rows * row_bytes(weight), "weights"));
    }
    if (weight.use.table && !weight.use.matrix && !in_place) {
      WISP_CHECK(source.read(offset, entries_[i].blocks.bytes()));
    }
  }
  return for_each_weight_chunk(graph, file, progress, [&](const WeightChunk& chunk) -> Status {
    const Weight& weight = graph.weights[static_cast<std::size_t>(chunk.weight)];
    Entry& entry = entries_[static_cast<std::size_t>(chunk.weight)];
    if (weight.use.matrix) {
      std::ranges::copy(chunk.bytes, entry.blocks.data() + chunk.first_row * row_bytes(weight));
    }
    if (weight.use.vector) {
      entry.vector.resize(weight.columns);
      WISP_CHECK(quant::decode(weight.type, chunk.bytes, entry.vector));
    }
    return {};
  });
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
