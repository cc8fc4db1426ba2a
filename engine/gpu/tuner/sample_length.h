// How long a sample has to be to say something, whatever clock the device has.
#pragma once

#include <cstdint>
#include <span>

namespace wisp::gpu {

struct TimingEffort {
  std::uint32_t samples = 5;                     // the median counts
  std::uint64_t sample_nanoseconds = 1'000'000;  // a sample repeats a way until it takes about this long
  std::uint32_t most_repeats = 256;
};

// What timestamps are multiples of, a power of two: 1 where they tell everything. Chrome rounds them to 2^16 ns, lest
// pages spy on each other, so that a kernel of 20 us mostly takes none or three times as long.
std::uint64_t resolution_of(std::span<const std::uint64_t> stamps);

// Resolutions that a sample has to take, so that rounding both of its ends moves it by 1/32 at most.
inline constexpr std::uint64_t kSampleResolutions = 32;

struct SampleLength {
  std::uint32_t repeats = 1;
  bool found = false;  // else it is the next number to try
};
// What comes after a try of so many repeats that took `elapsed`, in nanoseconds as is `resolution`.
SampleLength sample_length(const TimingEffort& effort, std::uint32_t repeats, std::uint64_t elapsed,
                           std::uint64_t resolution);

}  // namespace wisp::gpu
