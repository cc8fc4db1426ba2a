// How many prompt rows a step may take while others wait for their next token, found from measured step times. Decides
// when tokens come, never which.
#pragma once

#include <cstdint>

namespace wisp::runtime {

class Pace {
 public:
  Pace(std::uint32_t row_budget, std::uint64_t target_ns);

  [[nodiscard]] std::uint32_t prompt_rows() const { return prompt_rows_; }
  // A step with `prompt_rows` rows of prompts took so long. Shrinks at once when it took too long, grows slowly while
  // there is time left and the share was used up.
  void observe(std::uint32_t prompt_rows, std::uint64_t step_ns);

 private:
  std::uint32_t row_budget_;
  std::uint64_t target_ns_;
  std::uint32_t prompt_rows_;
};

}  // namespace wisp::runtime
