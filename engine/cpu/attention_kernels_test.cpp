// The KV and attention kernels of every set that runs here, against a softmax in double precision over the values as
// stored.
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "base/checked.h"
#include "base/half.h"
#include "cpu/kernel_testing.h"
#include "cpu/kernels.h"

namespace wisp::cpu {
namespace {

using test::Guarded, test::random_floats, test::same_bits;

class CpuKernelsAttention : public test::CpuKernels {};
INSTANTIATE_TEST_SUITE_P(Sets, CpuKernelsAttention, testing::ValuesIn(test::running_kernels()), test::kernels_name);

constexpr std::array kFormats = {KvFormat::f32, KvFormat::f16, KvFormat::q8_0};
constexpr std::array kHeadDims = {16u, 40u, 64u, 80u, 96u, 128u, 256u};

// What kernels.h says of a block, in other terms: where value d of a position is.
enum class Part { key, value };
struct Cell {
  std::size_t at;        // byte of the value
  std::size_t scale_at;  // byte of its f16 scale; q8_0 alone
};

Cell cell(const KvLayerLayout& layout, Part part, std::uint32_t head, std::uint32_t slot, std::uint32_t d) {
  const bool key = part == Part::key;
  const std::size_t base =
      key ? layout.k_offset + head * layout.k_head_stride : layout.v_offset + head * layout.v_head_stride;
  const std::size_t index = key ? std::size_t{d} * 32 + slot : std::size_t{slot} * layout.head_dim + d;
  if (layout.format == KvFormat::f32) return {base + 4 * index, 0};
  if (layout.format == KvFormat::f16) return {base + 2 * index, 0};
  const std::size_t groups = (layout.head_dim + 31) / 32;
  const std::size_t scale = key ? d / 32 * 32 + slot : slot * groups + d / 32;
  return {base + 64 * groups + index, base + 2 * scale};
}

float stored(const KvLayerLayout& layout, const std::uint8_t* block, Part part, std::uint32_t head, std::uint32_t slot,
             std::uint32_t d) {
  const Cell where = cell(layout, part, head, slot, d);
  const auto half = [&](std::size_t at) {
    return f32_from_f16(static_cast<std::uint16_t>(block[at] | block[at + 1] << 8));
  };
  if (layout.format == KvFormat::f16) return half(where.at);
  if (layout.format == KvFormat::q8_0) return half(where.scale_at) * static_cast<std::int8_t>(block[where.at]);
  float value = 0;
  std::memcpy(&value, block + where.at, sizeof value);
  return value;
}

// The layer's part lies at an offset in the block, and its heads further apart than they are large.
struct TestLayout {
  KvLayerLayout layout;
  std::size_t block_bytes;
};
TestLayout make_layout(KvFormat format, std::uint32_t kv_heads, std::uint32_t head_dim) {
  const std::size_t values = std::size_t{head_dim} * 32;
  const std::size_t scales = format == KvFormat::q8_0 ? std::size_t{64} * ((head_dim + 31) / 32) : 0;
  const std::size_t one = values * (format == KvFormat::f32 ? 4 : format == KvFormat::f16 ? 2 : 1) + scales;
  const std::size_t stride = align_up<std::size_t>(one, 64) + 64;
  return {{format, kv_heads, head_dim, 128, 128 + kv_heads * stride, stride, stride}, 128 + 2 * kv_heads * stride + 64};
}

TEST_P(CpuKernelsAttention, WhatIsWrittenIsStored) {
  quant::Random random(1);
  for (const KvFormat format : kFormats) {
    for (const std::uint32_t head_dim : kHeadDims) {
      constexpr std::uint32_t kKvHeads = 2;
      const auto [layout, block_bytes] = make_layout(format, kKvHeads, head_dim);
      SCOPED_TRACE(testing::Message() << "format " << static_cast<int>(format) << ", head_dim " << head_dim);
      const Guarded<std::uint8_t> block(block_bytes);
      std::vector<std::uint8_t> untouched(block_bytes, 0xFF);
      for (const std::uint32_t slot : {0u, 13u, 31u}) {
        const std::vector<float> k = random_floats(std::size_t{kKvHeads} * head_dim, random, 5.0f);
        std::vector<float> v = random_floats(std::size_t{kKvHeads} * head_dim, random, 0.01f);
        std::fill_n(v.begin(), std::min(head_dim, 32u), 0.0f);  // a group of zeros
        const Guarded<float> k_in(k, 1), v_in(v, 2);
        kernels().kv_write({layout, block.data(), slot, k_in.data(), v_in.data()});
        for (const Part part : {Part::key, Part::value}) {
          const std::vector<float>& x = part == Part::key ? k : v;
          for (std::uint32_t i = 0; i < kKvHeads * head_dim; ++i) {
            const std::uint32_t head = i / head_dim, d = i % head_dim;
            const float got = stored(layout, block.data(), part, head, slot, d);
            if (format == KvFormat::f32) {
              ASSERT_EQ(got, x[i]);
            } else if (format == KvFormat::f16) {
              ASSERT_EQ(got, f32_from_f16(f16_from_f32(x[i])));
            } else {
              float largest = 0;  // of the value's group of 32
              for (std::uint32_t j = d / 32 * 32; j < std::min(head_dim, d / 32 * 32 + 32); ++j)
                largest = std::max(largest, std::abs(x[head * head_dim + j]));
              const float scale = f32_from_f16(f16_from_f32(largest / 127.0f));
              // Half a step, and what rounding the scale to f16 (11 bits, or 2^-25 among its denormals) does to 127
              // steps.
              ASSERT_NEAR(got, x[i], 0.5f * scale + 127 * (scale * 0x1p-11f + 0x1p-25f)) << "dimension " << d;
            }
            const Cell where = cell(layout, part, head, slot, d);
            const std::size_t size = format == KvFormat::f32 ? 4 : format == KvFormat::f16 ? 2 : 1;
            std::copy_n(block.data() + where.at, size, untouched.data() + where.at);
            if (format == KvFormat::q8_0)
              std::copy_n(block.data() + where.scale_at, 2, untouched.data() + where.scale_at);
          }
        }
        ASSERT_TRUE(std::ranges::equal(block.span(), untouched)) << "something beside slot " << slot << " was written";
        ASSERT_TRUE(block.intact());
      }
    }
  }
}

// A sequence's KV in a pool whose other cells are NaN, or hold values that would outweigh all others; and one query
// row.
struct Scene {
  TestLayout layout;
  std::uint32_t heads;  // query heads of the one kv head that is looked at
  std::int64_t begin, end;
  std::vector<std::int32_t> table;
  std::unique_ptr<Guarded<std::uint8_t>> pool;
  std::vector<float> q;  // [heads][head_dim]
  float softcap = 0;

