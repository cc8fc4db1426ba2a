// What follows the query, key and value projections (wgsl/rope_kv.wgsl) against graph/scalar_ops.h and
// graph/scalar_kv.h on the software drivers: head norms, both pairings, partial RoPE, the three types of keys and
// values.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "gpu/kernels/attention.h"
#include "gpu/program.h"
#include "gpu/step_writer.h"
#include "gpu/tuner/tuning_task.h"
#include "graph/scalar_kv.h"
#include "graph/scalar_ops.h"
#include "quant/random_blocks.h"
#include "tests/gpu_devices.h"
#include "tests/gpu_kv_image.h"

namespace wisp::gpu {
namespace {

using graph::KvType;
using graph::RopePairing;
using graph::scalar::KvPart;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kQEps = 1e-5f, kKEps = 3e-3f;

// Rows of three sequences: a prompt over the end of a block, the middle of a text, one token far out.
const std::vector<std::int32_t> kPositions = {30, 31, 32, 33, 7, 8, 70'000};
const std::vector<std::int32_t> kSequences = {0, 0, 0, 0, 2, 2, 1};
constexpr std::uint32_t kBlocks = 6;

struct Heads {
  std::vector<float> values;  // [rows, heads * head_dim]
  std::uint32_t at = 0;       // in the arena
};

class HeadRun {
 public:
  HeadRun(const HeadSpec& spec, std::uint64_t seed)
      : spec_(spec),
        layer_{0, spec.kv_heads, spec.head_dim},
        random_(seed),
        keys_(KvPart::key, spec.kv_type, layer_, kBlocks, spec.keys),
        values_(KvPart::value, spec.kv_type, layer_, kBlocks) {
    rope_.pairing = spec.pairing;
    rope_.magnitude = 1.25f;
    for (std::uint32_t i = 0; i < spec.pairs; ++i) rope_.inverse_frequency.push_back(std::pow(100.0, -1.0 * i / 16));
    graph_.ropes = {rope_};
    graph_.kv.groups = {{}};
    graph_.kv.layers = {layer_};
    // 70,000 positions: only the last block of that sequence is asked for.
    tables_ = {{4, 1}, std::vector<std::int32_t>(70'000 / graph::kKvBlock + 1, -1), {2}};
    tables_[1].back() = 5;
  }

  void run(Device& device) {
    q_ = place(spec_.heads);
    k_ = place(spec_.kv_heads);
    v_ = place(spec_.kv_heads);
    const std::uint32_t q_norm = place_norm(q_weight_), k_norm = place_norm(k_weight_);
    q_out_ = static_cast<std::uint32_t>(run_.arena.size());
    run_.arena.resize(q_out_ + q_.values.size() + 8, kNaN);
    write_step();
    Result<Kernel> kernel = head_kernel(spec_, device.info());
    ASSERT_TRUE(kernel) << kernel.error().message;
    run_.kernel = std::move(*kernel);
    run_.op = OpConstants::of(HeadConstants{.q = q_.at,
                                            .k = k_.at,
                                            .v = v_.at,
                                            .q_out = q_out_,
                                            .q_norm = q_norm,
                                            .k_norm = k_norm,
                                            .q_eps = kQEps,
                                            .k_eps = kKEps,
                                            .rope = 0,
                                            .group = 0,
                                            .blocks = kBlocks});
    if (spec_.kv_heads > 0) run_.buffers = {keys_.bytes(), values_.bytes()};
    const Grid grid = head_grid(spec_);
    for (std::size_t i = 0; i < 3; ++i) run_.workgroups[i] = workgroups(grid[i], counts_);
    ++run_.workgroups[1];  // a row too many: it does nothing
    ASSERT_TRUE(test::run_on_gpu(device, run_));
    if (spec_.kv_heads == 0) return;
    keys_.take(run_.buffers[0]);
    values_.take(run_.buffers[1]);
  }

  [[nodiscard]] double query_error() {
    if (spec_.heads == 0) return 0.0;
    const std::span<const float> actual = std::span(run_.arena).subspan(q_out_, q_.values.size());
    EXPECT_TRUE(std::isnan(run_.arena[q_out_ - 1]) && std::isnan(run_.arena[q_out_ + q_.values.size()]));
    std::vector<float> expected = q_.values;
    each_head(expected, spec_.heads, [&](std::span<float> head, std::size_t row, std::uint32_t) {
      finish(head, row, spec_.q_norm, q_weight_, kQEps, spec_.q_rope);
    });
    return relative_error(actual, expected);
  }

  // Of what lies in the store, against the scalar one.
  [[nodiscard]] double stored_error(KvPart part) {
    if (spec_.kv_heads == 0) return 0.0;
    graph::scalar::KvStore store;
    const std::array blocks = {kBlocks};
    EXPECT_TRUE(store.allocate(graph_.kv, spec_.kv_type, blocks));
    const bool is_key = part == KvPart::key;
    const test::KvImage& image = is_key ? keys_ : values_;
    std::vector<float> actual, expected, source = is_key ? k_.values : v_.values;
    std::size_t written = 0;
    each_head(source, spec_.kv_heads, [&](std::span<float> head, std::size_t row, std::uint32_t number) {
      if (is_key) finish(head, row, spec_.k_norm, k_weight_, kKEps, spec_.k_rope);
      const auto position = static_cast<std::uint32_t>(kPositions[row]);
      const std::int32_t block = tables_[static_cast<std::size_t>(kSequences[row])][position / graph::kKvBlock];
      const std::uint32_t slot = position % graph::kKvBlock;
      store.write(0, part, block, slot, number, head);
      store.read(0, part, block, slot, number, head);
      expected.insert(expected.end(), head.begin(), head.end());
      const std::vector<float> there = image.read(static_cast<std::uint32_t>(block), slot, number);
      actual.insert(actual.end(), there.begin(), there.end());
    });
    for (std::uint32_t block = 0; block < kBlocks; ++block) {
      for (std::uint32_t slot = 0; slot < graph::kKvBlock; ++slot) {
        for (std::uint32_t h = 0; h < spec_.kv_heads; ++h) written += image.written(block, slot, h) ? 1u : 0u;
      }
    }
    EXPECT_EQ(written, kPositions.size() * spec_.kv_heads) << "nothing else is written";
    return relative_error(actual, expected);
  }

 private:
  Heads place(std::uint32_t heads) {
    Heads result;
    result.at = static_cast<std::uint32_t>(run_.arena.size());
    result.values.resize(kPositions.size() * heads * spec_.head_dim);
    for (float& x : result.values) x = 3.0f * random_.uniform();
    run_.arena.insert(run_.arena.end(), result.values.begin(), result.values.end());
    run_.arena.resize(run_.arena.size() + 5, kNaN);
    return result;
  }
  std::uint32_t place_norm(std::vector<float>& weight) {
    const auto at = static_cast<std::uint32_t>(run_.arena.size());
    weight.resize(spec_.head_dim);
    for (float& x : weight) x = 1.0f + random_.uniform();
    run_.arena.insert(run_.arena.end(), weight.begin(), weight.end());
    run_.arena.resize(run_.arena.size() + 5, kNaN);
    return at;
  }

  void write_step() {
    const std::vector<std::int32_t> tokens(kPositions.size());
    const std::vector<std::span<const std::int32_t>> tables(tables_.begin(), tables_.end());
    graph::StepInputs inputs;
    inputs.tokens = tokens;
    inputs.positions = kPositions;
    inputs.sequences = kSequences;
    inputs.tables = tables;
    inputs.n_sequences = static_cast<std::uint32_t>(tables.size());
    StepWriter writer;
    SlotRing slots;
    writer.prepare(graph_);
    const std::span<const std::uint32_t> words = writer.write(graph_, inputs, {}, slots);
    run_.step.assign(words.begin(), words.end());
    counts_ = writer.counts();
  }

  template <class Function>
  void each_head(std::vector<float>& values, std::uint32_t heads, const Function& function) const {
    for (std::size_t row = 0; row < kPositions.size(); ++row) {
      for (std::uint32_t h = 0; h < heads; ++h) {
        function(std::span(values).subspan((row * heads + h) * spec_.head_dim, spec_.head_dim), row, h);
      }
    }
  }
  void finish(std::span<float> head, std::size_t row, bool norm, std::span<const float> weight, float eps,
              bool turns) const {
    if (norm) graph::scalar::rms_norm(head, weight, eps, head);
    if (turns) graph::scalar::rope(rope_, kPositions[row], rope_.magnitude, spec_.head_dim, head);
  }

  HeadSpec spec_;
  graph::KvLayer layer_;
  quant::Random random_;
  test::KvImage keys_, values_;
  graph::Graph graph_;
  graph::RopeSpec rope_;
  std::vector<std::vector<std::int32_t>> tables_;
  Heads q_, k_, v_;
  std::vector<float> q_weight_, k_weight_;
  std::uint32_t q_out_ = 0;
  test::GpuRun run_;
  StepCounts counts_;
};

class GpuHeads : public testing::TestWithParam<test::GpuDriver> {
 protected:
  void SetUp() override {
    device_ = test::gpu_device(GetParam());
    if (device_ == nullptr) GTEST_SKIP() << test::no_gpu(GetParam());
  }
  Device* device_ = nullptr;
};

// Sums in another order. A value next to the middle between two places of f16 or q8_0 may fall to either side, and a
// driver may cut an f16 instead of rounding it.
double tolerance_of(KvType type) {
  switch (type) {
    case KvType::f32: return 1e-6;
    case KvType::f16: return 6e-4;
    case KvType::q8_0: return 2e-3;
  }
  return 0.0;
}

TEST_P(GpuHeads, NormRopeAndStore) {
  const std::vector<HeadSpec> specs = {
      {.heads = 4,
       .kv_heads = 2,
       .head_dim = 80,
       .q_norm = true,
       .k_norm = true,
       .q_rope = true,
       .k_rope = true,
       .pairs = 20,
       .pairing = RopePairing::split_halves,
       .kv_type = KvType::f16,
       .keys = KeyOrder::by_position},
      {.heads = 3, .kv_heads = 2, .head_dim = 64, .q_rope = true, .k_rope = true, .pairs = 32},
      {.heads = 2,
       .kv_heads = 3,
       .head_dim = 96,
       .k_norm = true,
       .q_rope = true,
       .k_rope = true,
       .pairs = 16,
       .kv_type = KvType::q8_0},
      {.heads = 2,
       .kv_heads = 1,
       .head_dim = 256,
       .q_norm = true,
       .q_rope = true,
       .k_rope = true,
       .pairs = 128,
       .pairing = RopePairing::split_halves,
       .kv_type = KvType::f32},
      // A write of keys and values that nothing turned, runs that are not full.
      {.kv_heads = 2, .head_dim = 40, .kv_type = KvType::q8_0, .keys = KeyOrder::by_position},
      {.kv_heads = 1, .head_dim = 33, .kv_type = KvType::f16},
      // Queries alone, and queries that turn where keys do not.
      {.heads = 5, .head_dim = 48, .q_norm = true, .q_rope = true, .pairs = 7},
      {.heads = 1, .kv_heads = 1, .head_dim = 34, .k_norm = true, .q_rope = true, .pairs = 17},
  };
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (!test::is_turn_of(GetParam(), i)) continue;
    HeadRun run(specs[i], 7 + i);
    run.run(*device_);
    EXPECT_LE(run.query_error(), 1e-6) << "queries of case " << i;
    EXPECT_LE(run.stored_error(KvPart::key), tolerance_of(specs[i].kv_type)) << "keys of case " << i;
    EXPECT_LE(run.stored_error(KvPart::value), tolerance_of(specs[i].kv_type)) << "values of case " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Software, GpuHeads, testing::ValuesIn(test::gpu_drivers()), test::gpu_driver_name);

}  // namespace
}  // namespace wisp::gpu
