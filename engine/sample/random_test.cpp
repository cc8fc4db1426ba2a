#include "sample/random.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace wisp::sample {
namespace {

using Words = std::array<std::uint32_t, 4>;

// The known answers that the authors of Philox publish with Random123 (philox4x32, 10 rounds).
static_assert(philox4x32({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
static_assert(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}) == Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
static_assert(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
              Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});

TEST(Random, DependsOnAllBitsOfSeedAndPosition) {
  const double base = uniform(0, 0);
  for (int bit = 0; bit < 64; ++bit) {
    EXPECT_NE(uniform(std::uint64_t{1} << bit, 0), base) << "seed bit " << bit;
    EXPECT_NE(uniform(0, std::uint64_t{1} << bit), base) << "position bit " << bit;
  }
}

// 256 equal cells, neighbouring seeds and positions as they come in practice. The bound is mean + 5 sigma of
// chi-square.
TEST(Random, IsUniformAlongSeedsAndAlongPositions) {
  constexpr int kCells = 256, kDraws = 100'000;
  for (const bool along_seeds : {false, true}) {
    std::array<int, kCells> counts{};
    double sum = 0.0;
    for (std::uint64_t i = 0; i < kDraws; ++i) {
      const double u = along_seeds ? uniform(i, 7) : uniform(7, i);
      ASSERT_GE(u, 0.0);
      ASSERT_LT(u, 1.0);
      ++counts[static_cast<std::size_t>(u * kCells)];
      sum += u;
    }
    double chi_square = 0.0;
    const double expected = double{kDraws} / kCells;
    for (const int count : counts) chi_square += (count - expected) * (count - expected) / expected;
    EXPECT_LT(chi_square, (kCells - 1) + 5.0 * std::sqrt(2.0 * (kCells - 1)));
    EXPECT_NEAR(sum / kDraws, 0.5, 0.005);
  }
}

}  // namespace
}  // namespace wisp::sample
