// What each sequence holds: a block table per layer group and the hashes of its full blocks. The memory for all
// sequences up to the longest context is asked for once, and costs nothing until it is used.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/memory.h"
#include "base/result.h"
#include "kv/block_hash.h"
#include "kv/layout.h"

namespace wisp::kv {

// A sequence of a KvManager. An id is never used twice: after release() it is only refused.
struct SequenceId {
  std::uint32_t slot = 0xFFFFFFFFu;
  std::uint32_t generation = 0;
  bool operator==(const SequenceId&) const = default;
};

class SequenceTable {
 public:
  static Result<SequenceTable> create(std::uint32_t n_slots, std::uint32_t n_groups, std::uint32_t max_positions);

  struct Sequence {
    Salt salt = {};
    std::uint32_t generation = 0;
    bool live = false;
    std::uint32_t n_positions = 0;  // every group's table has blocks_for(n_positions) entries
    std::uint32_t n_hashed = 0;     // full blocks whose hash is known
  };

  // Code::limit when all slots are taken.
  Result<SequenceId> open(Salt salt);
  void close(SequenceId id);
  // nullptr for an id that was closed or never opened.
  [[nodiscard]] Sequence* find(SequenceId id);
  [[nodiscard]] const Sequence* find(SequenceId id) const;

  // [max_blocks] each; entries past the sequence's own count mean nothing.
  [[nodiscard]] std::span<BlockId> blocks(SequenceId id, std::uint32_t group) const;
  [[nodiscard]] std::span<BlockHash> hashes(SequenceId id) const;
  // Blocks [sink_blocks, first_held) of a table are known to be dropped, so nobody has to look again. [n_groups]
  [[nodiscard]] std::uint32_t& first_held(SequenceId id, std::uint32_t group);

  [[nodiscard]] std::uint32_t max_positions() const { return max_positions_; }
  [[nodiscard]] std::uint32_t n_slots() const { return static_cast<std::uint32_t>(sequences_.size()); }
  [[nodiscard]] std::uint32_t n_live() const { return n_slots() - static_cast<std::uint32_t>(free_slots_.size()); }

 private:
  std::uint32_t n_groups_ = 0;
  std::uint32_t max_positions_ = 0;
  std::size_t max_blocks_ = 0;
  Buffer block_memory_;  // BlockId [slot, group, block]
  Buffer hash_memory_;   // BlockHash [slot, block]
  std::vector<Sequence> sequences_;
  std::vector<std::uint32_t> first_held_;  // [slot, group]
  std::vector<std::uint32_t> free_slots_;
};

}  // namespace wisp::kv
