// Random operations on a KvManager beside a naive model of what they mean. The model keeps each sequence's tokens, and
// plays the backend: every cell of every block remembers which position of which text was written into it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "kv/manager.h"

namespace wisp::kv {
namespace {

using Tokens = std::vector<TokenId>;

// Identifies a position together with all tokens up to it, as its K and V do.
using Cell = std::uint64_t;

// The cell of each position of a text.
std::vector<Cell> cells_of(const Tokens& tokens, std::uint64_t salt) {
  std::vector<Cell> cells;
  Cell cell = salt + 1;
  for (const TokenId token : tokens) {
    cell = (cell ^ static_cast<Cell>(token)) * 0x100000001B3u + 0x9E3779B97F4A7C15u;
    cell ^= cell >> 29;
    cells.push_back(cell);
  }
  return cells;
}

struct Modelled {
  SequenceId id;
  std::uint64_t salt;
  Tokens tokens;                 // of all positions that are computed
  std::uint32_t dropped_at = 0;  // the furthest position that drop_out_of_window was told
};

bool visible(const LayerGroup& group, std::uint32_t query, std::uint32_t key) {
  return !group.window || query - key < *group.window || key < group.sinks;
}

bool block_visible(const LayerGroup& group, std::uint32_t query, std::uint32_t block) {
  const std::uint32_t first = block * kBlockPositions;
  for (std::uint32_t key = first; key < first + kBlockPositions && key < query; ++key) {
    if (visible(group, query, key)) return true;
  }
  return false;
}

class Model {
 public:
  Model(std::vector<LayerGroup> groups, std::uint32_t n_blocks, std::uint32_t seed)
      : groups_(std::move(groups)), random_(seed), manager_(make(groups_, n_blocks)) {
    cells_.assign(groups_.size(), std::vector<Cell>(std::size_t{n_blocks} * kBlockPositions, 0));
    for (Tokens& stream : streams_) {
      for (TokenId& token : stream) token = static_cast<TokenId>(random_() % 1000);
    }
  }

  void run(int n_operations) {
    for (int i = 0; i < n_operations && !testing::Test::HasFailure(); ++i) {
      switch (below(8)) {
        case 0: begin(); break;
        case 1: fork(); break;
        case 2: release(); break;
        case 3: truncate(); break;
        default: step(); break;
      }
      check();
    }
  }

  int n_hits = 0, n_copies = 0, n_refused_extends = 0, n_refused_truncates = 0, n_dropped = 0;
  [[nodiscard]] std::uint64_t n_evictions() const {
    std::uint64_t sum = 0;
    for (std::uint32_t group = 0; group < groups_.size(); ++group) sum += manager_.usage(group).n_evictions;
    return sum;
  }

 private:
  static constexpr std::uint32_t kMaxPositions = 700;

  static KvManager make(std::vector<LayerGroup>& groups, std::uint32_t n_blocks) {
    for (std::size_t i = 0; i < groups.size(); ++i) groups[i].index = static_cast<int>(i);
    KvConfig config = {.groups = groups, .n_blocks = {}, .max_sequences = 6, .max_positions = kMaxPositions};
    config.n_blocks.assign(groups.size(), n_blocks);
    return KvManager::create(std::move(config)).value();
  }

  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }
  Modelled* pick() {
    return sequences_.empty() ? nullptr : &sequences_[below(static_cast<std::uint32_t>(sequences_.size()))];
  }
  Cell& cell(std::size_t group, BlockId block, std::uint32_t offset) {
    return cells_[group][static_cast<std::size_t>(block) * kBlockPositions + offset];
  }

  // Mostly goes on as one of three texts do, so that prefixes meet again.
  void append(Tokens& tokens, std::uint32_t n) {
    const Tokens& stream = streams_[tokens.empty() ? below(3) : static_cast<std::size_t>(tokens[0]) % 3];
    const bool stray = below(6) == 0;
    for (std::uint32_t i = 0; i < n; ++i) {
      tokens.push_back(stray && i + 1 == n ? static_cast<TokenId>(below(50)) : stream[tokens.size()]);
    }
  }

  // By looking at what all published blocks hold instead of at hashes.
  std::uint32_t naive_match(const Tokens& tokens, std::uint64_t salt) {
    const std::vector<Cell> wanted = cells_of(tokens, salt);
    const auto held = [&](std::uint32_t group, std::uint32_t block) {
      for (BlockId candidate = 0; static_cast<std::uint32_t>(candidate) < manager_.pool(group).n_blocks();
           ++candidate) {
        if (!manager_.pool(group).published(candidate)) continue;
        if (std::equal(&cell(group, candidate, 0), &cell(group, candidate, 0) + kBlockPositions,
                       wanted.begin() + block * kBlockPositions)) {
          return true;
        }
      }
      return false;
    };
    if (tokens.empty()) return 0;
    for (auto n = static_cast<std::uint32_t>((tokens.size() - 1) / kBlockPositions); n > 0; --n) {
      bool all = true;
      for (std::uint32_t group = 0; group < groups_.size(); ++group) {
        for (std::uint32_t block = 0; all && block < n; ++block) {
          if (block_visible(groups_[group], n * kBlockPositions, block)) all = held(group, block);
        }
      }
      if (all) return n * kBlockPositions;
    }
    return 0;
  }

