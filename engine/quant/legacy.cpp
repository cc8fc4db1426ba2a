#include "base/half.h"
#include "quant/legacy_blocks.h"
#include "quant/load_block.h"

namespace wisp::quant {

void decode_q4_0(const std::byte* blocks, std::size_t n_blocks, float* out) {
  for (std::size_t b = 0; b < n_blocks; ++b, out += kLegacyElements) {
    const auto block = load_block<BlockQ4_0>(blocks, b);
    const float d = f32_from_f16(block.d);
    for (int i = 0; i < kLegacyElements; ++i) out[i] = static_cast<float>(nibble(block.qs, i) - 8) * d;
  }
}

void decode_q4_1(const std::byte* blocks, std::size_t n_blocks, float* out) {
  for (std::size_t b = 0; b < n_blocks; ++b, out += kLegacyElements) {
    const auto block = load_block<BlockQ4_1>(blocks, b);
    const float d = f32_from_f16(block.d);
    const float m = f32_from_f16(block.m);
    for (int i = 0; i < kLegacyElements; ++i) out[i] = static_cast<float>(nibble(block.qs, i)) * d + m;
  }
}

void decode_q5_0(const std::byte* blocks, std::size_t n_blocks, float* out) {
  for (std::size_t b = 0; b < n_blocks; ++b, out += kLegacyElements) {
    const auto block = load_block<BlockQ5_0>(blocks, b);
    const float d = f32_from_f16(block.d);
    for (int i = 0; i < kLegacyElements; ++i) out[i] = static_cast<float>(five_bits(block.qs, block.qh, i) - 16) * d;
  }
}

void decode_q5_1(const std::byte* blocks, std::size_t n_blocks, float* out) {
  for (std::size_t b = 0; b < n_blocks; ++b, out += kLegacyElements) {
    const auto block = load_block<BlockQ5_1>(blocks, b);
    const float d = f32_from_f16(block.d);
    const float m = f32_from_f16(block.m);
    for (int i = 0; i < kLegacyElements; ++i) out[i] = static_cast<float>(five_bits(block.qs, block.qh, i)) * d + m;
  }
}

void decode_q8_0(const std::byte* blocks, std::size_t n_blocks, float* out) {
  for (std::size_t b = 0; b < n_blocks; ++b, out += kLegacyElements) {
    const auto block = load_block<BlockQ8_0>(blocks, b);
    const float d = f32_from_f16(block.d);
    for (int i = 0; i < kLegacyElements; ++i) out[i] = static_cast<float>(block.qs[i]) * d;
  }
}

}  // namespace wisp::quant
