#include "graph/weight_stream.h"

#include <algorithm>
#include <tuple>
#include <utility>

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

WeightStream::WeightStream(const Graph& graph, const gguf::File& file, std::vector<WeightId> wanted)
    : graph_(&graph), file_(&file), order_(std::move(wanted)) {
  for (std::size_t place = 0; place < order_.size(); ++place) {
    const Weight& one = weight(place);
    total_ += one.rows * row_bytes(one);
    largest_ = std::max(largest_, std::min(one.rows, rows_in_chunk(row_bytes(one))) * row_bytes(one));
  }
  std::ranges::sort(order_, {}, [&](WeightId id) {
    const Weight& one = graph.weights[static_cast<std::size_t>(id)];
    return std::tuple(split_of(one), first_byte(one, file));
  });
}

Result<std::optional<WeightChunk>> WeightStream::next() {
  if (finished()) return std::optional<WeightChunk>();
  const Weight& one = weight(at_);
  gguf::ByteSource& source = *file_->sources[static_cast<std::size_t>(split_of(one))];
  const std::uint64_t bytes_per_row = row_bytes(one);
  if (row_ == 0) source.will_need(first_byte(one, *file_), one.rows * bytes_per_row);
  const std::uint32_t rows = std::min(rows_in_chunk(bytes_per_row), one.rows - row_);
  const std::uint64_t offset = first_byte(one, *file_) + row_ * bytes_per_row;
  const std::uint64_t bytes = rows * bytes_per_row;
  std::span<const std::byte> piece = source.view(offset, bytes);
  if (piece.empty()) {
    if (buffer_.size() == 0) {
      WISP_TRY(buffer_, Buffer::allocate(largest_, "weight loading"));
    }
    const std::span<std::byte> room = buffer_.bytes().first(static_cast<std::size_t>(bytes));
    WISP_CHECK(source.read(offset, room));
    piece = room;
  }
  const WeightChunk chunk{order_[at_], row_, rows, piece};
  done_ += bytes;
  row_ += rows;
  if (row_ == one.rows) {
    ++at_;
    row_ = 0;
  }
  const bool last_of_source = finished() || (row_ == 0 && split_of(weight(at_)) != split_of(one));
  source.taken_before(last_of_source ? source.size() : offset + bytes);
  return std::optional(chunk);
}

Result<LoadState> WeightStream::give(const std::function<Status(const WeightChunk&)>& take) {
  for (std::uint64_t given = 0; given < kChunkBytes;) {
    const Result<std::optional<WeightChunk>> chunk = next();
    if (!chunk && chunk.error().code == Code::need_more_data) return LoadState::wants_data;
    if (!chunk) return std::unexpected(chunk.error());
    if (!*chunk) break;
    WISP_CHECK(take(**chunk));
    given += (*chunk)->bytes.size();
  }
  if (!finished()) return LoadState::more;
  buffer_ = {};
  return LoadState::done;
}

std::vector<FileRange> WeightStream::rest() const {
  std::vector<FileRange> ranges;
  for (std::size_t place = at_; place < order_.size(); ++place) {
    const Weight& one = weight(place);
    const std::uint32_t row = place == at_ ? row_ : 0;
    const FileRange range{split_of(one), first_byte(one, *file_) + row * row_bytes(one),
                          (one.rows - row) * row_bytes(one)};
    if (!ranges.empty() && ranges.back().split == range.split &&
        ranges.back().offset + ranges.back().bytes == range.offset) {
      ranges.back().bytes += range.bytes;
    } else {
      ranges.push_back(range);
    }
  }
  return ranges;
}

}  // namespace wisp::graph
