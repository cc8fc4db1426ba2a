// The weights in memory as the CPU wants them: matrices in panels (or left in the file with repack off), norm weights
// and biases as f32, embedding tables gathered from the file.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/memory.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "cpu/panel_layout.h"
#include "gguf/reader.h"
#include "graph/weight_stream.h"

namespace wisp::cpu {

// A matrix either packed, or in GGUF blocks that are packed panel by panel when needed.
struct Matrix {
  PackedMatrix packed;                // packed.quants is null where the matrix stays in the file
  const std::byte* blocks = nullptr;  // then: its rows, in the file's format
  std::size_t row_bytes = 0;
};

class Weights {
 public:
  // As Executor::begin_load() and load_more().
  Status begin(const graph::Graph& graph, const gguf::File& file, bool repack);
  Result<graph::LoadState> load_more(ThreadPool& pool);
  [[nodiscard]] const graph::WeightStream& stream() const { return stream_; }

  [[nodiscard]] const Matrix& matrix(graph::WeightId id) const { return matrices_[static_cast<std::size_t>(id)]; }
  // [columns] (a norm weight or bias).
  [[nodiscard]] const float* vector(graph::WeightId id) const { return vectors_[static_cast<std::size_t>(id)]; }
  // Decodes one row of an embedding table.
  Status table_row(graph::WeightId id, std::int32_t row, std::span<float> out) const;

  [[nodiscard]] std::uint64_t bytes() const { return slab_.size() + vectors_slab_.size() + tables_slab_.size(); }

 private:
  struct Table {
    const std::byte* rows = nullptr;  // in the file, or of tables_slab_
    std::size_t row_bytes = 0;
    gguf::TensorType type{};
    bool copied = false;
  };
  Status place(const graph::Graph& graph, const gguf::File& file, bool repack);
  Status place_tables(const graph::Graph& graph, const gguf::File& file);
  Status take(const graph::WeightChunk& chunk, ThreadPool& pool);
  void pack(const graph::WeightChunk& chunk, ThreadPool& pool);

  const graph::Graph* graph_ = nullptr;
  graph::WeightStream stream_;
  std::vector<Matrix> matrices_;       // by WeightId; packed.rows == 0 where it is not used as one
  std::vector<const float*> vectors_;  // by WeightId; null where it is not used as one
  std::vector<Table> tables_;          // by WeightId
  std::vector<std::size_t> offsets_;   // by WeightId, into slab_
  Buffer slab_, vectors_slab_, tables_slab_;
};

}  // namespace wisp::cpu
