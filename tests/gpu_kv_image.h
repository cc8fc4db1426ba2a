// The keys or the values of one layer as a device holds them, written and read on the host for tests: the layout that
// gpu/kv_layout.h states, by its own arithmetic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "gpu/kv_layout.h"
#include "graph/graph.h"
#include "graph/scalar_kv.h"
#include "quant/random_blocks.h"

namespace wisp::test {

class KvImage {
 public:
  // All words are NaN, in every type: whoever reads what was not written shows it.
  KvImage(graph::scalar::KvPart part, graph::KvType type, const graph::KvLayer& layer, std::uint32_t blocks,
          gpu::KeyOrder keys = gpu::KeyOrder::by_word);

  // Random values within [-1, 1] for a head at one place of a block.
  void fill(std::uint32_t block, std::uint32_t slot, std::uint32_t head, quant::Random& random);
  // [head_dim]
  [[nodiscard]] std::vector<float> read(std::uint32_t block, std::uint32_t slot, std::uint32_t head) const;
  // False: not a word of the head was written.
  [[nodiscard]] bool written(std::uint32_t block, std::uint32_t slot, std::uint32_t head) const;

  [[nodiscard]] std::vector<std::byte> bytes() const;
  void take(std::span<const std::byte> bytes);

 private:
  [[nodiscard]] std::size_t word_at(std::uint32_t block, std::uint32_t slot, std::uint32_t head,
                                    std::uint32_t word) const;
  [[nodiscard]] std::size_t scale_at(std::uint32_t block, std::uint32_t slot, std::uint32_t head,
                                     std::uint32_t run) const;
  graph::KvType type_;
  graph::KvLayer layer_;
  gpu::KvEntry entry_;
  std::uint32_t blocks_;
  bool by_word_;
  std::vector<std::uint32_t> words_;
};

}  // namespace wisp::test
