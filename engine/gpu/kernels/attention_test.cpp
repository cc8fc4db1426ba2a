// The attention kernels against graph/scalar_attention.h on the software drivers: steps of several sequences over
// permuted blocks, through the step buffer that the executor writes. Keys and values that no row sees are NaN.
#include "gpu/kernels/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "base/checked.h"
#include "gpu/program.h"
#include "gpu/step_buffer.h"
#include "gpu/step_writer.h"
#include "gpu/tuner/tuning_task.h"
#include "graph/scalar_attention.h"
#include "graph/step_check.h"
#include "tests/gpu_devices.h"
#include "tests/gpu_kv_image.h"
#include "tests/test_data.h"

namespace wisp::gpu {
namespace {

using graph::KvType;
using graph::scalar::KvPart;

// Rows of one sequence that a step computes: [first, first + rows).
struct Piece {
  std::int32_t first;
  std::int32_t rows;
};

struct Case {
  std::uint32_t kv_heads = 2, queries = 2, head_dim = 64;
  KvType type = KvType::f32;
  std::vector<Piece> runs = {{0, 40}};
  graph::KvGroup group = {};
  float softcap = 0.0f;
  std::uint32_t pairs = 0;  // of RoPE
  graph::RopePairing pairing = graph::RopePairing::adjacent;
  KeyOrder keys = KeyOrder::by_word;
};

std::string name_of(const Case& one) {
  return fmt::format("{}x{} of {}, type {}, window {}, sinks {}, softcap {}, pairs {}", one.kv_heads, one.queries,
                     one.head_dim, static_cast<int>(one.type), one.group.window.value_or(0), one.group.sinks,
                     one.softcap, one.pairs);
}

// How a step is computed: prefill by query tiles and the rest by rows; all by rows; in plain steps.
enum class Way { tiles, rows, plain };
constexpr std::array kWayNames = {"tiles", "rows", "plain"};

// A step on the host and on the device, and the answer.
class Step {
 public:
  Step(const Case& one, std::uint32_t seed) : one_(one), random_(seed) {
    graph_.kv.groups = {one.group};
    graph_.kv.layers = {{0, one.kv_heads, one.head_dim}};
    op_.layer = 0;
    op_.heads = one.kv_heads * one.queries;
    op_.scale = 3.0f / std::sqrt(static_cast<float>(one.head_dim));
    op_.softcap = one.softcap;
    if (one.pairs > 0) {
      graph::RopeSpec rope;
      rope.pairing = one.pairing;
      for (std::uint32_t i = 0; i < one.pairs; ++i)
        rope.inverse_frequency.push_back(std::pow(50.0, -1.0 * i / one.pairs));
      graph_.ropes = {rope};
      op_.rope = 0;
    }
    graph_.ops = {op_};
    list_rows();
    choose_blocks();
    answer();
  }

