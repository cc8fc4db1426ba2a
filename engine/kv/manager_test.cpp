#include "kv/manager.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace wisp::kv {
namespace {

using Tokens = std::vector<TokenId>;
using Blocks = std::vector<BlockId>;

KvManager make(std::vector<LayerGroup> groups, std::vector<std::uint32_t> n_blocks, std::uint32_t max_sequences = 8) {
  KvConfig config;
  for (std::size_t i = 0; i < groups.size(); ++i) groups[i].index = static_cast<int>(i);
  config.groups = std::move(groups);
  config.n_blocks = std::move(n_blocks);
  config.max_sequences = max_sequences;
  config.max_positions = 4096;
  Result<KvManager> manager = KvManager::create(std::move(config));
  EXPECT_TRUE(manager.has_value());
  return std::move(*manager);
}

Tokens counting(std::size_t n, TokenId first = 0) {
  Tokens tokens(n);
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

Blocks table(const KvManager& manager, SequenceId id, std::uint32_t group = 0) {
  const auto blocks = manager.block_table(id, group);
  return {blocks.begin(), blocks.end()};
}

// A sequence that has computed `tokens`.
SequenceId computed(KvManager& manager, const Tokens& tokens, std::uint64_t salt = 0) {
  const SequenceId id = manager.open(salt).value();
  EXPECT_TRUE(manager.extend(id, static_cast<std::uint32_t>(tokens.size())).has_value());
  EXPECT_TRUE(manager.commit(id, tokens).has_value());
  return id;
}

TEST(KvManager, TakesBlocksOnDemand) {
  KvManager manager = make({{}}, {4});
  const SequenceId id = manager.open(0).value();
  EXPECT_EQ(manager.usage(0).n_used, 0u);
  ASSERT_TRUE(manager.extend(id, 1).has_value());
  EXPECT_EQ(manager.usage(0).n_used, 1u);
  ASSERT_TRUE(manager.extend(id, 31).has_value());
  EXPECT_EQ(manager.usage(0).n_used, 1u);
  ASSERT_TRUE(manager.extend(id, 33).has_value());
  EXPECT_EQ(table(manager, id), (Blocks{0, 1, 2}));
  EXPECT_EQ(manager.n_positions(id), 65u);
}

TEST(KvManager, ForgetsEveryPrefixOnceAllSequencesAreReleased) {
  KvManager manager = make({{}, {.window = 40}}, {8, 8});
  const Tokens tokens = counting(70);
  const SequenceId id = computed(manager, tokens);
  EXPECT_EQ(manager.forget_all().error().code, Code::invalid_argument);
  EXPECT_EQ(manager.match_prefix(tokens, 0), 64u);
  ASSERT_TRUE(manager.release(id).has_value());
  EXPECT_EQ(manager.match_prefix(tokens, 0), 64u);
  ASSERT_TRUE(manager.forget_all().has_value());
  EXPECT_EQ(manager.match_prefix(tokens, 0), 0u);
  for (const std::uint32_t group : {0u, 1u}) EXPECT_EQ(manager.usage(group).n_free, 8u);
}

TEST(KvManager, ExtendsInAllGroupsOrInNone) {
  KvManager manager = make({{}, {}}, {4, 2});
  const SequenceId id = manager.open(0).value();
  const Status status = manager.extend(id, 65);
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, Code::limit);
  EXPECT_EQ(manager.usage(0).n_used, 0u);
  EXPECT_EQ(manager.n_positions(id), 0u);
  EXPECT_TRUE(manager.extend(id, 64).has_value());
  EXPECT_EQ(manager.extend(id, 4096).error().code, Code::limit);
}

TEST(KvManager, SharesAPrefixButNeverTheLastToken) {
  KvManager manager = make({{}}, {8});
  const Tokens tokens = counting(96);
  const SequenceId first = computed(manager, tokens);
  EXPECT_EQ(manager.match_prefix(tokens, 0), 64u);
  EXPECT_EQ(manager.match_prefix(counting(97), 0), 96u);
  EXPECT_EQ(manager.match_prefix(counting(32), 0), 0u);
  EXPECT_EQ(manager.match_prefix({}, 0), 0u);
  EXPECT_EQ(manager.match_prefix(counting(97), 1), 0u) << "another salt";
  Tokens other = counting(97);
  other[40] = 7;
  EXPECT_EQ(manager.match_prefix(other, 0), 32u);

  const SequenceId second = manager.open(0).value();
  EXPECT_EQ(manager.adopt_prefix(second, tokens), 64u);
  ASSERT_TRUE(manager.extend(second, 32).has_value());
  ASSERT_TRUE(manager.commit(second, tokens).has_value());
  EXPECT_EQ(table(manager, first), (Blocks{0, 1, 2}));
  EXPECT_EQ(table(manager, second), (Blocks{0, 1, 3}));
  ASSERT_TRUE(manager.release(first).has_value());
  ASSERT_TRUE(manager.release(second).has_value());
  EXPECT_EQ(manager.usage(0).n_cached, 3u) << "the second copy of block 2 was never published";
  EXPECT_EQ(manager.match_prefix(counting(97), 0), 96u);
  EXPECT_EQ(manager.counters().n_prefix_queries, 1u);
  EXPECT_EQ(manager.counters().n_prefix_hits, 1u);
  EXPECT_EQ(manager.counters().n_positions_hit, 64u);
  EXPECT_EQ(manager.counters().n_positions_queried, 96u);
}

TEST(KvManager, EvictsTheEndOfAPrefixBeforeItsStart) {
  KvManager manager = make({{}}, {3});
  ASSERT_TRUE(manager.release(computed(manager, counting(96))).has_value());
  EXPECT_EQ(manager.usage(0).n_cached, 3u);
  const SequenceId id = manager.open(0).value();
  ASSERT_TRUE(manager.extend(id, 1).has_value());
  EXPECT_EQ(manager.match_prefix(counting(97), 0), 64u);
  EXPECT_EQ(manager.usage(0).n_evictions, 1u);
}

TEST(KvManager, CopiesASharedTailOnWrite) {
  KvManager manager = make({{}}, {8});
  const SequenceId parent = computed(manager, counting(40));
  const SequenceId child = manager.fork(parent).value();
  EXPECT_EQ(table(manager, child), table(manager, parent));
  EXPECT_EQ(manager.usage(0).n_used, 2u);
  ASSERT_TRUE(manager.extend(child, 1).has_value());
  ASSERT_EQ(manager.pending_copies().size(), 1u);
  EXPECT_EQ(manager.pending_copies()[0], (CopyBlock{0, 1, 2, 8}));
  EXPECT_EQ(table(manager, child), (Blocks{0, 2}));
  ASSERT_TRUE(manager.extend(parent, 1).has_value());
  EXPECT_EQ(manager.pending_copies().size(), 1u) << "the parent is now the only holder";
  EXPECT_EQ(manager.counters().n_copies, 1u);
  manager.clear_copies();
  ASSERT_TRUE(manager.extend(manager.fork(computed(manager, counting(64, 500))).value(), 1).has_value());
  EXPECT_TRUE(manager.pending_copies().empty()) << "a full block is not written again";
}

TEST(KvManager, ACopyThatDoesNotFitChangesNothing) {
  KvManager manager = make({{}}, {2});
  const SequenceId parent = computed(manager, counting(40));
  const SequenceId child = manager.fork(parent).value();
  EXPECT_EQ(manager.extend(child, 1).error().code, Code::limit);
  EXPECT_TRUE(manager.pending_copies().empty());
  EXPECT_EQ(table(manager, child), table(manager, parent));
  ASSERT_TRUE(manager.release(parent).has_value());
  EXPECT_TRUE(manager.extend(child, 1).has_value());
}

TEST(KvManager, DropsWhatLeftTheWindowInThatGroupAlone) {
  KvManager manager = make({{}, {.window = 33u}, {.window = 33u, .sinks = 1}}, {16, 16, 16});
  const SequenceId id = computed(manager, counting(128));
  // A query at 96 sees 64 and later, at 97 from 65, at 128 from 96.
  ASSERT_TRUE(manager.drop_out_of_window(id, 95).has_value());
  EXPECT_EQ(table(manager, id, 1), (Blocks{kNoBlock, 1, 2, 3}));
  ASSERT_TRUE(manager.drop_out_of_window(id, 96).has_value());
  EXPECT_EQ(table(manager, id, 1), (Blocks{kNoBlock, kNoBlock, 2, 3}));
  ASSERT_TRUE(manager.drop_out_of_window(id, 127).has_value());
  EXPECT_EQ(table(manager, id, 1), (Blocks{kNoBlock, kNoBlock, 2, 3}));
  ASSERT_TRUE(manager.drop_out_of_window(id, 128).has_value());
  EXPECT_EQ(table(manager, id, 0), (Blocks{0, 1, 2, 3}));
  EXPECT_EQ(table(manager, id, 1), (Blocks{kNoBlock, kNoBlock, kNoBlock, 3}));
  EXPECT_EQ(table(manager, id, 2), (Blocks{0, kNoBlock, kNoBlock, 3}));
  EXPECT_EQ(manager.usage(1).n_used, 1u);
  EXPECT_EQ(manager.drop_out_of_window(id, 129).error().code, Code::invalid_argument);
}

TEST(KvManager, TextOfAnyLengthFitsAWindowsBlocks) {
  constexpr std::uint32_t kWindow = 100, kSinks = 4;
  const LayerGroup group = {.window = kWindow, .sinks = kSinks};
  KvManager manager = make({group}, {most_blocks(group, 4096, 1)});
  ASSERT_TRUE(manager.can_ever_fit(4096, 1).has_value());
  EXPECT_EQ(manager.can_ever_fit(4096, 256).error().code, Code::limit);
  EXPECT_EQ(manager.can_ever_fit(4097, 1).error().code, Code::limit);
  const SequenceId id = manager.open(0).value();
  for (std::uint32_t n = 0; n < 4096; ++n) {
    ASSERT_TRUE(manager.drop_out_of_window(id, n).has_value());
    ASSERT_TRUE(manager.extend(id, 1).has_value()) << n;
  }
}

// The prefix is usable although the windowed group lost its start, as long as a query behind it sees none of that.
TEST(KvManager, AWindowedGroupNeedsOnlyTheEndOfAPrefix) {
  KvManager manager = make({{}, {.window = 20u}}, {16, 8});
  const SequenceId id = computed(manager, counting(128));
  ASSERT_TRUE(manager.drop_out_of_window(id, 128).has_value());
  const SequenceId greedy = manager.open(0).value();  // takes the dropped blocks' memory in group 1
  ASSERT_TRUE(manager.extend(greedy, 4 * kBlockPositions).has_value());
  EXPECT_EQ(manager.usage(1).n_cached, 3u);
  EXPECT_EQ(manager.match_prefix(counting(129), 0), 128u);
  EXPECT_EQ(manager.match_prefix(counting(128), 0), 96u) << "block 2 is cached";
  const SequenceId other = computed(manager, counting(96, 1000), 5);  // evicts the three cached ones in group 1
  EXPECT_EQ(manager.usage(1).n_cached, 0u);
  EXPECT_EQ(manager.match_prefix(counting(128), 0), 0u);
  EXPECT_EQ(manager.match_prefix(counting(129), 0), 128u);
  const SequenceId adopter = manager.open(0).value();
  EXPECT_EQ(manager.adopt_prefix(adopter, counting(129)), 128u);
  EXPECT_EQ(table(manager, adopter, 0), table(manager, id, 0));
  EXPECT_EQ(table(manager, adopter, 1), (Blocks{kNoBlock, kNoBlock, kNoBlock, 3}));
  EXPECT_TRUE(manager.release(other).has_value());
}

TEST(KvManager, TruncatedContentIsNotFoundOnceOverwritten) {
  KvManager manager = make({{}}, {8});
  const SequenceId id = computed(manager, counting(64));
  EXPECT_EQ(manager.match_prefix(counting(65), 0), 64u);
  ASSERT_TRUE(manager.truncate(id, 40).has_value());
  EXPECT_EQ(manager.match_prefix(counting(65), 0), 64u) << "still there until it is written over";
  ASSERT_TRUE(manager.extend(id, 1).has_value());
  EXPECT_EQ(manager.match_prefix(counting(65), 0), 32u);
  ASSERT_TRUE(manager.truncate(id, 0).has_value());
  EXPECT_EQ(manager.usage(0).n_used, 0u);
}

TEST(KvManager, ARewrittenTailIsPublishedAnew) {
  KvManager manager = make({{}}, {8});
  const SequenceId id = computed(manager, counting(64));
  ASSERT_TRUE(manager.truncate(id, 20).has_value());
  ASSERT_TRUE(manager.extend(id, 76).has_value());
  Tokens other = counting(97);
  other[20] = 5;
  ASSERT_TRUE(manager.commit(id, std::span(other).first(96)).has_value());
  EXPECT_EQ(manager.match_prefix(other, 0), 96u);
  EXPECT_EQ(manager.match_prefix(counting(97), 0), 0u);
}

// The end of the prefix is there, as the window wants, but the sink is not.
TEST(KvManager, AWindowedGroupNeedsItsSinks) {
  for (const std::uint32_t sinks : {0u, 1u}) {
    KvManager manager = make({{.window = 20u, .sinks = sinks}}, {8});
    const SequenceId id = computed(manager, counting(128));
    ASSERT_TRUE(manager.truncate(id, 10).has_value());
    ASSERT_TRUE(manager.extend(id, 1).has_value());  // block 0 is written over
    EXPECT_EQ(manager.match_prefix(counting(129), 0), sinks == 0 ? 128u : 0u);
  }
}

TEST(KvManager, TruncateRefusesToGoBehindTheWindow) {
  KvManager manager = make({{.window = 40u}}, {8});
  const SequenceId id = computed(manager, counting(200));
  ASSERT_TRUE(manager.drop_out_of_window(id, 200).has_value());  // a query at 200 sees 161 and later, so 160 is held
  EXPECT_TRUE(manager.truncate(id, 199).has_value());
  EXPECT_EQ(manager.truncate(id, 198).error().code, Code::invalid_argument);
  EXPECT_EQ(manager.n_positions(id), 199u);
  EXPECT_EQ(manager.truncate(id, 200).error().code, Code::invalid_argument);
  EXPECT_TRUE(manager.truncate(id, 0).has_value());
}

TEST(KvManager, RefusesStaleIdsAndNonsense) {
  KvManager manager = make({{}}, {4}, 1);
  const SequenceId id = manager.open(0).value();
  EXPECT_EQ(manager.open(0).error().code, Code::limit);
  EXPECT_EQ(manager.commit(id, counting(1)).error().code, Code::invalid_argument);
  ASSERT_TRUE(manager.extend(id, 1).has_value());
  EXPECT_EQ(manager.adopt_prefix(id, counting(64)).error().code, Code::invalid_argument);
  ASSERT_TRUE(manager.release(id).has_value());
  const SequenceId again = manager.open(0).value();
  EXPECT_EQ(again.slot, id.slot);
  for (const SequenceId stale : {id, SequenceId{}, SequenceId{.slot = 1, .generation = 1}}) {
    EXPECT_EQ(manager.release(stale).error().code, Code::not_found);
    EXPECT_EQ(manager.extend(stale, 1).error().code, Code::not_found);
    EXPECT_EQ(manager.truncate(stale, 0).error().code, Code::not_found);
    EXPECT_EQ(manager.commit(stale, {}).error().code, Code::not_found);
    EXPECT_EQ(manager.drop_out_of_window(stale, 0).error().code, Code::not_found);
    EXPECT_EQ(manager.adopt_prefix(stale, {}).error().code, Code::not_found);
    EXPECT_EQ(manager.fork(stale).error().code, Code::not_found);
    EXPECT_EQ(manager.n_positions(stale), 0u);
    EXPECT_TRUE(manager.block_table(stale, 0).empty());
  }
}

TEST(KvManager, RefusesImpossibleConfigurations) {
  const auto code = [](KvConfig config) { return KvManager::create(std::move(config)).error().code; };
  const KvConfig good = {.groups = {{}}, .n_blocks = {4}, .max_sequences = 1, .max_positions = 64};
  EXPECT_TRUE(KvManager::create(good).has_value());
  KvConfig bad = good;
  bad.groups.clear();
  EXPECT_EQ(code(bad), Code::invalid_argument);
  bad = good;
  bad.n_blocks = {4, 4};
  EXPECT_EQ(code(bad), Code::invalid_argument);
  bad = good;
  bad.groups[0].window = 0;
  EXPECT_EQ(code(bad), Code::invalid_argument);
  bad = good;
  bad.groups[0].index = 1;
  EXPECT_EQ(code(bad), Code::invalid_argument);
  bad = good;
  bad.max_positions = 0;
  EXPECT_EQ(code(bad), Code::invalid_argument);
  bad = good;
  bad.max_sequences = 0;
  EXPECT_EQ(code(bad), Code::invalid_argument);
  bad = good;
  bad.max_sequences = 1u << 20;
  bad.max_positions = ~0u;
  EXPECT_EQ(code(bad), Code::out_of_memory);
}

}  // namespace
}  // namespace wisp::kv
