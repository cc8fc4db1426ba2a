#include "model/architectures.h"

#include <array>

namespace wisp::model {

std::span<const Architecture> architectures() {
  static constexpr std::array known = {
      Architecture{"gemma2", build_gemma2}, Architecture{"gemma3", build_gemma3}, Architecture{"llama", build_llama},
      Architecture{"qwen2", build_qwen2},   Architecture{"qwen3", build_qwen3},
  };
  return known;
}

}  // namespace wisp::model
