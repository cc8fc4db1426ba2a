// The weights of a graph on the device: matrices and tables as planes in slabs, vectors as f32 for the arena.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/result.h"
#include "gguf/reader.h"
#include "gpu/slabs.h"
#include "graph/graph.h"
#include "graph/weight_stream.h"

namespace wisp::gpu {

// A run of a matrix' rows that the device can bind at once; most matrices are one part.
struct MatrixPart {
  std::uint32_t first_row = 0, rows = 0;
  Binding quants;
  Binding scales;  // nothing for float types
};

class DeviceWeights {
 public:
  explicit DeviceWeights(Device& device) : device_(device), slabs_(device, "wisp weights") {}

  // Makes the slabs for what the graph uses, tables included: from now on parts and offsets are known.
  Status begin(const graph::Graph& graph, const gguf::File& file);
  // Repacks and uploads the next weights. Waits where the device has not yet taken what was uploaded before, so that
  // neither the module nor the driver ever holds more than a few pieces. Done: it has taken everything.
  Result<graph::LoadState> load_more();
  // What the next load_more() waits for; none: nothing.
  [[nodiscard]] Ticket waits_for() const;
  [[nodiscard]] const graph::WeightStream& stream() const { return stream_; }

  // Of a matrix or a table.
  [[nodiscard]] const std::vector<MatrixPart>& parts(graph::WeightId id) const {
    return matrices_[static_cast<std::size_t>(id)];
  }
  // All vectors one after another, and where one starts, in words.
  [[nodiscard]] const std::vector<float>& vectors() const { return vectors_; }
  [[nodiscard]] std::uint32_t vector(graph::WeightId id) const { return vector_offsets_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] std::uint64_t bytes() const { return slabs_.bytes() + vectors_.size() * sizeof(float); }

 private:
  struct PartRanges {
    std::size_t quants = 0, scales = 0;
  };
  Status place(const graph::Graph& graph);
  Status place_matrix(const graph::Weight& weight, std::size_t index);
  Status take_matrix(const graph::Weight& weight, std::size_t index, std::uint32_t first_row, std::uint32_t rows,
                     std::span<const std::byte> bytes);
  Status take_vector(const graph::Weight& weight, std::size_t index, std::uint32_t first_row, std::uint32_t rows,
                     std::span<const std::byte> bytes);
  Status take(const graph::WeightChunk& chunk);
  void write(const Binding& binding, std::uint64_t offset, std::span<const std::uint32_t> words);
  [[nodiscard]] Status check_lost() const;

  Device& device_;
  Slabs slabs_;
  const graph::Graph* graph_ = nullptr;
  graph::WeightStream stream_;
  std::vector<std::vector<MatrixPart>> matrices_;  // by weight
  std::vector<std::vector<PartRanges>> ranges_;    // by weight, until the slabs are allocated
  std::vector<float> vectors_;
  std::vector<std::uint32_t> vector_offsets_;   // by weight
  std::vector<std::uint32_t> quants_, scales_;  // scratch of a piece
  Commands commands_;
  std::uint64_t written_ = 0;   // since the last signal
  std::deque<Ticket> uploads_;  // signals that have not come yet, oldest first
};

}  // namespace wisp::gpu
