// Notices when a kernel no longer keeps the time that it was chosen for (heat, another tab, a driver update), so that
// its choice is measured again between steps.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace wisp::gpu {

class DriftWatch {
 public:
  // A single slow step says nothing: this many in a row must average `kDrift` times what was promised.
  static constexpr std::uint32_t kObservations = 16;
  static constexpr double kDrift = 1.5;

  // What one run of `key` is to take. Starts over.
  void promise(std::string_view key, std::uint64_t nanoseconds);
  // A measured run. The first kObservations of a key without a promise make one: inside a plan a kernel takes another
  // time than alone in the tuner. A key that drifted is reported by take() once, and its promise is void until then.
  // `resolution`: what the clock rounds to (sample_length.h), in nanoseconds. Of the mean of kObservations rounded
  // lengths half of that is more than chance explains.
  void observe(std::string_view key, std::uint64_t nanoseconds, std::uint64_t resolution = 0);
  [[nodiscard]] std::vector<std::string> take();

 private:
  struct Watched {
    double promised = 0.0;
    double sum = 0.0;
    std::uint32_t count = 0;
  };
  std::map<std::string, Watched, std::less<>> watched_;
  std::vector<std::string> drifted_;
};

}  // namespace wisp::gpu
