#include "quant/floats.h"

#include <cstdint>
#include <cstring>

#include "base/half.h"
#include "quant/load_block.h"

namespace wisp::quant {

void decode_f32(const std::byte* blocks, std::size_t n_blocks, float* out) {
  if (n_blocks != 0) std::memcpy(out, blocks, n_blocks * sizeof(float));
}

void decode_f16(const std::byte* blocks, std::size_t n_blocks, float* out) {
  for (std::size_t i = 0; i < n_blocks; ++i) out[i] = f32_from_f16(load_block<std::uint16_t>(blocks, i));
}

void decode_bf16(const std::byte* blocks, std::size_t n_blocks, float* out) {
  for (std::size_t i = 0; i < n_blocks; ++i) out[i] = f32_from_bf16(load_block<std::uint16_t>(blocks, i));
}

}  // namespace wisp::quant
