#include "kv/manager.h"

#include <algorithm>
#include <utility>

namespace wisp::kv {
namespace {

Status check(const KvConfig& config) {
  if (config.groups.empty() || config.groups.size() != config.n_blocks.size()) {
    return fail(Code::invalid_argument, "{} kv layer groups and {} pool sizes, expected as many of both, at least one",
                config.groups.size(), config.n_blocks.size());
  }
  for (std::size_t i = 0; i < config.groups.size(); ++i) {
    const LayerGroup& group = config.groups[i];
    if (group.index != static_cast<int>(i)) {
      return fail(Code::invalid_argument, "kv layer group {} has index {}", i, group.index);
    }
    if (group.window == 0u) return fail(Code::invalid_argument, "kv layer group {} has a window of 0 positions", i);
  }
  return {};
}

std::unexpected<Error> not_open(SequenceId id) {
  return fail(Code::not_found, "kv sequence {} (generation {}) is not open", id.slot, id.generation);
}

}  // namespace

KvManager::KvManager(KvConfig config, std::vector<BlockPool> pools, SequenceTable sequences)
    : config_(std::move(config)), pools_(std::move(pools)), sequences_(std::move(sequences)) {
  constexpr std::size_t kMostReserved = 4096;
  copies_.reserve(std::min(kMostReserved, config_.max_sequences * pools_.size()));
  run_start_.resize(pools_.size());
}

Result<KvManager> KvManager::create(KvConfig config) {
  WISP_CHECK(check(config));
  std::vector<BlockPool> pools;
  for (const std::uint32_t n_blocks : config.n_blocks) {
    WISP_TRY(BlockPool pool, BlockPool::create(n_blocks));
    pools.push_back(std::move(pool));
  }
  WISP_TRY(SequenceTable sequences,
           SequenceTable::create(config.max_sequences, static_cast<std::uint32_t>(pools.size()), config.max_positions));
  return KvManager(std::move(config), std::move(pools), std::move(sequences));
}

Result<SequenceId> KvManager::open(Salt salt) { return sequences_.open(salt); }

Result<SequenceId> KvManager::fork(SequenceId parent) {
  const SequenceTable::Sequence* source = sequences_.find(parent);
  if (source == nullptr) return not_open(parent);
  WISP_TRY(const SequenceId child, sequences_.open(source->salt));
  SequenceTable::Sequence& target = *sequences_.find(child);
  target.n_positions = source->n_positions;
  target.n_hashed = source->n_hashed;
  std::ranges::copy(sequences_.hashes(parent).first(source->n_hashed), sequences_.hashes(child).begin());
  for (std::uint32_t group = 0; group < n_groups(); ++group) {
    const std::span<BlockId> to = sequences_.blocks(child, group);
    std::ranges::copy(block_table(parent, group), to.begin());
    for (const BlockId block : block_table(child, group)) {
      if (block != kNoBlock) pools_[group].retain(block);
    }
    sequences_.first_held(child, group) = sequences_.first_held(parent, group);
  }
  return child;
}

Status KvManager::release(SequenceId id) {
  const SequenceTable::Sequence* sequence = sequences_.find(id);
  if (sequence == nullptr) return not_open(id);
  release_blocks(id, 0, blocks_for(sequence->n_positions));
  sequences_.close(id);
  return {};
}

void KvManager::release_blocks(SequenceId id, std::uint32_t first, std::uint32_t end) {
  for (std::uint32_t group = 0; group < n_groups(); ++group) {
    const std::span<const BlockId> table = sequences_.blocks(id, group);
    for (std::uint32_t i = end; i-- > first;) {
      if (table[i] != kNoBlock) pools_[group].release(table[i]);
    }
  }
}

Status KvManager::can_ever_fit(std::uint32_t n_positions, std::uint32_t max_rows) const {
  if (n_positions > sequences_.max_positions()) {
    return fail(Code::limit, "{} positions are asked for, but the context is {}", n_positions,
                sequences_.max_positions());
  }
  for (std::uint32_t group = 0; group < n_groups(); ++group) {
    const std::uint32_t needed = most_blocks(config_.groups[group], n_positions, max_rows);
    if (needed > pools_[group].n_blocks()) {
      return fail(Code::limit, "{} positions need {} kv blocks of layer group {}, but the memory granted holds {}",
                  n_positions, needed, group, pools_[group].n_blocks());
    }
  }
  return {};
}

std::uint32_t KvManager::match_blocks(std::span<const TokenId> tokens, Salt salt, std::span<BlockHash> hashes) const {
  if (tokens.empty()) return 0;
  const std::size_t n =
      std::min<std::size_t>((tokens.size() - 1) / kBlockPositions, sequences_.max_positions() / kBlockPositions);
  // Of a windowed group only the last blocks must be there: run_start_ is where the unbroken run up to here begins.
  std::ranges::fill(run_start_, 0u);
  BlockHash hash = root_hash(salt);
  std::uint32_t longest = 0;
  for (std::uint32_t i = 0; i < n; ++i) {
    hash = chain_hash(hash, tokens.subspan(std::size_t{i} * kBlockPositions).first<kBlockPositions>());
    if (!hashes.empty()) hashes[i] = hash;
    bool hit = true;
    for (std::uint32_t group = 0; group < n_groups(); ++group) {
      const LayerGroup& layout = config_.groups[group];
      if (pools_[group].find(hash) == kNoBlock) {
        if (!layout.window || i < sink_blocks(layout)) return longest;  // every longer prefix needs this block
        run_start_[group] = i + 1;
      }
      hit = hit && run_start_[group] <= first_visible_block(layout, (i + 1) * kBlockPositions);
    }
    if (hit) longest = i + 1;
  }
  return longest;
}

std::uint32_t KvManager::match_prefix(std::span<const TokenId> tokens, Salt salt) const {
  return match_blocks(tokens, salt, {}) * kBlockPositions;
}

Result<std::uint32_t> KvManager::adopt_prefix(SequenceId id, std::span<const TokenId> tokens) {
  SequenceTable::Sequence* sequence = sequences_.find(id);
  if (sequence == nullptr) return not_open(id);
  if (sequence->n_positions != 0) {
    return fail(Code::invalid_argument, "a prefix can only be adopted by an empty sequence, this one has {} positions",
                sequence->n_positions);
  }
  const std::span<const BlockHash> hashes = sequences_.hashes(id);
  const std::uint32_t n = match_blocks(tokens, sequence->salt, sequences_.hashes(id));
  for (std::uint32_t group = 0; group < n_groups(); ++group) {
    const LayerGroup& layout = config_.groups[group];
    const std::uint32_t first_visible = first_visible_block(layout, n * kBlockPositions);
    const std::span<BlockId> table = sequences_.blocks(id, group);
    for (std::uint32_t i = 0; i < n; ++i) {
      const bool needed = i >= first_visible || i < sink_blocks(layout);
      table[i] = needed ? pools_[group].find(hashes[i]) : kNoBlock;
      if (needed) pools_[group].retain(table[i]);
    }
    sequences_.first_held(id, group) = first_visible;
  }
  sequence->n_hashed = n;
  sequence->n_positions = n * kBlockPositions;
  ++counters_.n_prefix_queries;
  counters_.n_prefix_hits += n > 0 ? 1 : 0;
  counters_.n_positions_queried += tokens.size();
  counters_.n_positions_hit += sequence->n_positions;
  return sequence->n_positions;
}

std::uint32_t KvManager::blocks_to_take(SequenceId id, std::uint32_t group, std::uint32_t n_new) const {
  if (n_new == 0) return 0;
  const std::uint32_t n = n_positions(id);
  const bool copies_tail = n % kBlockPositions != 0 && pools_[group].references(block_table(id, group).back()) > 1;
  return blocks_for(n + n_new) - blocks_for(n) + (copies_tail ? 1 : 0);
}

Status KvManager::extend(SequenceId id, std::uint32_t n_new) {
  SequenceTable::Sequence* sequence = sequences_.find(id);
  if (sequence == nullptr) return not_open(id);
  const std::uint32_t n = sequence->n_positions;
  if (n_new > sequences_.max_positions() - n) {
    return fail(Code::limit, "{} more positions after {} would pass the context of {}", n_new, n,
                sequences_.max_positions());
  }
  if (n_new == 0) return {};
  for (std::uint32_t group = 0; group < n_groups(); ++group) {
    const std::uint32_t needed = blocks_to_take(id, group, n_new);
    if (needed > pools_[group].n_available()) {
      return fail(Code::limit, "out of kv blocks: {} needed in layer group {}, {} of {} available", needed, group,
                  pools_[group].n_available(), pools_[group].n_blocks());
    }
  }
  for (std::uint32_t group = 0; group < n_groups(); ++group) {
    if (n % kBlockPositions != 0) make_tail_writable(id, group);
    const std::span<BlockId> table = sequences_.blocks(id, group);
    for (std::uint32_t i = blocks_for(n); i < blocks_for(n + n_new); ++i) table[i] = pools_[group].take();
  }
  sequence->n_positions = n + n_new;
  return {};
}

// The tail is the partly filled last block; it is never a dropped one. A block is published only when full, but
// truncate may have left its end: what others may find must not be written.
void KvManager::make_tail_writable(SequenceId id, std::uint32_t group) {
  const std::uint32_t n = n_positions(id);
  BlockPool& pool = pools_[group];
  BlockId& tail = sequences_.blocks(id, group)[n / kBlockPositions];
  if (pool.references(tail) == 1) {
    pool.unpublish(tail);
    return;
  }
  const BlockId fresh = pool.take();
  copies_.push_back({static_cast<int>(group), tail, fresh, n % kBlockPositions});
  pool.release(tail);
  tail = fresh;
  ++counters_.n_copies;
}

Status KvManager::truncate(SequenceId id, std::uint32_t n_positions) {
  SequenceTable::Sequence* sequence = sequences_.find(id);
  if (sequence == nullptr) return not_open(id);
  if (n_positions > sequence->n_positions) {
    return fail(Code::invalid_argument, "cannot truncate {} positions to {}", sequence->n_positions, n_positions);
  }
  const std::uint32_t n_kept = blocks_for(n_positions);
  for (std::uint32_t group = 0; group < n_groups(); ++group) {
    const std::span<const BlockId> table = block_table(id, group);
    for (std::uint32_t i = first_visible_block(config_.groups[group], n_positions); i < n_kept; ++i) {
      if (table[i] != kNoBlock) continue;
      return fail(Code::invalid_argument,
                  "cannot truncate to {} positions: layer group {} has dropped positions {} to {}", n_positions, group,
                  i * kBlockPositions, i * kBlockPositions + kBlockPositions - 1);
    }
  }
  release_blocks(id, n_kept, blocks_for(sequence->n_positions));
  for (std::uint32_t group = 0; group < n_groups(); ++group) {
    std::uint32_t& first_held = sequences_.first_held(id, group);
    first_held = std::min(first_held, n_kept);
  }
  sequence->n_positions = n_positions;
  sequence->n_hashed = std::min(sequence->n_hashed, n_positions / kBlockPositions);
  return {};
}

Status KvManager::commit(SequenceId id, std::span<const TokenId> tokens) {
  SequenceTable::Sequence* sequence = sequences_.find(id);
  if (sequence == nullptr) return not_open(id);
  if (tokens.size() > sequence->n_positions) {
    return fail(Code::invalid_argument, "{} tokens committed to a sequence of {} positions", tokens.size(),
                sequence->n_positions);
  }
  const std::span<BlockHash> hashes = sequences_.hashes(id);
  for (std::uint32_t& i = sequence->n_hashed; i < tokens.size() / kBlockPositions; ++i) {
    const BlockHash parent = i == 0 ? root_hash(sequence->salt) : hashes[i - 1];
    hashes[i] = chain_hash(parent, tokens.subspan(std::size_t{i} * kBlockPositions).first<kBlockPositions>());
    for (std::uint32_t group = 0; group < n_groups(); ++group) {
      const BlockId block = sequences_.blocks(id, group)[i];
      if (block != kNoBlock) pools_[group].publish(block, hashes[i]);
    }
  }
  return {};
}

Status KvManager::forget_all() {
  if (n_sequences() != 0) {
    return fail(Code::invalid_argument, "{} kv sequences are open; release them first", n_sequences());
  }
  for (BlockPool& pool : pools_) pool.forget_cached();
  clear_copies();
  return {};
}

Status KvManager::drop_out_of_window(SequenceId id, std::uint32_t next_position) {
  const SequenceTable::Sequence* sequence = sequences_.find(id);
  if (sequence == nullptr) return not_open(id);
  if (next_position > sequence->n_positions) {
    return fail(Code::invalid_argument, "the next position {} lies past the sequence's {}", next_position,
                sequence->n_positions);
  }
  for (std::uint32_t group = 0; group < n_groups(); ++group) {
    const std::span<BlockId> table = sequences_.blocks(id, group);
    const std::uint32_t end = first_visible_block(config_.groups[group], next_position);
    std::uint32_t& first_held = sequences_.first_held(id, group);
    for (std::uint32_t i = std::max(first_held, sink_blocks(config_.groups[group])); i < end; ++i) {
      pools_[group].release(std::exchange(table[i], kNoBlock));
    }
    first_held = std::max(first_held, end);
  }
  return {};
}

std::uint32_t KvManager::n_positions(SequenceId id) const {
  const SequenceTable::Sequence* sequence = sequences_.find(id);
  return sequence == nullptr ? 0 : sequence->n_positions;
}

std::span<const BlockId> KvManager::block_table(SequenceId id, std::uint32_t group) const {
  const SequenceTable::Sequence* sequence = sequences_.find(id);
  if (sequence == nullptr || group >= n_groups()) return {};
  return sequences_.blocks(id, group).first(blocks_for(sequence->n_positions));
}

GroupUsage KvManager::usage(std::uint32_t group) const {
  const BlockPool& pool = pools_[group];
  return {pool.n_blocks(), pool.n_used(), pool.n_cached(), pool.n_free(), pool.n_evictions()};
}

}  // namespace wisp::kv
