#include "gpu/tuner/drift_watch.h"

#include <utility>

namespace wisp::gpu {

void DriftWatch::promise(std::string_view key, std::uint64_t nanoseconds) {
  if (nanoseconds == 0) return;
  watched_[std::string(key)] = {static_cast<double>(nanoseconds), 0.0, 0};
}

void DriftWatch::observe(std::string_view key, std::uint64_t nanoseconds, std::uint64_t resolution) {
  auto found = watched_.find(key);
  if (found == watched_.end()) found = watched_.emplace(std::string(key), Watched{}).first;
  Watched& watched = found->second;
  watched.sum += static_cast<double>(nanoseconds);
  if (++watched.count < kObservations) return;
  const double mean = watched.sum / watched.count;
  const bool drifted = watched.promised > 0.0 && mean > kDrift * watched.promised + static_cast<double>(resolution) / 2;
  if (watched.promised == 0.0) watched.promised = mean;
  watched.sum = 0.0;
  watched.count = 0;
  if (!drifted) return;
  drifted_.push_back(found->first);
  watched_.erase(found);
}

std::vector<std::string> DriftWatch::take() { return std::exchange(drifted_, {}); }

}  // namespace wisp::gpu
