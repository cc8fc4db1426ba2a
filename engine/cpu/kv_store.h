// The bytes of the KV blocks: one pool per layer group, blocks by number. Whose a block is, is kv/'s business.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/memory.h"
#include "base/result.h"
#include "cpu/kernels.h"
#include "graph/executor.h"

namespace wisp::cpu {

class KvStore {
 public:
  // Memory is reserved here and committed by the system as blocks are first written.
  Status allocate(const graph::KvLayout& layout, graph::KvType type, std::span<const std::uint32_t> blocks);

  // A layer's part of the blocks of its group.
  [[nodiscard]] const KvLayerLayout& layer(int layer) const { return layers_[static_cast<std::size_t>(layer)]; }
  [[nodiscard]] std::uint8_t* pool(int group) const;
  [[nodiscard]] std::size_t block_bytes(int group) const {
    return groups_[static_cast<std::size_t>(group)].block_bytes;
  }
  [[nodiscard]] std::span<const std::uint32_t> blocks() const { return blocks_; }  // by group
  void copy(const graph::BlockCopy& copy);
  // A block in the form of graph/kv_block.h, arguments checked (graph/step_check.h).
  void read(int group, std::int32_t block, std::span<std::byte> out) const;
  void write(int group, std::int32_t block, std::span<const std::byte> in);
  [[nodiscard]] const graph::KvLayout& layout() const { return layout_; }
  [[nodiscard]] graph::KvType type() const { return type_; }
  [[nodiscard]] std::uint64_t bytes() const;

 private:
  struct Group {
    Buffer buffer;
    std::size_t block_bytes = 0;
  };
  std::vector<Group> groups_;
  std::vector<std::uint32_t> blocks_;
  std::vector<KvLayerLayout> layers_;
  graph::KvLayout layout_;
  graph::KvType type_ = graph::KvType::f16;
};

// Bytes of one block of a group: for sizing a pool before it is made.
std::uint64_t kv_block_bytes(const graph::KvLayout& layout, graph::KvType type, int group);

}  // namespace wisp::cpu
