#include "graph/weight_stream.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include "base/memory.h"

namespace wisp::graph {
namespace {

std::uint32_t rows_in_chunk(std::uint64_t bytes_per_row) {
  const std::uint64_t rows = kChunkBytes / std::max<std::uint64_t>(bytes_per_row, 1) / kChunkRows * kChunkRows;
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(rows, kChunkRows));
}

}  // namespace

std::uint64_t row_bytes(const Weight& weight) {
  const gguf::TensorTypeInfo& type = gguf::tensor_type_info(weight.type);
  return std::uint64_t{weight.columns} / type.block_elements * type.block_bytes;
}

std::uint64_t first_byte(const Weight& weight, const gguf::File& file) {
  const gguf::TensorTypeInfo& type = gguf::tensor_type_info(weight.type);
  return file.tensors[weight.tensor].offset + weight.first_element / type.block_elements * type.block_bytes;
}

Status for_each_weight_chunk(const Graph& graph, const gguf::File& file, const LoadProgress& progress,
                             const std::function<Status(const WeightChunk&)>& take) {
  std::vector<WeightId> order;
  std::uint64_t total = 0;
  std::uint64_t largest = 0;  // bytes of a chunk
  for (std::size_t i = 0; i < graph.weights.size(); ++i) {
    const Weight& weight = graph.weights[i];
    if (!weight.use.matrix && !weight.use.vector) continue;
    order.push_back(WeightId{static_cast<std::int32_t>(i)});
    total += weight.rows * row_bytes(weight);
    largest = std::max(largest, std::min(weight.rows, rows_in_chunk(row_bytes(weight))) * row_bytes(weight));
  }
  std::ranges::sort(order, {}, [&](WeightId id) {
    const Weight& weight = graph.weights[static_cast<std::size_t>(id)];
    return std::tuple(file.tensors[weight.tensor].split, first_byte(weight, file));
  });

  Buffer buffer;  // for sources that have nothing to view
  std::uint64_t done = 0;
  for (const WeightId id : order) {
    const Weight& weight = graph.weights[static_cast<std::size_t>(id)];
    gguf::ByteSource& source = *file.sources[static_cast<std::size_t>(file.tensors[weight.tensor].split)];
    const std::uint64_t bytes_per_row = row_bytes(weight);
    const std::uint32_t step = rows_in_chunk(bytes_per_row);
    source.will_need(first_byte(weight, file), weight.rows * bytes_per_row);
    for (std::uint32_t row = 0; row < weight.rows;) {
      const std::uint32_t rows = std::min(step, weight.rows - row);
      const std::uint64_t offset = first_byte(weight, file) + row * bytes_per_row;
      const std::uint64_t bytes = rows * bytes_per_row;
      std::span<const std::byte> piece = source.view(offset, bytes);
      if (piece.empty()) {
        if (buffer.size() == 0) {
          WISP_TRY(buffer, Buffer::allocate(largest, "weight loading"));
        }
        const std::span<std::byte> room = buffer.bytes().first(static_cast<std::size_t>(bytes));
        WISP_CHECK(source.read(offset, room));
        piece = room;
      }
      WISP_CHECK(take({id, row, rows, piece}));
      done += bytes;
      row += rows;
      if (progress && !progress(done, total)) return fail(Code::cancelled, "loading was cancelled");
    }
  }
  return {};
}

}  // namespace wisp::graph
