// Who remembers what: sequences, their blocks in every layer group, and the prefixes they share. Ids and counts only; a
// backend owns the bytes, executes the copies ordered here, and reads the tables.
//
// A step goes: drop_out_of_window, extend (for all sequences of the step), the backend runs pending_copies() in order
// and then the step, clear_copies, commit. Not thread-safe: the scheduler is the only caller.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/token.h"
#include "kv/block_pool.h"
#include "kv/layout.h"
#include "kv/sequence_table.h"

namespace wisp::kv {

struct KvConfig {
  std::vector<LayerGroup> groups = {};       // group i has index i
  std::vector<std::uint32_t> n_blocks = {};  // [groups], the capacity of each group's pool
  std::uint32_t max_sequences = 1;
  std::uint32_t max_positions = 0;  // of one sequence
};

// Copy the first `n_positions` positions of block `from` over block `to`, in all layers of the group.
struct CopyBlock {
  int group;
  BlockId from, to;
  std::uint32_t n_positions;
  bool operator==(const CopyBlock&) const = default;
};

struct GroupUsage {
  std::uint32_t n_blocks, n_used, n_cached, n_free;  // n_used + n_cached + n_free == n_blocks
  std::uint64_t n_evictions;
};

struct KvCounters {
  std::uint64_t n_prefix_queries = 0;     // adopt_prefix calls
  std::uint64_t n_prefix_hits = 0;        // ... that found at least a block
  std::uint64_t n_positions_queried = 0;  // tokens in those calls
  std::uint64_t n_positions_hit = 0;      // tokens that need not be computed
  std::uint64_t n_copies = 0;             // blocks copied on write
};

class KvManager {
 public:
  static Result<KvManager> create(KvConfig config);

  // A sequence of no positions. Only sequences with the same salt share prefixes (see root_hash).
  Result<SequenceId> open(Salt salt);
  // A sequence that holds all that `parent` holds; whichever writes first into a shared block gets a copy. Positions
  // that extend() has promised but no step that runs before the child's has written cannot be shared.
  Result<SequenceId> fork(SequenceId parent);
  // Gives all blocks back; published ones stay findable until their memory is needed.
  Status release(SequenceId id);

  // Code::limit when a sequence of this length could not run even alone, `max_rows` positions a step at most.
  [[nodiscard]] Status can_ever_fit(std::uint32_t n_positions, std::uint32_t max_rows) const;

  // How many of the first tokens need not be computed: the longest prefix of full blocks of which every group still
  // holds all that a query right after it can see. Never all of `tokens`: the last one is always left to compute.
  [[nodiscard]] std::uint32_t match_prefix(std::span<const TokenId> tokens, Salt salt) const;
  // The same for a sequence of no positions, which then holds that prefix.
  Result<std::uint32_t> adopt_prefix(SequenceId id, std::span<const TokenId> tokens);

  // Makes positions [n, n + n_new) writable in all groups, n being n_positions(id). Code::limit, with nothing changed,
  // when a pool has too few blocks or the sequence would pass max_positions.
  Status extend(SequenceId id, std::uint32_t n_new);
  // Forgets positions n_positions and later. Refused when a key that the next query would see has been dropped already.
  Status truncate(SequenceId id, std::uint32_t n_positions);
  // After a step: `tokens` are the sequence's, from position 0, as far as K and V are computed. Publishes the blocks
  // that became full; one whose content is already published stays private.
  Status commit(SequenceId id, std::span<const TokenId> tokens);
  // The backend has lost its bytes: no prefix is to be found any more. Only while no sequence is open.
  Status forget_all();
  // Drops the blocks that no query at `next_position` or later can see. A later truncate cannot go back far behind it,
  // so a speculating caller passes a position that is certain.
  Status drop_out_of_window(SequenceId id, std::uint32_t next_position);

  // Zero for an id that is not open.
  [[nodiscard]] std::uint32_t n_positions(SequenceId id) const;
  // The block of each kBlockPositions positions, kNoBlock where dropped; empty for an id that is not open. Valid until
  // the sequence changes.
  [[nodiscard]] std::span<const BlockId> block_table(SequenceId id, std::uint32_t group) const;

  // Copies to be done before the next step, in this order: a later one may read or overwrite an earlier one's blocks.
  [[nodiscard]] std::span<const CopyBlock> pending_copies() const { return copies_; }
  void clear_copies() { copies_.clear(); }

  [[nodiscard]] std::span<const LayerGroup> groups() const { return config_.groups; }
  [[nodiscard]] const BlockPool& pool(std::uint32_t group) const { return pools_[group]; }
  [[nodiscard]] GroupUsage usage(std::uint32_t group) const;
  [[nodiscard]] const KvCounters& counters() const { return counters_; }
  [[nodiscard]] std::uint32_t n_sequences() const { return sequences_.n_live(); }

 private:
  KvManager(KvConfig config, std::vector<BlockPool> pools, SequenceTable sequences);
  [[nodiscard]] std::uint32_t n_groups() const { return static_cast<std::uint32_t>(pools_.size()); }
  // Blocks that extend() would take from `group`.
  [[nodiscard]] std::uint32_t blocks_to_take(SequenceId id, std::uint32_t group, std::uint32_t n_new) const;
  void make_tail_writable(SequenceId id, std::uint32_t group);
  // Releases blocks [first, end) of every group's table, last first: the end of a prefix is worth less than its start.
  void release_blocks(SequenceId id, std::uint32_t first, std::uint32_t end);
  // match_prefix in blocks; stores the hash of each block looked at when `hashes` has room.
  std::uint32_t match_blocks(std::span<const TokenId> tokens, Salt salt, std::span<BlockHash> hashes) const;

  KvConfig config_;
  std::vector<BlockPool> pools_;  // [groups]
  SequenceTable sequences_;
  std::vector<CopyBlock> copies_;
  mutable std::vector<std::uint32_t> run_start_;  // [groups], scratch of match_blocks
  KvCounters counters_;
};

}  // namespace wisp::kv