  // The relative error of what the step leaves in the arena.
  double error(Device& device, Way way) {
    StepWriter writer;
    writer.prepare(graph_);
    SlotRing slots;
    std::vector<std::int32_t> tokens(positions_.size());
    const std::vector<std::span<const std::int32_t>> tables(tables_.begin(), tables_.end());
    const graph::StepInputs inputs{.tokens = tokens,
                                   .positions = positions_,
                                   .sequences = sequences_,
                                   .logit_rows = {},
                                   .tables = tables,
                                   .n_sequences = static_cast<std::uint32_t>(tables_.size()),
                                   .copies = {}};
    const std::span<const std::uint32_t> words = writer.write(graph_, inputs, {}, slots);
    step_.assign(words.begin(), words.end());
    counts_ = writer.counts();

    AttentionSpec spec{.kv_heads = one_.kv_heads,
                       .queries = one_.queries,
                       .head_dim = one_.head_dim,
                       .kv_type = one_.type,
                       .keys = one_.keys,
                       .softcap = one_.softcap != 0.0f,
                       .sinks = one_.group.sinks > 0,
                       .pairs = one_.group.sinks > 0 ? one_.pairs : 0,
                       .pairing = one_.pairing,
                       .listed = way == Way::tiles};
    AttentionInput input{.blocks = blocks_,
                         .scale = op_.scale,
                         .softcap = op_.softcap,
                         .window = one_.group.window.value_or(0),
                         .sinks = one_.group.sinks};
    if (spec.pairs > 0) input.sink_rope = writer.sink_table(0, 0);
    AttentionConstants constants{.input = input};
    constants.splits = div_up(blocks_ * graph::kKvBlock, kSplit);
    const auto out = static_cast<std::uint32_t>(q_.size() + 7);
    constants.partials = out + static_cast<std::uint32_t>(q_.size()) + 7;
    arena_ = q_;
    arena_.resize(constants.partials, std::numeric_limits<float>::quiet_NaN());
    const std::size_t partials = std::size_t{constants.splits} * std::max(one_.head_dim + 2, kSplit);
    arena_.resize(constants.partials + positions_.size() * op_.heads * partials,
                  std::numeric_limits<float>::quiet_NaN());
    if (way == Way::plain) {
      const AttentionPlainConstants plain{.input = input,
                                          .scores = constants.partials,
                                          .stride = constants.splits * kSplit,
                                          .out = out,
                                          .first_row = 0};
      for (const PlainPart part : {PlainPart::scores, PlainPart::softmax, PlainPart::values}) {
        run(device, attention_plain_kernel(spec, part, device.info()), attention_plain_grid(spec, part), plain,
            part != PlainPart::softmax);
      }
    }
    if (way == Way::tiles && counts_.tiles > 0) {
      const auto tile_partials = static_cast<std::uint32_t>(arena_.size());
      arena_.resize(tile_partials + attention_tile_partials(spec), std::numeric_limits<float>::quiet_NaN());
      const AttentionTileConstants tile{.input = input, .out = out, .partials = tile_partials};
      run(device, attention_tile_kernel(spec, device.info()), attention_tile_grid(spec), tile, true);
      if (counts_.tile_splits > 1) {
        run(device, attention_tile_join_kernel(spec, device.info()), attention_tile_join_grid(spec),
            AttentionJoinConstants{.partials = tile_partials, .out = out}, false);
      }
    }
    if (way == Way::rows || (way == Way::tiles && counts_.lone_rows > 0)) {
      run(device, attention_kernel(spec, device.info()), attention_grid(spec), constants, true);
      run(device, attention_join_kernel(spec, device.info()), attention_join_grid(spec),
          AttentionJoinConstants{constants.partials, constants.splits, out, 0}, false);
    }
    EXPECT_TRUE(std::isnan(arena_[out - 1]) && std::isnan(arena_[out + q_.size()])) << "beside the results";
    return relative_error(std::span(arena_).subspan(out, q_.size()), expected_);
  }

  [[nodiscard]] const StepCounts& counts() const { return counts_; }

 private:
  void list_rows() {
    for (std::size_t s = 0; s < one_.runs.size(); ++s) {
      for (std::int32_t i = 0; i < one_.runs[s].rows; ++i) {
        positions_.push_back(one_.runs[s].first + i);
        sequences_.push_back(static_cast<std::int32_t>(s));
      }
    }
    std::normal_distribution<float> normal;
    std::mt19937 queries(static_cast<std::uint32_t>(random_.next()));
    q_.resize(positions_.size() * op_.heads * one_.head_dim);
    for (float& x : q_) x = normal(queries);
  }

