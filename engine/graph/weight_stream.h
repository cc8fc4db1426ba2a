// The one way weights are read: what the graph uses, in file order, in bounded pieces of whole rows. What it does not
// use is never touched. Executors put the pieces into layouts of their own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "base/result.h"
#include "gguf/reader.h"
#include "graph/executor.h"
#include "graph/graph.h"

namespace wisp::graph {

// A piece holds whole rows, a multiple of kChunkRows of them except at a weight's end, and at most kChunkBytes where
// kChunkRows rows fit that.
inline constexpr std::uint32_t kChunkRows = 16;
inline constexpr std::uint64_t kChunkBytes = std::uint64_t{8} << 20;

// Rows [first_row, first_row + rows) of a weight in the file's own format. The bytes live until the callback returns.
struct WeightChunk {
  WeightId weight;
  std::uint32_t first_row;
  std::uint32_t rows;
  std::span<const std::byte> bytes;
};

// Bytes of one row of a weight as the file has it.
std::uint64_t row_bytes(const Weight& weight);
// Where its rows start in the tensor's source.
std::uint64_t first_byte(const Weight& weight, const gguf::File& file);

// Hands out every weight that is a matrix or a vector. Weights used only as a table are left alone: their rows are
// gathered from the file (or loaded by an executor that cannot do that). Stops at the first error of `take`, and with
// Code::cancelled where `progress` (which may be empty) says so.
Status for_each_weight_chunk(const Graph& graph, const gguf::File& file, const LoadProgress& progress,
                             const std::function<Status(const WeightChunk&)>& take);

}  // namespace wisp::graph
