#include "cpu/kv_store.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"

namespace wisp::cpu {

static_assert(kKvPositions == static_cast<int>(graph::kKvBlock));

namespace {

KvFormat format_of(graph::KvType type) {
  switch (type) {
    case graph::KvType::f32: return KvFormat::f32;
    case graph::KvType::f16: return KvFormat::f16;
    case graph::KvType::q8_0: return KvFormat::q8_0;
  }
  return KvFormat::f32;
}

// K or V of one head of one block. Both sides have the same size (kernels.h).
std::uint64_t head_bytes(KvFormat format, std::uint32_t head_dim) {
  const std::uint64_t values = std::uint64_t{kKvPositions} * head_dim;
  switch (format) {
    case KvFormat::f32: return values * 4;
    case KvFormat::f16: return values * 2;
    case KvFormat::q8_0: return values + std::uint64_t{2} * kKvPositions * div_up<std::uint32_t>(head_dim, 32);
  }
  return 0;
}

// The layer's layout when its K starts at `offset` of the block; moves `offset` behind its V. Only a block whose bytes
// fit size_t has a layout that means anything.
KvLayerLayout lay_out(const graph::KvLayer& layer, KvFormat format, std::uint64_t& offset) {
  KvLayerLayout out{};
  out.format = format;
  out.kv_heads = layer.kv_heads;
  out.head_dim = layer.head_dim;
  const std::uint64_t stride = align_up<std::uint64_t>(head_bytes(format, layer.head_dim), 64);
  out.k_head_stride = out.v_head_stride = static_cast<std::size_t>(stride);
  out.k_offset = static_cast<std::size_t>(offset);
  out.v_offset = static_cast<std::size_t>(offset + stride * layer.kv_heads);
  offset += 2 * stride * layer.kv_heads;
  return out;
}

}  // namespace

std::uint64_t kv_block_bytes(const graph::KvLayout& layout, graph::KvType type, int group) {
  std::uint64_t offset = 0;
  for (const graph::KvLayer& layer : layout.layers)
    if (layer.group == group) lay_out(layer, format_of(type), offset);
  return offset;
}

Status KvStore::allocate(const graph::KvLayout& layout, graph::KvType type, std::span<const std::uint32_t> blocks) {
  if (blocks.size() != layout.groups.size()) {
    return fail(Code::invalid_argument, "{} block counts for {} KV groups", blocks.size(), layout.groups.size());
  }
  groups_.clear();
  layers_.clear();
  layout_ = layout;
  type_ = type;
  groups_.resize(layout.groups.size());
  blocks_.assign(blocks.begin(), blocks.end());
  std::vector<std::uint64_t> offsets(layout.groups.size(), 0);
  for (const graph::KvLayer& layer : layout.layers)
    layers_.push_back(lay_out(layer, format_of(type), offsets[static_cast<std::size_t>(layer.group)]));
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    Group& group = groups_[g];
    // At least one block is asked for, so that a block which size_t cannot count is refused with the rest.
    const auto total = checked_mul<std::uint64_t>(offsets[g], std::max(blocks[g], 1u));
    if (!total) return fail(Code::out_of_memory, "{} KV blocks of {} bytes are too many", blocks[g], offsets[g]);
    group.block_bytes = static_cast<std::size_t>(offsets[g]);
    WISP_TRY(group.buffer, Buffer::allocate(*total, "the KV pool"));
  }
  return {};
}

std::uint8_t* KvStore::pool(int group) const {
  return reinterpret_cast<std::uint8_t*>(groups_[static_cast<std::size_t>(group)].buffer.data());
}

void KvStore::copy(const graph::BlockCopy& copy) {
  const std::size_t size = block_bytes(copy.group);
  std::memcpy(pool(copy.group) + static_cast<std::size_t>(copy.to) * size,
              pool(copy.group) + static_cast<std::size_t>(copy.from) * size, size);
}

std::uint64_t KvStore::bytes() const {
  std::uint64_t total = 0;
  for (const Group& group : groups_) total += group.buffer.size();
  return total;
}

}  // namespace wisp::cpu