  [[nodiscard]] std::uint32_t head_dim() const { return layout.layout.head_dim; }
  [[nodiscard]] const std::uint8_t* block_of(std::int64_t position) const {
    return pool->data() + static_cast<std::size_t>(table[static_cast<std::size_t>(position / 32)]) * layout.block_bytes;
  }
};
constexpr std::uint32_t kKvHeads = 2, kKvHead = 1;

// `key` gives each position's key (kv_heads * head_dim); the values are random.
template <class Key>
Scene make_scene(const Kernels& kernels, KvFormat format, std::uint32_t head_dim, std::uint32_t heads,
                 std::int64_t begin, std::int64_t end, quant::Random& random, const Key& key) {
  Scene scene{make_layout(format, kKvHeads, head_dim), heads, begin, end, {}, {}, {}, 0};
  const std::int64_t first_block = begin / 32, blocks = (end + 31) / 32;
  // Every second block of the pool, backwards; those before the first visible one are gone.
  const std::int64_t used = blocks - first_block;
  scene.pool = std::make_unique<Guarded<std::uint8_t>>(static_cast<std::size_t>(2 * used) * scene.layout.block_bytes);
  for (std::int64_t b = 0; b < blocks; ++b)
    scene.table.push_back(b < first_block ? -1 : static_cast<std::int32_t>(2 * (blocks - 1 - b)));
  const bool stale_is_large = random.below(2) == 0;
  for (std::int64_t p = first_block * 32; p < blocks * 32; ++p) {
    const bool stale = p < begin || p >= end;
    if (stale && !stale_is_large) continue;
    const std::size_t width = std::size_t{kKvHeads} * head_dim;
    const std::vector<float> k = stale ? random_floats(width, random, 1000.0f) : key(p);
    const std::vector<float> v = random_floats(width, random, stale ? 1000.0f : 1.0f);
    kernels.kv_write({scene.layout.layout, const_cast<std::uint8_t*>(scene.block_of(p)),
                      static_cast<std::uint32_t>(p % 32), k.data(), v.data()});
  }
  scene.q = random_floats(std::size_t{heads} * head_dim, random, 4.0f / std::sqrt(static_cast<float>(head_dim)));
  return scene;
}

struct Softmax {
  std::vector<SoftmaxState> state;
  std::vector<float> sums;
  [[nodiscard]] std::vector<float> normalised() const {
    std::vector<float> out = sums;
    const std::size_t head_dim = sums.size() / state.size();
    for (std::size_t i = 0; i < out.size(); ++i) out[i] /= state[i / head_dim].denominator;
    return out;
  }
};

Softmax attend(const Kernels& kernels, const Scene& scene, std::int64_t begin, std::int64_t end) {
  const Guarded<float> q(scene.q, 1), sums(scene.q.size(), 1);
  const Guarded<SoftmaxState> state(scene.heads);
  const Guarded<std::int32_t> table{std::span<const std::int32_t>(scene.table)};
  kernels.attend({scene.layout.layout, scene.pool->data(), scene.layout.block_bytes, table.data(), kKvHead, scene.heads,
                  q.data(), scene.softcap, begin, end, state.data(), sums.data()});
  EXPECT_TRUE(sums.intact() && state.intact());
  return {{state.data(), state.data() + scene.heads}, {sums.data(), sums.data() + sums.size()}};
}

std::vector<double> naive(const Scene& scene) {
  std::vector<double> out(scene.q.size());
  const std::uint32_t n = scene.head_dim();
  for (std::uint32_t h = 0; h < scene.heads; ++h) {
    std::vector<double> scores;
    for (std::int64_t p = scene.begin; p < scene.end; ++p) {
      double score = 0;
      for (std::uint32_t d = 0; d < n; ++d) {
        score += double{scene.q[h * n + d]} * stored(scene.layout.layout, scene.block_of(p), Part::key, kKvHead,
                                                     static_cast<std::uint32_t>(p % 32), d);
      }
      scores.push_back(scene.softcap == 0 ? score : scene.softcap * std::tanh(score / scene.softcap));
    }
    const double most = *std::ranges::max_element(scores);
    double sum = 0;
    for (double& score : scores) sum += score = std::exp(score - most);
    for (std::int64_t p = scene.begin; p < scene.end; ++p) {
      for (std::uint32_t d = 0; d < n; ++d) {
        out[h * n + d] +=
            scores[static_cast<std::size_t>(p - scene.begin)] / sum *
            stored(scene.layout.layout, scene.block_of(p), Part::value, kKvHead, static_cast<std::uint32_t>(p % 32), d);
      }
    }
  }
  return out;
}

// Values lie in [-1, 1); scores of a few units carry a rounding of about 1e-6, and so do their exponentials.
constexpr double kTolerance = 4e-6;

void expect_near(std::span<const float> got, std::span<const double> want, double tolerance = kTolerance) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], tolerance) << "element " << i;
}

