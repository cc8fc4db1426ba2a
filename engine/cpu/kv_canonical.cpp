// Blocks between this backend's layout (kernels.h: lanes are positions of K and dimensions of V) and the one of
// graph/kv_block.h. The values are the same; only their places differ.
#include <cstring>

#include "base/checked.h"
#include "cpu/kv_store.h"
#include "graph/kv_block.h"

namespace wisp::cpu {
namespace {

constexpr std::size_t kPositions = kKvPositions;

// Where a value of one head lies within that head's part, in elements: K [head_dim][32], V [32][head_dim].
std::size_t place(bool key, std::size_t slot, std::size_t d, std::size_t head_dim) {
  return key ? d * kPositions + slot : slot * head_dim + d;
}

// Calls move(canonical offset, offset in the head, bytes) for each run of bytes that stays together.
template <class Move>
void each_piece(KvFormat format, bool key, std::size_t slot, std::size_t head_dim, const Move& move) {
  if (format != KvFormat::q8_0) {
    const std::size_t size = format == KvFormat::f32 ? 4 : 2;
    if (!key) return move(0, slot * head_dim * size, head_dim * size);
    for (std::size_t d = 0; d < head_dim; ++d) move(d * size, place(key, slot, d, head_dim) * size, size);
    return;
  }
  const std::size_t runs = div_up<std::size_t>(head_dim, graph::kKvRun);
  const std::size_t quants = runs * kPositions * 2;  // behind the scales
  std::size_t canonical = 0;
  for (std::size_t run = 0; run < runs; ++run) {
    move(canonical, place(key, slot, run, runs) * 2, 2);
    canonical += 2;
    const std::size_t first = run * graph::kKvRun, last = std::min(first + graph::kKvRun, head_dim);
    for (std::size_t d = first; d < last; ++d) move(canonical++, quants + place(key, slot, d, head_dim), 1);
  }
}

// Calls visit(canonical offset, offset in the block, bytes) for a whole block.
template <class Visit>
void each_byte(const KvStore& store, int group, const Visit& visit) {
  std::size_t entry = 0;
  for (std::size_t i = 0; i < store.layout().layers.size(); ++i) {
    const graph::KvLayer& shape = store.layout().layers[i];
    if (shape.group != group) continue;
    const KvLayerLayout& layer = store.layer(static_cast<int>(i));
    const auto entry_bytes = static_cast<std::size_t>(graph::kv_entry_bytes(store.type(), shape.head_dim));
    for (const bool key : {true, false}) {
      for (std::size_t slot = 0; slot < kPositions; ++slot) {
        for (std::size_t head = 0; head < shape.kv_heads; ++head) {
          const std::size_t start =
              key ? layer.k_offset + head * layer.k_head_stride : layer.v_offset + head * layer.v_head_stride;
          each_piece(layer.format, key, slot, shape.head_dim,
                     [&](std::size_t canonical, std::size_t place, std::size_t bytes) {
                       visit(entry + canonical, start + place, bytes);
                     });
          entry += entry_bytes;
        }
      }
    }
  }
}

}  // namespace

void KvStore::read(int group, std::int32_t block, std::span<std::byte> out) const {
  const std::uint8_t* const from = pool(group) + static_cast<std::size_t>(block) * block_bytes(group);
  each_byte(*this, group, [&](std::size_t canonical, std::size_t place, std::size_t bytes) {
    std::memcpy(out.data() + canonical, from + place, bytes);
  });
}

void KvStore::write(int group, std::int32_t block, std::span<const std::byte> in) {
  std::uint8_t* const to = pool(group) + static_cast<std::size_t>(block) * block_bytes(group);
  each_byte(*this, group, [&](std::size_t canonical, std::size_t place, std::size_t bytes) {
    std::memcpy(to + place, in.data() + canonical, bytes);
  });
}

}  // namespace wisp::cpu
