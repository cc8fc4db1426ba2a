#include "gpu/tuner/sample_length.h"

#include <algorithm>
#include <bit>

namespace wisp::gpu {
namespace {

constexpr std::uint64_t kGrowth = 16;  // at once: the first try may have been too short to tell anything

}  // namespace

std::uint64_t resolution_of(std::span<const std::uint64_t> stamps) {
  std::uint64_t bits = 0;
  for (const std::uint64_t stamp : stamps) bits |= stamp;
  return bits == 0 ? 1 : std::uint64_t{1} << std::countr_zero(bits);
}

SampleLength sample_length(const TimingEffort& effort, std::uint32_t repeats, std::uint64_t elapsed,
                           std::uint64_t resolution) {
  const std::uint64_t wanted = std::max(effort.sample_nanoseconds, kSampleResolutions * resolution);
  const std::uint64_t growth = wanted / std::max<std::uint64_t>(elapsed, 1);
  const auto most = [&](std::uint64_t number) {
    return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(number, 1, effort.most_repeats));
  };
  if (growth >= kGrowth / 2 && repeats < effort.most_repeats) return {most(repeats * std::min(growth, kGrowth)), false};
  return {most(repeats * wanted / std::max<std::uint64_t>(elapsed, 1)), true};
}

}  // namespace wisp::gpu
