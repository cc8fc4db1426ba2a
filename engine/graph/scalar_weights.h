// The reference's weights: raw GGUF blocks of the matrices, f32 vectors, and tables gathered from the file.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/memory.h"
#include "base/result.h"
#include "graph/weight_stream.h"

namespace wisp::graph::scalar {

class WeightStore {
 public:
  // As Executor::begin_load() and load_more(): tables are read in place where the file's sources can be viewed.
  Status begin(const Graph& graph, const gguf::File& file);
  Result<LoadState> load_more();
  [[nodiscard]] const WeightStream& stream() const { return stream_; }

  // Rows of a matrix as the file has them.
  [[nodiscard]] std::span<const std::byte> matrix(WeightId id) const;
  [[nodiscard]] std::span<const float> vector(WeightId id) const;
  // Row `row` of a table to f32.
  Status gather(const Weight& weight, WeightId id, std::uint32_t row, std::span<float> out) const;
  [[nodiscard]] std::uint64_t bytes() const;

 private:
  struct Entry {
    Buffer blocks;              // matrices, and tables that cannot be read in place
    std::vector<float> vector;  // norms and biases
  };
  Status take(const WeightChunk& chunk);

  const Graph* graph_ = nullptr;
  const gguf::File* file_ = nullptr;
  WeightStream stream_;
  std::vector<Entry> entries_;  // by WeightId
};

}  // namespace wisp::graph::scalar
