// The reference's KV store: blocks of kKvBlock positions per group, one vector of head_dim values at a time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/memory.h"
#include "base/result.h"
#include "graph/executor.h"

namespace wisp::graph::scalar {

enum class KvPart : std::uint8_t { key, value };

// Blocks lie as graph/kv_block.h has them. The scale of q8_0 is d = max / 127, and the values are round(x / d).
class KvStore {
 public:
  Status allocate(const KvLayout& layout, KvType type, std::span<const std::uint32_t> blocks);

  // One head at one place. `slot` is position % kKvBlock. Values: [head_dim] of the layer.
  void write(int layer, KvPart part, std::int32_t block, std::uint32_t slot, std::uint32_t head,
             std::span<const float> values);
  void read(int layer, KvPart part, std::int32_t block, std::uint32_t slot, std::uint32_t head,
            std::span<float> values) const;
  void copy(const BlockCopy& copy);
  // graph/kv_block.h, which is how blocks lie here.
  [[nodiscard]] std::span<std::byte> block(int group, std::int32_t block) const;

  [[nodiscard]] const KvLayout& layout() const { return layout_; }
  [[nodiscard]] KvType type() const { return type_; }
  [[nodiscard]] std::span<const std::uint32_t> blocks() const { return blocks_; }
  [[nodiscard]] std::uint64_t bytes() const;

 private:
  [[nodiscard]] std::span<std::byte> entry(int layer, KvPart part, std::int32_t block, std::uint32_t slot,
                                           std::uint32_t head) const;
  KvLayout layout_;
  KvType type_ = KvType::f32;
  std::vector<std::uint32_t> blocks_;        // by group
  std::vector<std::uint64_t> block_bytes_;   // by group
  std::vector<std::uint64_t> layer_offset_;  // by layer: where it starts inside a block of its group
  std::vector<Buffer> storage_;              // by group
};

}  // namespace wisp::graph::scalar