  // Block tables in random order, with -1 for blocks that have left the window; what was stored before the step and in
  // it is written, the rest is not.
  void choose_blocks() {
    for (const Piece& run : one_.runs)
      blocks_ += static_cast<std::uint32_t>(run.first + run.rows - 1) / graph::kKvBlock + 1;
    blocks_ += 2;
    std::vector<std::int32_t> order(blocks_);
    std::iota(order.begin(), order.end(), 0);
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random_.below(i)]);
    const std::array counts = {blocks_};
    ASSERT_TRUE(store_.allocate(graph_.kv, KvType::f32, counts));
    keys_.emplace(KvPart::key, one_.type, graph_.kv.layers[0], blocks_, one_.keys);
    values_.emplace(KvPart::value, one_.type, graph_.kv.layers[0], blocks_);
    for (const Piece& run : one_.runs) {
      std::vector<std::int32_t>& table = tables_.emplace_back();
      const std::int64_t begin = graph::visible_window(one_.group, run.first).begin;
      const std::int64_t sinks = std::min<std::int64_t>(one_.group.sinks, begin);
      for (std::int64_t p = 0; p < run.first + run.rows; ++p) {
        const auto block = static_cast<std::size_t>(p / graph::kKvBlock);
        // Blocks with nothing that the first row sees.
        const auto first = static_cast<std::int64_t>(block * graph::kKvBlock);
        const bool gone = first >= sinks && first + graph::kKvBlock <= begin;
        if (block == table.size()) {
          table.push_back(gone ? -1 : order.back());
          if (!gone) order.pop_back();
        }
        if (gone) continue;
        const auto slot = static_cast<std::uint32_t>(p % graph::kKvBlock);
        for (std::uint32_t h = 0; h < one_.kv_heads; ++h) {
          for (test::KvImage* image : {&*keys_, &*values_}) {
            image->fill(static_cast<std::uint32_t>(table[block]), slot, h, random_);
            store_.write(0, image == &*keys_ ? KvPart::key : KvPart::value, table[block], slot, h,
                         image->read(static_cast<std::uint32_t>(table[block]), slot, h));
          }
        }
      }
    }
  }

  void answer() {
    expected_.resize(q_.size());
    graph::scalar::AttentionScratch scratch;
    const std::size_t width = std::size_t{op_.heads} * one_.head_dim;
    for (std::size_t row = 0; row < positions_.size(); ++row) {
      graph::scalar::attend(op_, graph_, store_, positions_[row], tables_[static_cast<std::size_t>(sequences_[row])],
                            std::span(q_).subspan(row * width, width), std::span(expected_).subspan(row * width, width),
                            scratch);
    }
  }

  template <class Constants>
  void run(Device& device, Result<Kernel> kernel, const Grid& grid, const Constants& constants, bool kv) {
    ASSERT_TRUE(kernel) << kernel.error().message;
    ASSERT_TRUE(fits(*kernel, Limits{})) << kernel->label << " takes " << kernel->workgroup_bytes;
    test::GpuRun run;
    run.kernel = std::move(*kernel);
    run.step = step_;
    run.arena.swap(arena_);
    run.op = OpConstants::of(constants);
    if (kv) run.buffers = {keys_->bytes(), values_->bytes()};
    for (std::size_t i = 0; i < 3; ++i) run.workgroups[i] = workgroups(grid[i], counts_);
    const testing::AssertionResult done = test::run_on_gpu(device, run);
    arena_.swap(run.arena);
    ASSERT_TRUE(done);
  }

  const Case& one_;
  quant::Random random_;
  graph::Graph graph_;
  graph::AttentionOp op_ = {};
  std::vector<std::int32_t> positions_, sequences_;
  std::vector<std::vector<std::int32_t>> tables_;
  std::uint32_t blocks_ = 0;
  std::optional<test::KvImage> keys_, values_;
  graph::scalar::KvStore store_;  // the same numbers in f32
  std::vector<float> q_, expected_, arena_;
  std::vector<std::uint32_t> step_;
  StepCounts counts_;
};

class GpuAttention : public testing::TestWithParam<test::GpuDriver> {
 protected:
  void SetUp() override {
    device_ = test::gpu_device(GetParam());
    if (device_ == nullptr) GTEST_SKIP() << test::no_gpu(GetParam());
  }
  // Tiles in every case; since kernels take a second to compile, the other ways take turns.
  void compare(const std::vector<Case>& cases, std::uint32_t seed) {
    for (std::size_t i = 0; i < cases.size(); ++i) {
      if (!test::is_turn_of(GetParam(), i)) continue;
      Step step(cases[i], seed + static_cast<std::uint32_t>(i));
      for (const Way way : {Way::tiles, Way::rows, Way::plain}) {
        const auto number = static_cast<std::size_t>(way);
        if (way != Way::tiles && i % 3 + 1 != number && !test::full_run()) continue;
        EXPECT_LE(step.error(*device_, way), kTolerance) << name_of(cases[i]) << ", " << kWayNames[number];
      }
    }
  }
  // Sums in another order, and another exponential.
  static constexpr double kTolerance = 5e-6;
  Device* device_ = nullptr;
};