struct Visible {
  std::int64_t begin, end;
};
constexpr std::array kRanges = {Visible{0, 1},  Visible{0, 32},  Visible{0, 33},   Visible{31, 32}, Visible{31, 33},
                                Visible{5, 30}, Visible{64, 96}, Visible{70, 131}, Visible{13, 200}};

TEST_P(CpuKernelsAttention, IsTheSoftmaxOverVisiblePositions) {
  quant::Random random(2);
  for (const KvFormat format : kFormats) {
    for (const std::uint32_t head_dim : kHeadDims) {
      for (std::uint32_t i = 0; i < 4; ++i) {
        const auto heads = static_cast<std::uint32_t>(1 + random.below(8));
        const Visible range = kRanges[random.below(kRanges.size())];
        Scene scene = make_scene(kernels(), format, head_dim, heads, range.begin, range.end, random, [&](std::int64_t) {
          return random_floats(std::size_t{kKvHeads} * head_dim, random, 3.0f);
        });
        scene.softcap = i % 2 == 0 ? 0.0f : 3.0f;
        SCOPED_TRACE(testing::Message() << "format " << static_cast<int>(format) << ", head_dim " << head_dim << ", "
                                        << heads << " heads, [" << range.begin << ", " << range.end << "), softcap "
                                        << scene.softcap);
        const Softmax whole = attend(kernels(), scene, range.begin, range.end);
        expect_near(whole.normalised(), naive(scene));
        if (HasFatalFailure()) return;
        // A head alone: the same bits as in company.
        const std::size_t head = random.below(heads);
        Scene alone = std::move(scene);
        alone.heads = 1;
        alone.q = {alone.q.begin() + static_cast<std::ptrdiff_t>(head * head_dim),
                   alone.q.begin() + static_cast<std::ptrdiff_t>((head + 1) * head_dim)};
        const Softmax one = attend(kernels(), alone, range.begin, range.end);
        EXPECT_TRUE(same_bits(one.sums, std::span(whole.sums).subspan(head * head_dim, head_dim)));
        EXPECT_EQ(one.state[0].denominator, whole.state[head].denominator);
      }
    }
  }
}

