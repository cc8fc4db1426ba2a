#include "kv/block_index.h"

#include <algorithm>
#include <bit>

namespace wisp::kv {

Result<BlockIndex> BlockIndex::create(std::uint32_t n_blocks) {
  BlockIndex index;
  const std::uint64_t n_slots = std::bit_ceil(std::max<std::uint64_t>(2 * std::uint64_t{n_blocks}, 2));
  WISP_TRY(index.memory_, Buffer::allocate(n_slots * sizeof(Slot), "kv prefix index"));
  index.slots_ = index.memory_.as<Slot>();
  index.mask_ = static_cast<std::uint32_t>(n_slots - 1);
  return index;
}

std::uint32_t BlockIndex::probe(BlockHash hash) const {
  std::uint32_t at = home(hash);
  while (slots_[at].block_plus_one != 0 && slots_[at].hash != hash) at = (at + 1) & mask_;
  return at;
}

BlockId BlockIndex::find(BlockHash hash) const {
  return static_cast<BlockId>(slots_[probe(hash)].block_plus_one) - 1;  // an empty slot gives kNoBlock
}

void BlockIndex::insert(BlockHash hash, BlockId block) {
  slots_[probe(hash)] = {hash, static_cast<std::uint32_t>(block) + 1};
  ++size_;
}

void BlockIndex::erase(BlockHash hash) {
  std::uint32_t hole = probe(hash);
  if (slots_[hole].block_plus_one == 0) return;
  --size_;
  // Close the hole: an entry behind it moves in unless its home lies after the hole, where a search would start too
  // late.
  for (std::uint32_t at = (hole + 1) & mask_; slots_[at].block_plus_one != 0; at = (at + 1) & mask_) {
    const std::uint32_t from_home = (at - home(slots_[at].hash)) & mask_;
    const std::uint32_t from_hole = (at - hole) & mask_;
    if (from_home < from_hole) continue;
    slots_[hole] = slots_[at];
    hole = at;
  }
  slots_[hole] = {};
}

}  // namespace wisp::kv
