// The one way weights are read: what the graph uses, in file order, in bounded pieces of whole rows, as they are asked
// for. What it does not use is never touched. Executors put the pieces into layouts of their own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/memory.h"
#include "base/result.h"
#include "gguf/reader.h"
#include "graph/graph.h"

namespace wisp::graph {

// A piece holds whole rows, a multiple of kChunkRows of them except at a weight's end, and at most kChunkBytes where
// kChunkRows rows fit that.
inline constexpr std::uint32_t kChunkRows = 16;
inline constexpr std::uint64_t kChunkBytes = std::uint64_t{8} << 20;

// Rows [first_row, first_row + rows) of a weight in the file's own format.
struct WeightChunk {
  WeightId weight;
  std::uint32_t first_row;
  std::uint32_t rows;
  std::span<const std::byte> bytes;
};

// Bytes [offset, offset + bytes) of a file's source.
struct FileRange {
  int split = 0;
  std::uint64_t offset = 0, bytes = 0;
};

// Bytes of one row of a weight as the file has it.
std::uint64_t row_bytes(const Weight& weight);
// Where its rows start in the tensor's source.
std::uint64_t first_byte(const Weight& weight, const gguf::File& file);

// Where loading stands.
enum class LoadState : std::uint8_t {
  done,
  more,        // there is more to do at once
  waits,       // for a device
  wants_data,  // the file's source has not got the next bytes yet
};

class WeightStream {
 public:
  WeightStream() = default;  // of nothing
  // Hands out `wanted` weights. Graph and file must outlive it.
  WeightStream(const Graph& graph, const gguf::File& file, std::vector<WeightId> wanted);

  // The next piece; nothing at the end. Its bytes live until the next call. After an error (Code::need_more_data where
  // the source lacks bytes) the same piece is next.
  Result<std::optional<WeightChunk>> next();
  // Gives about kChunkBytes to `take`, and stops at its first error.
  Result<LoadState> give(const std::function<Status(const WeightChunk&)>& take);

  [[nodiscard]] bool finished() const { return at_ == order_.size(); }
  [[nodiscard]] std::uint64_t bytes_done() const { return done_; }
  [[nodiscard]] std::uint64_t bytes_total() const { return total_; }
  // What next() has still to read, in its order; neighbours are one range.
  [[nodiscard]] std::vector<FileRange> rest() const;

 private:
  [[nodiscard]] const Weight& weight(std::size_t place) const {
    return graph_->weights[static_cast<std::size_t>(order_[place])];
  }
  [[nodiscard]] int split_of(const Weight& weight) const { return file_->tensors[weight.tensor].split; }

  const Graph* graph_ = nullptr;
  const gguf::File* file_ = nullptr;
  std::vector<WeightId> order_;
  std::size_t at_ = 0;     // in order_
  std::uint32_t row_ = 0;  // of that weight
  std::uint64_t done_ = 0, total_ = 0;
  std::uint64_t largest_ = 0;  // bytes of a chunk
  Buffer buffer_;              // for sources that have nothing to view
};

// The weights of a graph that hold for `use`.
template <class Predicate>
std::vector<WeightId> weights_where(const Graph& graph, Predicate&& use) {
  std::vector<WeightId> ids;
  for (std::size_t i = 0; i < graph.weights.size(); ++i) {
    if (use(graph.weights[i])) ids.push_back(WeightId{static_cast<std::int32_t>(i)});
  }
  return ids;
}

}  // namespace wisp::graph
