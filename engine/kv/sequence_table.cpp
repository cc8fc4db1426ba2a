#include "kv/sequence_table.h"

#include "base/checked.h"
#include "base/page_advice.h"

namespace wisp::kv {

Result<SequenceTable> SequenceTable::create(std::uint32_t n_slots, std::uint32_t n_groups,
                                            std::uint32_t max_positions) {
  constexpr std::uint32_t kMostSlots = 1u << 20;  // far above what a scheduler can serve
  if (n_slots == 0 || n_slots > kMostSlots || max_positions == 0) {
    return fail(Code::invalid_argument, "{} sequences of {} positions, expected 1 to {} sequences of at least 1",
                n_slots, max_positions, kMostSlots);
  }
  SequenceTable table;
  table.n_groups_ = n_groups;
  table.max_positions_ = max_positions;
  table.max_blocks_ = blocks_for(max_positions);
  const auto rows = checked_mul<std::uint64_t>(n_slots, table.max_blocks_);
  const auto block_bytes = rows ? checked_mul<std::uint64_t>(*rows, n_groups * sizeof(BlockId)) : std::nullopt;
  const auto hash_bytes = rows ? checked_mul<std::uint64_t>(*rows, sizeof(BlockHash)) : std::nullopt;
  if (!block_bytes || !hash_bytes) {
    return fail(Code::out_of_memory, "block tables of {} sequences of {} positions do not fit in memory", n_slots,
                max_positions);
  }
  WISP_TRY(table.block_memory_, Buffer::allocate(*block_bytes, "kv block tables"));
  WISP_TRY(table.hash_memory_, Buffer::allocate(*hash_bytes, "kv block hashes"));
  // Where an imposed window lets sequences grow without end, the tables of a slot are megabytes of which the start is
  // used.
  prefer_small_pages(table.block_memory_.bytes());
  prefer_small_pages(table.hash_memory_.bytes());
  table.sequences_.resize(n_slots);
  table.first_held_.resize(std::size_t{n_slots} * n_groups);
  table.free_slots_.reserve(n_slots);
  for (std::uint32_t slot = n_slots; slot-- > 0;) table.free_slots_.push_back(slot);
  return table;
}

Result<SequenceId> SequenceTable::open(Salt salt) {
  if (free_slots_.empty()) return fail(Code::limit, "all {} sequences are in use; release one first", n_slots());
  const std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  Sequence& sequence = sequences_[slot];
  sequence = {.salt = salt, .generation = sequence.generation + 1, .live = true};
  const SequenceId id = {slot, sequence.generation};
  for (std::uint32_t group = 0; group < n_groups_; ++group) first_held(id, group) = 0;
  return id;
}

void SequenceTable::close(SequenceId id) {
  Sequence* sequence = find(id);
  if (sequence == nullptr) return;
  sequence->live = false;
  free_slots_.push_back(id.slot);
}

SequenceTable::Sequence* SequenceTable::find(SequenceId id) {
  return const_cast<Sequence*>(std::as_const(*this).find(id));
}

const SequenceTable::Sequence* SequenceTable::find(SequenceId id) const {
  if (id.slot >= sequences_.size()) return nullptr;
  const Sequence& sequence = sequences_[id.slot];
  return sequence.live && sequence.generation == id.generation ? &sequence : nullptr;
}

std::span<BlockId> SequenceTable::blocks(SequenceId id, std::uint32_t group) const {
  return block_memory_.as<BlockId>().subspan((std::size_t{id.slot} * n_groups_ + group) * max_blocks_, max_blocks_);
}

std::span<BlockHash> SequenceTable::hashes(SequenceId id) const {
  return hash_memory_.as<BlockHash>().subspan(id.slot * max_blocks_, max_blocks_);
}

std::uint32_t& SequenceTable::first_held(SequenceId id, std::uint32_t group) {
  return first_held_[std::size_t{id.slot} * n_groups_ + group];
}

}  // namespace wisp::kv
