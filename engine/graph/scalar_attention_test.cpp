// Attention against the textbook formula in double precision: all visible scores at once, one softmax.
#include "graph/scalar_attention.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "graph/scalar_ops.h"
#include "quant/random_blocks.h"
#include "tests/model_runner.h"

namespace wisp::graph::scalar {
namespace {

constexpr std::uint32_t kHeads = 4;
constexpr std::uint32_t kKvHeads = 2;
constexpr std::uint32_t kHeadDim = 48;  // not a multiple of the q8_0 run of 32

struct Stored {
  Graph graph;
  KvStore kv;
  std::vector<std::int32_t> table;
  std::vector<std::vector<float>> keys, values;  // [position][kv_heads * head_dim]
  std::vector<float> q;

  Stored(int positions, KvGroup group, KvType type = KvType::f32) {
    graph.kv.groups = {group};
    graph.kv.layers = {{0, kKvHeads, kHeadDim}};
    RopeSpec spec;
    for (std::uint32_t i = 0; i < kHeadDim / 2; ++i)
      spec.inverse_frequency.push_back(std::pow(100.0, -2.0 * i / kHeadDim));
    graph.ropes = {spec};
    const std::uint32_t n_blocks = static_cast<std::uint32_t>(positions) / kKvBlock + 1;
    const std::array blocks = {n_blocks};
    test::must(kv.allocate(graph.kv, type, blocks));
    for (std::uint32_t i = 0; i < n_blocks; ++i) table.push_back(static_cast<std::int32_t>(n_blocks - 1 - i));
    quant::Random random(5);
    const auto numbers = [&](std::size_t n) {
      std::vector<float> x(n);
      for (float& value : x) value = 2.0f * random.uniform();
      return x;
    };
    q = numbers(kHeads * kHeadDim);
    for (int p = 0; p < positions; ++p) {
      keys.push_back(numbers(kKvHeads * kHeadDim));
      values.push_back(numbers(kKvHeads * kHeadDim));
      for (std::uint32_t h = 0; h < kKvHeads; ++h) {
        const auto at = static_cast<std::uint32_t>(p);
        const auto head = [&](std::vector<float>& x) {
          return std::span<const float>(x).subspan(h * kHeadDim, kHeadDim);
        };
        kv.write(0, KvPart::key, table[at / kKvBlock], at % kKvBlock, h, head(keys.back()));
        kv.write(0, KvPart::value, table[at / kKvBlock], at % kKvBlock, h, head(values.back()));
      }
    }
  }

  std::vector<float> attend_at(std::int32_t position, float softcap_value = 0.0f, int rope_index = -1) {
    AttentionOp op{};
    op.layer = 0;
    op.heads = kHeads;
    op.scale = 0.3f;
    op.softcap = softcap_value;
    op.rope = rope_index;
    std::vector<float> out(kHeads * kHeadDim);
    AttentionScratch scratch;
    attend(op, graph, kv, position, table, q, out, scratch);
    return out;
  }

  // The keys that `visible` lets through; `query(p)` is the query for the key at p.
  template <class Visible, class Query>
  std::vector<double> expected(std::int32_t position, double cap, const Visible& visible, const Query& query) {
    std::vector<double> out(kHeads * kHeadDim, 0.0);
    for (std::uint32_t h = 0; h < kHeads; ++h) {
      const std::size_t kv_first = h / (kHeads / kKvHeads) * kHeadDim;
      double denominator = 0;
      for (std::int32_t p = 0; p <= position; ++p) {
        if (!visible(p)) continue;
        const std::vector<float> row = query(p);
        double score = 0;
        for (std::size_t i = 0; i < kHeadDim; ++i) {
          score += 0.3 * row[h * kHeadDim + i] * keys[static_cast<std::size_t>(p)][kv_first + i];
        }
        if (cap != 0) score = cap * std::tanh(score / cap);
        denominator += std::exp(score);
        for (std::size_t i = 0; i < kHeadDim; ++i) {
          out[h * kHeadDim + i] += std::exp(score) * values[static_cast<std::size_t>(p)][kv_first + i];
        }
      }
      for (std::size_t i = 0; i < kHeadDim; ++i) out[h * kHeadDim + i] /= denominator;
    }
    return out;
  }
};

void expect_near(const std::vector<float>& got, const std::vector<double>& want, double tolerance) {
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], tolerance) << "element " << i;
}

