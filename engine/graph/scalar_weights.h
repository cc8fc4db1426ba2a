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
  // `file` must outlive the store: tables are read in place where its sources can be viewed.
  Status load(const Graph& graph, const gguf::File& file, const LoadProgress& progress);

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
  const gguf::File* file_ = nullptr;
  std::vector<Entry> entries_;  // by WeightId
};

}  // namespace wisp::graph::scalar
