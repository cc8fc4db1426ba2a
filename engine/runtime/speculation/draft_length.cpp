#include "runtime/speculation/draft_length.h"

#include <algorithm>
#include <bit>

namespace wisp::runtime {
namespace {

constexpr double kForget = 0.125;
// A row more, where nothing was measured: a quarter of a step is pessimistic for processors.
constexpr double kRowGuess = 0.25;
// Guessing goes on while a step gives so much more than it costs.
constexpr double kWorth = 1.05;
// Guesses before a judgement.
constexpr std::uint32_t kLeast = 3;

}  // namespace

std::size_t StepCosts::class_of(std::uint32_t rows) {
  return std::min<std::size_t>(static_cast<std::size_t>(std::bit_width(std::max(rows, 1u) - 1)), kClasses - 1);
}

void StepCosts::observe(std::uint32_t rows, std::uint64_t nanoseconds) {
  double& mean = mean_ns_[class_of(rows)];
  const auto now = static_cast<double>(nanoseconds);
  // A stall (another program, a page fault) says little of rows.
  mean = mean == 0.0 ? now : mean + kForget * (std::min(now, 4.0 * mean) - mean);
}

double StepCosts::ratio(std::uint32_t rows) const {
  const double one = mean_ns_[0], many = mean_ns_[class_of(rows)];
  if (one == 0.0 || many == 0.0) return 1.0 + kRowGuess * static_cast<double>(rows - 1);
  return std::max(many / one, 1.0);
}

std::uint32_t DraftLength::next() {
  if (pause_left_ == 0) return length_;
  pause_left_ -= 1;
  return 0;
}

void DraftLength::observe(std::uint32_t drafted, std::uint32_t accepted, double cost) {
  const double tokens = 1.0 + accepted;
  observed_ += 1;
  const double weight = std::max(kForget, 1.0 / observed_);
  tokens_ += weight * (tokens - tokens_);
  cost_ += weight * (cost - cost_);
  if (accepted == drafted) {
    length_ = std::min(2 * length_, most_);
  } else {
    length_ = std::max(accepted + 1, length_ / 2);
    length_ = std::min(length_, most_);
  }
  if (observed_ < kLeast) return;
  if (tokens_ >= kWorth * cost_) {
    pause_ = kFirstPause;
    return;
  }
  pause_left_ = pause_;
  pause_ = std::min(2 * pause_, kLongestPause);
  observed_ = 0;
  length_ = std::min(2u, most_);
}

}  // namespace wisp::runtime