  void begin() {
    const std::uint64_t salt = below(5) == 0 ? 1 : 0;
    Tokens prompt;
    append(prompt, 1 + below(200));
    const Result<SequenceId> id = manager_.open(salt);
    ASSERT_EQ(id.has_value(), sequences_.size() < 6);
    if (!id) return;
    const std::uint32_t expected = naive_match(prompt, salt);
    ASSERT_EQ(manager_.match_prefix(prompt, salt), expected);
    ASSERT_EQ(manager_.adopt_prefix(*id, prompt), expected);
    n_hits += expected > 0 ? 1 : 0;
    prompt.resize(expected);
    sequences_.push_back({*id, salt, prompt, expected});
  }

  void fork() {
    const Modelled* parent = pick();
    if (parent == nullptr) return;
    const Result<SequenceId> child = manager_.fork(parent->id);
    ASSERT_EQ(child.has_value(), sequences_.size() < 6);
    if (!child) return;
    Modelled copy = *parent;
    copy.id = *child;
    sequences_.push_back(copy);
  }

  void release() {
    if (sequences_.empty()) return;
    const std::size_t at = below(static_cast<std::uint32_t>(sequences_.size()));
    ASSERT_TRUE(manager_.release(sequences_[at].id).has_value());
    sequences_.erase(sequences_.begin() + static_cast<std::ptrdiff_t>(at));
  }

  void truncate() {
    Modelled* sequence = pick();
    if (sequence == nullptr) return;
    const auto old = static_cast<std::uint32_t>(sequence->tokens.size());
    const std::uint32_t n = below(3) == 0 ? below(old + 1) : old - std::min(old, below(10));
    bool possible = true;
    for (std::uint32_t group = 0; group < groups_.size(); ++group) {
      for (std::uint32_t block = 0; block < blocks_for(n); ++block) {
        // A partly kept block is written on, so it must be there even where the window has just left it.
        const bool needed = block_visible(groups_[group], n, block) || block == n / kBlockPositions;
        possible = possible && (!needed || manager_.block_table(sequence->id, group)[block] != kNoBlock);
      }
    }
    ASSERT_EQ(manager_.truncate(sequence->id, n).has_value(), possible);
    n_refused_truncates += possible ? 0 : 1;
    if (!possible) return;
    sequence->tokens.resize(n);
    sequence->dropped_at = std::min(sequence->dropped_at, n);
  }

  // Several sequences extend, some are released again before the backend gets to work, then it copies and writes.
  void step() {
    std::vector<std::pair<SequenceId, Tokens>> rows;
    for (Modelled& sequence : sequences_) {
      if (below(2) == 0) continue;
      const auto n = static_cast<std::uint32_t>(sequence.tokens.size());
      if (below(2) == 0) {
        ASSERT_TRUE(manager_.drop_out_of_window(sequence.id, n).has_value());
        sequence.dropped_at = n;
      }
      const std::uint32_t n_new = below(3) == 0 ? below(120) : 1;
      const std::size_t n_copies_before = manager_.pending_copies().size();
      if (!manager_.extend(sequence.id, n_new).has_value()) {
        ++n_refused_extends;
        ASSERT_EQ(manager_.n_positions(sequence.id), n);
        ASSERT_EQ(manager_.pending_copies().size(), n_copies_before);
        continue;
      }
      Tokens tokens = sequence.tokens;
      append(tokens, n_new);
      rows.emplace_back(sequence.id, std::move(tokens));
    }
    if (below(4) == 0) release();
    for (const CopyBlock& copy : manager_.pending_copies()) {
      const auto group = static_cast<std::size_t>(copy.group);
      for (std::uint32_t i = 0; i < copy.n_positions; ++i) cell(group, copy.to, i) = cell(group, copy.from, i);
      ++n_copies;
    }
    manager_.clear_copies();
    for (Modelled& sequence : sequences_) {
      const auto row = std::ranges::find(rows, sequence.id, [](const auto& entry) { return entry.first; });
      if (row != rows.end()) write(sequence, row->second);
    }
    for (Modelled& sequence : sequences_) {
      if (below(4) != 0) ASSERT_TRUE(manager_.commit(sequence.id, sequence.tokens).has_value());
    }
  }

