// Samples of kernels of known length, by clocks that tell nanoseconds or round as browsers do.
#include "gpu/tuner/sample_length.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "gpu/tuner/drift_watch.h"

namespace wisp::gpu {
namespace {

constexpr std::uint64_t kChrome = 1 << 16;  // ns

// What a clock of `resolution` says of something that takes `length` and begins anywhere.
struct Clock {
  std::uint64_t resolution;
  std::uint64_t now = 12345;
  std::uint64_t measure(std::uint64_t length) {
    now = now * 6364136223846793005u + 1442695040888963407u;
    const std::uint64_t begin = now >> 24;
    return (begin + length) / resolution * resolution - begin / resolution * resolution;
  }
};

SampleLength find(const TimingEffort& effort, std::uint64_t kernel, std::uint64_t resolution) {
  Clock clock{resolution};
  SampleLength length;
  for (int tries = 0; tries < 6 && !length.found; ++tries) {
    length = sample_length(effort, length.repeats, clock.measure(kernel * length.repeats), resolution);
  }
  EXPECT_TRUE(length.found);
  return length;
}

TEST(GpuSampleLength, TakesAsLongAsWasAskedWhereTheClockTellsAll) {
  const TimingEffort effort{.samples = 3, .sample_nanoseconds = 500'000, .most_repeats = 256};
  EXPECT_EQ(find(effort, 10'000, 1).repeats, 50u);
  EXPECT_EQ(find(effort, 250'000, 1).repeats, 2u);
  EXPECT_EQ(find(effort, 80'000'000, 1).repeats, 1u);
  EXPECT_EQ(find(effort, 10, 1).repeats, 256u);
}

TEST(GpuSampleLength, RoundedTimestampsAreOutlasted) {
  const TimingEffort effort{.samples = 3, .sample_nanoseconds = 500'000, .most_repeats = 256};
  for (const std::uint64_t kernel : {9'000u, 20'000u, 21'000u, 150'000u, 3'000'000u}) {
    const SampleLength length = find(effort, kernel, kChrome);
    Clock clock{kChrome};
    for (int sample = 0; sample < 50; ++sample) {
      const double measured = static_cast<double>(clock.measure(kernel * length.repeats)) / length.repeats;
      EXPECT_NEAR(measured / static_cast<double>(kernel), 1.0, 0.06) << kernel << " ns, " << length.repeats;
    }
  }
}

TEST(GpuSampleLength, ResolutionIsWhatAllStampsAreMultiplesOf) {
  EXPECT_EQ(resolution_of(std::array<std::uint64_t, 3>{3 * kChrome, 8 * kChrome, 5 * kChrome}), kChrome);
  EXPECT_EQ(resolution_of(std::array<std::uint64_t, 2>{64, 97}), 1u);
  EXPECT_EQ(resolution_of(std::array<std::uint64_t, 2>{64, 96}), 32u);
  EXPECT_EQ(resolution_of(std::array<std::uint64_t, 2>{0, 0}), 1u);
}

TEST(GpuDriftWatch, RoundedTimestampsAreNoDrift) {
  DriftWatch watch;
  Clock clock{kChrome};
  const auto windows = [&](int number, std::uint64_t length) {
    for (int i = 0; i < number * static_cast<int>(DriftWatch::kObservations); ++i) {
      watch.observe("k", clock.measure(length), kChrome);
    }
  };
  windows(200, 12'000);
  EXPECT_TRUE(watch.take().empty());
  windows(2, 120'000);
  EXPECT_EQ(watch.take().size(), 1u);
}

}  // namespace
}  // namespace wisp::gpu
