#include "runtime/pace.h"

#include <algorithm>

namespace wisp::runtime {
namespace {

// Fewer rows at once waste the weights that each step reads; a prompt must end some day.
constexpr std::uint32_t kFewestRows = 8;
constexpr std::uint32_t kFirstGuess = 64;

}  // namespace

Pace::Pace(std::uint32_t row_budget, std::uint64_t target_ns)
    : row_budget_(std::max(row_budget, kFewestRows)),
      target_ns_(std::max<std::uint64_t>(target_ns, 1)),
      prompt_rows_(std::min(kFirstGuess, row_budget_)) {}

void Pace::observe(std::uint32_t prompt_rows, std::uint64_t step_ns) {
  if (prompt_rows == 0) return;
  if (step_ns > target_ns_) {
    const double fitting =
        static_cast<double>(prompt_rows) * static_cast<double>(target_ns_) / static_cast<double>(step_ns);
    // One outlier may not more than halve it.
    const std::uint32_t rows = std::max(prompt_rows_ / 2, static_cast<std::uint32_t>(fitting));
    prompt_rows_ = std::max(kFewestRows, std::min(prompt_rows_, rows));
  } else if (prompt_rows >= prompt_rows_) {
    prompt_rows_ = std::min(row_budget_, prompt_rows_ + prompt_rows_ / 4);
  }
}

}  // namespace wisp::runtime
