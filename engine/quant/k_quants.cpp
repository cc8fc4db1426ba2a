#include "base/half.h"
#include "quant/k_blocks.h"
#include "quant/load_block.h"

namespace wisp::quant {

// The order of the multiplications is part of the format as far as bit-exactness goes: the scale first.

void decode_q2_k(const std::byte* blocks, std::size_t n_blocks, float* out) {
  for (std::size_t b = 0; b < n_blocks; ++b) {
    const auto block = load_block<BlockQ2_K>(blocks, b);
    const float d = f32_from_f16(block.d);
    const float dmin = f32_from_f16(block.dmin);
    for (int g = 0; g < 16; ++g) {
      const float group_scale = d * static_cast<float>(block.scales[g] & 0xF);
      const float group_min = dmin * static_cast<float>(block.scales[g] >> 4);
      for (int i = 0; i < 16; ++i) *out++ = group_scale * static_cast<float>(quant(block, g, i)) - group_min;
    }
  }
}

void decode_q3_k(const std::byte* blocks, std::size_t n_blocks, float* out) {
  for (std::size_t b = 0; b < n_blocks; ++b) {
    const auto block = load_block<BlockQ3_K>(blocks, b);
    const float d = f32_from_f16(block.d);
    for (int g = 0; g < 16; ++g) {
      const float group_scale = d * static_cast<float>(scale(block, g));
      for (int i = 0; i < 16; ++i) *out++ = group_scale * static_cast<float>(quant(block, g, i) - 4);
    }
  }
}

namespace {

// Q4_K and Q5_K differ in the width of their quants only.
template <class Block>
void decode_scaled_mins(const std::byte* blocks, std::size_t n_blocks, float* out) {
  for (std::size_t b = 0; b < n_blocks; ++b) {
    const auto block = load_block<Block>(blocks, b);
    const float d = f32_from_f16(block.d);
    const float dmin = f32_from_f16(block.dmin);
    for (int g = 0; g < 8; ++g) {
      const ScaleMin group = scale_min(block.scales, g);
      const float group_scale = d * static_cast<float>(group.scale);
      const float group_min = dmin * static_cast<float>(group.min);
      for (int i = 0; i < 32; ++i) *out++ = group_scale * static_cast<float>(quant(block, g, i)) - group_min;
    }
  }
}

}  // namespace

void decode_q4_k(const std::byte* blocks, std::size_t n_blocks, float* out) {
  decode_scaled_mins<BlockQ4_K>(blocks, n_blocks, out);
}

void decode_q5_k(const std::byte* blocks, std::size_t n_blocks, float* out) {
  decode_scaled_mins<BlockQ5_K>(blocks, n_blocks, out);
}

void decode_q6_k(const std::byte* blocks, std::size_t n_blocks, float* out) {
  for (std::size_t b = 0; b < n_blocks; ++b) {
    const auto block = load_block<BlockQ6_K>(blocks, b);
    const float d = f32_from_f16(block.d);
    for (int g = 0; g < 16; ++g) {
      const float group_scale = d * static_cast<float>(block.scales[g]);
      for (int i = 0; i < 16; ++i) *out++ = group_scale * static_cast<float>(quant(block, g, i) - 32);
    }
  }
}

}  // namespace wisp::quant