  void write(Modelled& sequence, const Tokens& tokens) {
    const std::vector<Cell> cells = cells_of(tokens, sequence.salt);
    for (std::uint32_t group = 0; group < groups_.size(); ++group) {
      for (auto position = static_cast<std::uint32_t>(sequence.tokens.size()); position < tokens.size(); ++position) {
        const BlockId block = manager_.block_table(sequence.id, group)[position / kBlockPositions];
        ASSERT_NE(block, kNoBlock);
        ASSERT_EQ(manager_.pool(group).references(block), 1u) << "a shared block is written";
        ASSERT_FALSE(manager_.pool(group).published(block)) << "a block that others may find is written";
        cell(group, block, position % kBlockPositions) = cells[position];
      }
    }
    sequence.tokens = tokens;
  }

  void check() {
    for (std::uint32_t group = 0; group < groups_.size(); ++group) {
      std::map<BlockId, std::uint32_t> holders;
      for (const Modelled& sequence : sequences_) check_sequence(sequence, group, holders);
      const BlockPool& pool = manager_.pool(group);
      std::uint32_t n_cached = 0;
      for (BlockId block = 0; static_cast<std::uint32_t>(block) < pool.n_blocks(); ++block) {
        ASSERT_EQ(pool.references(block), holders.contains(block) ? holders[block] : 0) << "block " << block;
        n_cached += pool.published(block) && !holders.contains(block) ? 1 : 0;
      }
      const GroupUsage usage = manager_.usage(group);
      ASSERT_EQ(usage.n_used, holders.size());
      ASSERT_EQ(usage.n_cached, n_cached);
      ASSERT_EQ(usage.n_used + usage.n_cached + usage.n_free, usage.n_blocks);
    }
  }

  // What a query at the next position sees is there and right; what it cannot see was dropped when asked.
  void check_sequence(const Modelled& sequence, std::uint32_t group, std::map<BlockId, std::uint32_t>& holders) {
    const auto table = manager_.block_table(sequence.id, group);
    const auto n = static_cast<std::uint32_t>(sequence.tokens.size());
    ASSERT_EQ(manager_.n_positions(sequence.id), n);
    ASSERT_EQ(table.size(), blocks_for(n));
    const std::vector<Cell> cells = cells_of(sequence.tokens, sequence.salt);
    for (std::uint32_t block = 0; block < table.size(); ++block) {
      if (table[block] == kNoBlock) {
        ASSERT_FALSE(block_visible(groups_[group], n, block)) << "position " << n << " misses block " << block;
        ++n_dropped;
        continue;
      }
      ++holders[table[block]];
      const bool full = (block + 1) * kBlockPositions <= sequence.dropped_at;
      ASSERT_TRUE(!full || block_visible(groups_[group], sequence.dropped_at, block))
          << "block " << block << " was kept";
      for (std::uint32_t position = block * kBlockPositions; position < std::min(n, (block + 1) * kBlockPositions);
           ++position) {
        ASSERT_EQ(cell(group, table[block], position % kBlockPositions), cells[position]) << "position " << position;
      }
    }
  }

  std::vector<LayerGroup> groups_;
  std::mt19937 random_;
  KvManager manager_;
  std::vector<Modelled> sequences_;
  std::vector<std::vector<Cell>> cells_;  // [group][block * kBlockPositions + offset]
  std::array<Tokens, 3> streams_{Tokens(2 * kMaxPositions), Tokens(2 * kMaxPositions), Tokens(2 * kMaxPositions)};
};

TEST(KvManagerModel, RandomOperationsMeanWhatTheNaiveModelSays) {
  const std::vector<std::vector<LayerGroup>> layouts = {
      {{}},
      {{}, {.window = 40u}},
      {{.window = 33u, .sinks = 5}},
      {{.window = 1u}, {.window = 64u, .sinks = 70}},
      {{}, {.window = 7u}, {.window = 100u, .sinks = 1}},
  };
  for (std::size_t layout = 0; layout < layouts.size(); ++layout) {
    int n_hits = 0, n_copies = 0, n_refused_extends = 0, n_refused_truncates = 0, n_dropped = 0;
    std::uint64_t n_evictions = 0;
    for (std::uint32_t seed = 0; seed < 6; ++seed) {
      SCOPED_TRACE(testing::Message() << "layout " << layout << ", seed " << seed);
      Model model(layouts[layout], seed % 2 == 0 ? 14 : 30, seed);
      model.run(600);
      ASSERT_FALSE(HasFailure());
      n_hits += model.n_hits;
      n_copies += model.n_copies;
      n_refused_extends += model.n_refused_extends;
      n_refused_truncates += model.n_refused_truncates;
      n_dropped += model.n_dropped;
      n_evictions += model.n_evictions();
    }
    // The run reached every case that it is there for.
    const bool windowed = layouts[layout].back().window.has_value();
    EXPECT_GT(n_hits, 10);
    EXPECT_GT(n_copies, 10);
    EXPECT_GT(n_evictions, 10u);
    EXPECT_GT(n_refused_extends, 10);
    EXPECT_EQ(n_dropped > 100, windowed);
    EXPECT_EQ(n_refused_truncates > 10, windowed);
  }
}

}  // namespace
}  // namespace wisp::kv