// Any heads, any type, any text; windows, sinks and caps now and then.
std::vector<Case> random_cases(std::size_t n, std::uint64_t seed) {
  quant::Random random(seed);
  const auto among = [&](std::size_t least, std::size_t most) {
    return static_cast<std::uint32_t>(least + random.below(most - least + 1));
  };
  std::vector<Case> cases(n);
  for (Case& one : cases) {
    one.kv_heads = among(1, 3);
    one.queries = among(1, 8);
    one.head_dim = 2 * among(16, 128);
    one.type = static_cast<KvType>(random.below(3));
    one.runs.clear();
    for (std::uint32_t s = among(1, 4); s > 0; --s) {
      one.runs.push_back({static_cast<std::int32_t>(random.below(400)), static_cast<std::int32_t>(among(1, 40))});
    }
    if (random.below(2) == 0) one.group.window = among(1, 150);
    if (random.below(2) == 0) one.group.sinks = among(1, 70);
    if (random.below(3) == 0) one.softcap = static_cast<float>(among(1, 50));
    one.pairs = static_cast<std::uint32_t>(random.below(one.head_dim / 2 + 1));
    one.pairing = random.below(2) == 0 ? graph::RopePairing::adjacent : graph::RopePairing::split_halves;
    one.keys = random.below(2) == 0 ? KeyOrder::by_word : KeyOrder::by_position;
  }
  return cases;
}

// A prompt, a piece in the middle of one, single tokens, and a tile's rows less one.
const std::vector<Piece> kMixed = {{0, 19}, {70, 37}, {300, 1}, {33, 3}, {31, 5}};

TEST_P(GpuAttention, ShapesOfHeadsAndTypes) {
  const std::vector<Case> cases = {
      {.kv_heads = 2, .queries = 4, .head_dim = 64, .type = KvType::f16, .runs = kMixed},
      {.kv_heads = 3, .queries = 1, .head_dim = 32, .type = KvType::f32, .runs = kMixed, .keys = KeyOrder::by_position},
      {.kv_heads = 1,
       .queries = 2,
       .head_dim = 80,
       .type = KvType::q8_0,
       .runs = {{700, 20}, {5, 1}},
       .keys = KeyOrder::by_position},
      {.kv_heads = 1, .queries = 7, .head_dim = 160, .type = KvType::f32, .runs = kMixed},
      {.kv_heads = 2, .queries = 3, .head_dim = 128, .type = KvType::q8_0, .runs = kMixed},
      {.kv_heads = 1, .queries = 8, .head_dim = 256, .type = KvType::f16, .runs = kMixed},
  };
  // Odd sizes, for those who have the time.
  const std::vector<Case> more = {
      {.kv_heads = 1, .queries = 5, .head_dim = 96, .type = KvType::f16, .runs = kMixed},
      {.kv_heads = 2, .queries = 1, .head_dim = 36, .type = KvType::f32, .runs = kMixed},
      {.kv_heads = 1, .queries = 6, .head_dim = 72, .type = KvType::f16, .runs = kMixed},
      {.kv_heads = 1, .queries = 4, .head_dim = 33, .type = KvType::f16, .runs = kMixed},
      {.kv_heads = 4, .queries = 2, .head_dim = 224, .type = KvType::q8_0, .runs = kMixed},
      {.kv_heads = 1, .queries = 3, .head_dim = 50, .type = KvType::q8_0, .runs = kMixed},
  };
  compare(cases, 1);
  if (test::full_run()) compare(more, 50);
}

