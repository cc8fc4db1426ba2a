#include "gpu/kv_pool.h"

#include <algorithm>

namespace wisp::gpu {

Status KvPool::allocate(const graph::KvLayout& layout, graph::KvType type, std::span<const std::uint32_t> blocks) {
  if (blocks.size() != layout.groups.size()) {
    return fail(Code::invalid_argument, "{} block counts for {} KV groups", blocks.size(), layout.groups.size());
  }
  layout_ = layout;
  type_ = type;
  blocks_.assign(blocks.begin(), blocks.end());
  std::uint64_t block_bytes = 4;
  for (const graph::KvLayer& layer : layout.layers) {
    const std::uint64_t words = kv_block_words(type, layer) + kv_block_scales(type, layer);
    const auto bytes = checked_mul<std::uint64_t>(words * 4, blocks_[static_cast<std::size_t>(layer.group)]);
    if (!bytes)
      return fail(Code::limit, "{} blocks of keys and values overflow", blocks_[static_cast<std::size_t>(layer.group)]);
    for (int part = 0; part < 2; ++part) WISP_CHECK(slabs_.reserve(*bytes));
    block_bytes = std::max(block_bytes, words * 4);
  }
  WISP_CHECK(between_.reserve(block_bytes));
  WISP_CHECK(between_.allocate());
  return slabs_.allocate();
}

void KvPool::copy(const graph::BlockCopy& copy, Commands& commands) const {
  for (std::size_t i = 0; i < layout_.layers.size(); ++i) {
    const graph::KvLayer& layer = layout_.layers[i];
    if (layer.group != copy.group) continue;
    const std::uint64_t block = 4 * kv_block_words(type_, layer);
    const std::uint64_t scales = 4 * kv_block_scales(type_, layer);
    const std::uint64_t all_blocks = block * blocks_[static_cast<std::size_t>(copy.group)];
    for (const Binding& part : {keys(static_cast<int>(i)), values(static_cast<int>(i))}) {
      const auto from = static_cast<std::uint64_t>(copy.from);
      const auto to = static_cast<std::uint64_t>(copy.to);
      const Binding between = between_[0];
      const auto move = [&](std::uint64_t begin, std::uint64_t bytes) {
        commands.copy_buffer(part.buffer, begin + from * bytes, between.buffer, between.offset, bytes);
        commands.copy_buffer(between.buffer, between.offset, part.buffer, begin + to * bytes, bytes);
      };
      move(part.offset, block);
      if (scales > 0) move(part.offset + all_blocks, scales);
    }
  }
}

}  // namespace wisp::gpu
