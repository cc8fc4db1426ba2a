// How many tokens a sequence should guess: more while guesses come true, none while they do not pay. A guess costs a
// row of the step, which is cheap where weights are what a step waits for, and is paid back when it is right.
#pragma once

#include <array>
#include <cstdint>

namespace wisp::runtime {

// What a step of so many rows takes, against one of a single row; measured while it happens. Time changes how much is
// guessed, never which tokens come.
class StepCosts {
 public:
  void observe(std::uint32_t rows, std::uint64_t nanoseconds);
  // Of a step of `rows`, a step of one row being 1. A guess where nothing was measured.
  [[nodiscard]] double ratio(std::uint32_t rows) const;

 private:
  static constexpr std::size_t kClasses = 6;  // 1, 2, 3-4, 5-8, 9-16, more
  static std::size_t class_of(std::uint32_t rows);
  std::array<double, kClasses> mean_ns_ = {};
};

class DraftLength {
 public:
  explicit DraftLength(std::uint32_t most) : most_(most), length_(most < kFirst ? most : kFirst) {}

  // For the next token; 0 while guessing is off.
  std::uint32_t next();
  [[nodiscard]] bool paused() const { return pause_left_ > 0; }
  // What became of `drafted` guesses, at least one, in a step that took `cost` times as long as it would have without.
  void observe(std::uint32_t drafted, std::uint32_t accepted, double cost);

 private:
  static constexpr std::uint32_t kFirst = 4;
  static constexpr std::uint32_t kFirstPause = 8, kLongestPause = 256;  // tokens

  std::uint32_t most_;
  std::uint32_t length_;
  std::uint32_t pause_left_ = 0, pause_ = kFirstPause;
  // Means that forget: tokens of a step with guesses, and what it costs against one without.
  double tokens_ = 0.0, cost_ = 0.0;
  std::uint32_t observed_ = 0;  // since guessing went on
};

}  // namespace wisp::runtime
