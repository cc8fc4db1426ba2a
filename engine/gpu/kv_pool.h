// The blocks of keys and values on the device (kv_layout.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "gpu/kv_layout.h"
#include "gpu/slabs.h"
#include "graph/executor.h"

namespace wisp::gpu {

class KvPool {
 public:
  explicit KvPool(Device& device) : slabs_(device, "wisp kv"), between_(device, "wisp kv copy") {}

  Status allocate(const graph::KvLayout& layout, graph::KvType type, std::span<const std::uint32_t> blocks);

  [[nodiscard]] Binding keys(int layer) const { return slabs_[2 * static_cast<std::size_t>(layer)]; }
  [[nodiscard]] Binding values(int layer) const { return slabs_[2 * static_cast<std::size_t>(layer) + 1]; }
  // Records the copy of a whole block, all layers of its group.
  void copy(const graph::BlockCopy& copy, Commands& commands) const;

  [[nodiscard]] graph::KvType type() const { return type_; }
  // How keys lie; to be set before any are written.
  [[nodiscard]] KeyOrder key_order() const { return key_order_; }
  void set_key_order(KeyOrder order) { key_order_ = order; }
  [[nodiscard]] std::span<const std::uint32_t> blocks() const { return blocks_; }  // by group
  [[nodiscard]] std::uint64_t bytes() const { return slabs_.bytes() + between_.bytes(); }

 private:
  Slabs slabs_;    // per layer: keys, values
  Slabs between_;  // one block's keys or values on their way: WebGPU copies nothing within a buffer
  graph::KvLayout layout_;
  graph::KvType type_ = graph::KvType::f16;
  KeyOrder key_order_ = KeyOrder::by_word;
  std::vector<std::uint32_t> blocks_;
};

}  // namespace wisp::gpu
