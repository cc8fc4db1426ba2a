#include "gpu/kv_pool.h"

namespace wisp::gpu {

Status KvPool::allocate(const graph::KvLayout& layout, graph::KvType type, std::span<const std::uint32_t> blocks) {
  if (blocks.size() != layout.groups.size()) {
    return fail(Code::invalid_argument, "{} block counts for {} KV groups", blocks.size(), layout.groups.size());
  }
  layout_ = layout;
  type_ = type;
  blocks_.assign(blocks.begin(), blocks.end());
  for (const graph::KvLayer& layer : layout.layers) {
    const std::uint64_t words = kv_block_words(type, layer) + kv_block_scales(type, layer);
    const auto bytes = checked_mul<std::uint64_t>(words * 4, blocks_[static_cast<std::size_t>(layer.group)]);
    if (!bytes)
      return fail(Code::limit, "{} blocks of keys and values overflow", blocks_[static_cast<std::size_t>(layer.group)]);
    for (int part = 0; part < 2; ++part) WISP_CHECK(slabs_.reserve(*bytes));
  }
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
      commands.copy_buffer(part.buffer, part.offset + from * block, part.buffer, part.offset + to * block, block);
      if (scales == 0) continue;
      const std::uint64_t behind = part.offset + all_blocks;
      commands.copy_buffer(part.buffer, behind + from * scales, part.buffer, behind + to * scales, scales);
    }
  }
}

}  // namespace wisp::gpu