TEST_P(GpuAttention, WindowsSinksAndSoftcap) {
  const std::vector<Piece> far = {{0, 19}, {61, 37}, {290, 1}, {500, 18}, {17, 5}};
  using graph::RopePairing;
  const std::vector<Case> cases = {
      {.runs = far, .group = {.window = 40, .sinks = 3}, .pairs = 32, .pairing = RopePairing::split_halves},
      {.type = KvType::f16, .runs = far, .group = {.window = 33, .sinks = 35}, .softcap = 2.0f, .pairs = 24},
      {.runs = far, .group = {.window = 7}},
      {.queries = 8,
       .head_dim = 128,
       .runs = far,
       .group = {.window = 100, .sinks = 4},
       .pairs = 64,
       .pairing = RopePairing::split_halves},
  };
  const std::vector<Case> more = {
      {.head_dim = 32, .type = KvType::q8_0, .runs = far, .group = {.window = 1, .sinks = 1}, .pairs = 16},
      {.runs = far, .group = {.window = 64, .sinks = 40}, .softcap = 30.0f},
      {.type = KvType::q8_0, .runs = kMixed, .softcap = 1.0f},
      {.queries = 1, .runs = far, .group = {.window = 32, .sinks = 32}, .pairs = 10},
  };
  compare(cases, 100);
  if (test::full_run()) compare(more, 150);
}

TEST_P(GpuAttention, RandomSteps) { compare(random_cases(test::full_run() ? 12 : 1, 11), 1000); }

INSTANTIATE_TEST_SUITE_P(Software, GpuAttention, testing::ValuesIn(test::gpu_drivers()), test::gpu_driver_name);

// Few tiles of long texts: as many splits as keep a device busy, none shorter than is worth it.
TEST(StepWriter, TilesOfLongTextsAreSplit) {
  const graph::Graph graph;
  const auto splits = [&](std::int32_t first, std::size_t rows) {
    std::vector<std::int32_t> positions(rows);
    std::iota(positions.begin(), positions.end(), first);
    const std::vector<std::int32_t> zeros(rows);
    graph::StepInputs inputs;
    inputs.tokens = zeros;
    inputs.positions = positions;
    inputs.sequences = zeros;
    inputs.n_sequences = 1;
    StepWriter writer;
    SlotRing slots;
    writer.prepare(graph);
    static_cast<void>(writer.write(graph, inputs, {}, slots));
    return writer.counts().tile_splits;
  };
  EXPECT_EQ(splits(0, 3), 0u);
  EXPECT_EQ(splits(0, 16), 1u);
  EXPECT_EQ(splits(500, 16), 3u);
  EXPECT_EQ(splits(30'000, 16), 16u);
  EXPECT_EQ(splits(30'000, 64), 4u);
  EXPECT_EQ(splits(30'000, 512), 1u);
}

// Which rows go in tiles: nobody computes a row twice or leaves one out.
TEST(StepWriter, EveryRowIsInOneTileOrAlone) {
  const graph::Graph graph;
  const std::vector<std::int32_t> positions = {0, 1, 2, 3, 4, 9, 40, 41, 42, 43, 7, 8, 9, 50, 51, 52, 53};
  const std::vector<std::int32_t> sequences = {0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 3, 3, 3, 4, 4, 4, 4};
  std::vector<std::int32_t> tokens(positions.size());
  graph::StepInputs inputs;
  inputs.tokens = tokens;
  inputs.positions = positions;
  inputs.sequences = sequences;
  inputs.n_sequences = 5;
  StepWriter writer;
  SlotRing slots;
  writer.prepare(graph);
  const std::span<const std::uint32_t> words = writer.write(graph, inputs, {}, slots);
  const auto word = [&](StepWord one) { return words[static_cast<std::size_t>(one)]; };
  ASSERT_EQ(writer.counts().tiles, 3u);
  ASSERT_EQ(word(StepWord::query_tiles), 3u);
  const std::span<const std::uint32_t> tiles = words.subspan(word(StepWord::tiles), 6);
  EXPECT_EQ(std::vector(tiles.begin(), tiles.end()), (std::vector<std::uint32_t>{0, 5, 6, 4, 13, 4}));
  EXPECT_EQ(word(StepWord::tile_splits), 1u) << "short texts stay whole";
  ASSERT_EQ(writer.counts().lone_rows, 4u);
  const std::span<const std::uint32_t> lone = words.subspan(word(StepWord::lone), word(StepWord::lone_rows));
  EXPECT_EQ(std::vector(lone.begin(), lone.end()), (std::vector<std::uint32_t>{5, 10, 11, 12}));
}

}  // namespace
}  // namespace wisp::gpu
