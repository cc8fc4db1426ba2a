// F32, F16 and BF16 as block formats: blocks of one element, little-endian.
#pragma once

#include <cstddef>

namespace wisp::quant {

// Each has the signature DecodeBlocks (block_format.h). NaNs keep their payload; those of F16 become quiet.
void decode_f32(const std::byte* blocks, std::size_t n_blocks, float* out);
void decode_f16(const std::byte* blocks, std::size_t n_blocks, float* out);
void decode_bf16(const std::byte* blocks, std::size_t n_blocks, float* out);

}  // namespace wisp::quant