TEST(ScalarAttention, SeesEveryPositionUpToItsOwn) {
  Stored s(100, {});
  const auto plain = [&](std::int32_t) { return s.q; };
  const auto all = [](std::int32_t) { return true; };
  for (const std::int32_t p : {0, 1, 31, 32, 63, 64, 99}) {
    expect_near(s.attend_at(p), s.expected(p, 0, all, plain), 1e-5);
    expect_near(s.attend_at(p, 5.0f), s.expected(p, 5.0, all, plain), 1e-5);
  }
}

TEST(ScalarAttention, MasksWhatLeftTheWindow) {
  Stored s(200, {.window = 40, .sinks = 0});
  const auto plain = [&](std::int32_t) { return s.q; };
  for (const std::int32_t p : {10, 39, 40, 41, 100, 199}) {
    const auto visible = [&](std::int32_t key) { return p - key < 40; };
    expect_near(s.attend_at(p), s.expected(p, 0, visible, plain), 1e-5);
  }
}

TEST(ScalarAttention, NeverReadsBlocksThatLeftTheWindow) {
  Stored s(200, {.window = 40, .sinks = 3});
  const std::vector<float> want = s.attend_at(150);
  for (std::size_t i = 1; i < 111 / kKvBlock; ++i) s.table[i] = -1;  // neither sinks nor window
  EXPECT_EQ(s.attend_at(150), want);
}

// The sinks are scored as if the row stood at sinks + window - 1.
TEST(ScalarAttention, KeepsSinksAtTheirDistanceInsideTheWindow) {
  constexpr std::int32_t kWindow = 40;
  constexpr std::int32_t kSinks = 5;
  Stored s(200, {.window = kWindow, .sinks = kSinks});
  for (const std::int32_t p : {4, 30, 44, 45, 46, 120, 199}) {
    const std::int32_t turned = std::min(p, kSinks + kWindow - 1) - p;
    std::vector<float> q_sink = s.q;
    rope(s.graph.ropes[0], turned, 1.0f, kHeadDim, q_sink);
    const auto visible = [&](std::int32_t key) { return p - key < kWindow || key < kSinks; };
    const auto query = [&](std::int32_t key) { return p - key < kWindow ? s.q : q_sink; };
    expect_near(s.attend_at(p, 0, 0), s.expected(p, 0, visible, query), 2e-5);
    const auto plain = [&](std::int32_t) { return s.q; };
    expect_near(s.attend_at(p), s.expected(p, 0, visible, plain), 2e-5);  // without RoPE nothing turns
  }
}

TEST(ScalarAttention, ReadsRoundedStores) {
  for (const auto& [type, tolerance] : {std::pair(KvType::f16, 2e-3), std::pair(KvType::q8_0, 2e-2)}) {
    Stored s(70, {}, type);
    const auto plain = [&](std::int32_t) { return s.q; };
    const auto all = [](std::int32_t) { return true; };
    expect_near(s.attend_at(69), s.expected(69, 0, all, plain), tolerance);
  }
}

TEST(ScalarKvStore, CopiesWholeBlocks) {
  Stored s(64, {});
  std::vector<float> before(kHeadDim), after(kHeadDim);
  s.kv.read(0, KvPart::value, s.table[0], 7, 1, before);
  s.kv.copy({0, s.table[0], s.table[1]});
  s.kv.read(0, KvPart::value, s.table[1], 7, 1, after);
  EXPECT_EQ(before, after);
}

// Numbers for which every order of the additions gives other bits than the promised one.
TEST(ScalarOps, NormSumsSquaresInSixteenLanesJoinedPairwise) {
  quant::Random random(9);
  std::vector<float> x(40);
  for (float& value : x) value = random.uniform();
  std::array<float, 16> lane{};
  for (std::size_t i = 0; i < x.size(); ++i) lane[i % 16] = std::fma(x[i], x[i], lane[i % 16]);
  const auto four = [&](std::size_t i) { return (lane[i] + lane[i + 8]) + (lane[i + 4] + lane[i + 12]); };
  const float sum = (four(0) + four(2)) + (four(1) + four(3));
  const float factor = 1.0f / std::sqrt(sum / 40.0f + 1e-5f);
  std::vector<float> weight(40, 3.0f), out(40);
  rms_norm(x, weight, 1e-5f, out);
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_EQ(out[i], x[i] * factor * 3.0f);
}

}  // namespace
}  // namespace wisp::graph::scalar