TEST_P(CpuKernelsAttention, EveryRangeAndNumberOfHeads) {
  quant::Random random(3);
  constexpr std::uint32_t kHeadDim = 40;
  for (const KvFormat format : kFormats) {
    for (const Visible& range : kRanges) {
      for (std::uint32_t heads = 1; heads <= 8; ++heads) {
        const Scene scene = make_scene(kernels(), format, kHeadDim, heads, range.begin, range.end, random,
                                       [&](std::int64_t) { return random_floats(kKvHeads * kHeadDim, random, 3.0f); });
        expect_near(attend(kernels(), scene, range.begin, range.end).normalised(), naive(scene));
        ASSERT_FALSE(HasFatalFailure()) << "format " << static_cast<int>(format) << ", " << heads << " heads, ["
                                        << range.begin << ", " << range.end << ")";
      }
    }
  }
}

TEST_P(CpuKernelsAttention, MergedPartsAreTheWhole) {
  quant::Random random(4);
  for (const std::uint32_t head_dim : {16u, 40u, 128u}) {
    constexpr std::uint32_t kHeads = 3;
    const Scene scene = make_scene(kernels(), KvFormat::f32, head_dim, kHeads, 13, 200, random, [&](std::int64_t) {
      return random_floats(std::size_t{kKvHeads} * head_dim, random, 3.0f);
    });
    Softmax total{std::vector<SoftmaxState>(kHeads, {-std::numeric_limits<float>::infinity(), 0.0f}),
                  std::vector<float>(scene.q.size())};
    const Softmax nothing = total;
    const auto join = [&](const Softmax& part) {
      for (std::size_t h = 0; h < kHeads; ++h) {
        const Guarded<float> sums(std::span<const float>(total.sums).subspan(h * head_dim, head_dim), 1);
        kernels().merge(&total.state[h], sums.data(), &part.state[h], part.sums.data() + h * head_dim, head_dim);
        EXPECT_TRUE(sums.intact());
        std::ranges::copy(sums.span(), total.sums.begin() + static_cast<std::ptrdiff_t>(h * head_dim));
      }
    };
    join(attend(kernels(), scene, 13, 64));  // into nothing
    EXPECT_TRUE(same_bits(total.sums, attend(kernels(), scene, 13, 64).sums));
    join(attend(kernels(), scene, 64, 96));
    const Softmax before = total;
    join(nothing);
    EXPECT_TRUE(same_bits(total.sums, before.sums));
    join(attend(kernels(), scene, 96, 200));
    const std::vector<float> single = attend(kernels(), scene, 13, 200).normalised();
    expect_near(total.normalised(), naive(scene));
    expect_near(total.normalised(), std::vector<double>(single.begin(), single.end()), 1e-6);
  }
}

TEST_P(CpuKernelsAttention, Extremes) {
  quant::Random random(5);
  constexpr std::uint32_t kHeadDim = 80, kHeads = 5;
  for (const KvFormat format : kFormats) {
    SCOPED_TRACE(static_cast<int>(format));
    // One visible position: its value, to the bit.
    const Scene one = make_scene(kernels(), format, kHeadDim, kHeads, 45, 46, random,
                                 [&](std::int64_t) { return random_floats(kKvHeads * kHeadDim, random, 100.0f); });
    const std::vector<float> got = attend(kernels(), one, 45, 46).normalised();
    for (std::uint32_t i = 0; i < kHeads * kHeadDim; ++i)
      ASSERT_EQ(got[i], stored(one.layout.layout, one.block_of(45), Part::value, kKvHead, 45 % 32, i % kHeadDim));

    // Equal scores, however large: the mean of the values.
    for (const float size : {0.0f, 1.0f, 1000.0f}) {
      const std::vector<float> key(kKvHeads * kHeadDim, size);
      const Scene equal =
          make_scene(kernels(), format, kHeadDim, kHeads, 3, 110, random, [&](std::int64_t) { return key; });
      const Softmax softmax = attend(kernels(), equal, 3, 110);
      for (const SoftmaxState& state : softmax.state) EXPECT_EQ(state.denominator, 107.0f);
      expect_near(softmax.normalised(), naive(equal), 1e-6);
    }

    // Scores that fall by hundreds, and that rise by hundreds: the first or the last position is all that counts.
    for (const bool rising : {false, true}) {
      Scene steep = make_scene(kernels(), format, kHeadDim, kHeads, 3, 110, random, [&](std::int64_t p) {
        return std::vector<float>(kKvHeads * kHeadDim, static_cast<float>(rising ? p : -p) * 8.0f);
      });
      std::ranges::fill(steep.q, 1.0f);
      expect_near(attend(kernels(), steep, 3, 110).normalised(), naive(steep), 1e-6);
    }
  }
}

}  // namespace
}  // namespace wisp::cpu
